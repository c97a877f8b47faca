"""A report as a page to print or as Markdown. The page is one file: its style is inside, it runs nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from api.reports.types import Audience, CaseReport
from tools.canonical import content_sha256

STYLE = """
:root { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff }
body { margin: 0 auto; max-width: 58rem; padding: 2rem 1.25rem 4rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; border-bottom: 1px solid #ccd3dd; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100%; font-size: .875rem }
th, td { border-bottom: 1px solid #e5e9ef; padding: .25rem .6rem .25rem 0; text-align: left; vertical-align: top }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { font: .8rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
.quiet { color: #5a6675 } .block { color: #a3231b; font-weight: 600 } .warn { color: #8a5a00; font-weight: 600 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem } dt { color: #5a6675 } dd { margin: 0 }
ol, ul { padding-left: 1.25rem } .wide { overflow-x: auto } footer { margin-top: 3rem; font-size: .8rem }
dl.facts { margin: .75rem 0 }
@page { margin: 16mm 14mm }
@media print {
:root { font-size: 10.5px } .wide { overflow: visible } body { padding: 0; max-width: none }
h2 { break-after: avoid } tr { break-inside: avoid } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dt { margin-top: .4rem } }
"""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""Content security policy of the page: its own style and nothing else."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def html(report: CaseReport, audience: Audience) -> str:
    """The page. Every text in it is escaped."""
    return _environment().get_template("case.html").render(**_values(report, audience), style=STYLE)


def markdown(report: CaseReport, audience: Audience) -> str:
    """The same in Markdown; what has a meaning there is escaped."""
    return _environment().get_template("case.md").render(**_values(report, audience))


def _values(report: CaseReport, audience: Audience) -> dict[str, Any]:
    body = report.model_dump(mode="json")
    return {"r": body, "full": audience == "regulator", "audience": audience, "sha256": content_sha256(body)}


def _plain_text(value: Any) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def _figure(value: Any, unit: str = "") -> str:
    """A value of a check as people read it."""
    if value is None:
        return "-"
    if unit == "share":
        return f"{float(value) * 100:.2f} %"
    if unit in ("money", "price"):
        return f"{float(value):,.2f}"
    return str(value)


def _moment(value: Any) -> str:
    """A moment to the second, in UTC."""
    when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@cache
def _environment() -> Environment:
    folder = files("api.reports")
    names = ("case.html", "case.md")
    environment = Environment(
        loader=DictLoader({name: (folder / name).read_text(encoding="utf-8") for name in names}),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=select_autoescape(("html",)),
    )  # fmt: skip
    environment.filters["md"] = _plain_text
    environment.filters["figure"] = _figure
    environment.filters["moment"] = _moment
    return environment
