"""Runbooks that the desk ships: what a person does when something is wrong, step by step. They are read by people.

Each is `<id>.md` here: front matter (`title`, `when`, `codes`: findings that it answers), then Markdown. They are no
prompts, are not locked, and no model is given them. A file that breaks its shape stops the start-up.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import yaml
from pydantic import Field, ValidationError

from tools.errors import ConfigError
from tools.types import Frozen

_SHAPE = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<body>.+)\Z", re.DOTALL)


class Runbook(Frozen):
    """One runbook. `when` says in one or two sentences what it is for: by them it is found."""

    id: str = Field(pattern=r"^[a-z][a-z_]+$")
    title: str = Field(min_length=3)
    when: str = Field(min_length=20)
    codes: tuple[str, ...] = ()
    text: str


@cache
def runbooks() -> tuple[Runbook, ...]:
    """Every runbook that ships, by id; ConfigError `bad_runbook` for one that cannot be used."""
    files = (file for file in resources.files("prompts.runbooks").iterdir() if file.name.endswith(".md"))
    found = sorted((_parse(f.name.removesuffix(".md"), f.read_text(encoding="utf-8")) for f in files), key=_id)
    codes = [code for book in found for code in book.codes]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise ConfigError(f"two runbooks answer the finding {twice[0]}: leave it to one", code="bad_runbook")
    return tuple(found)


def runbook_for(code: str) -> Runbook | None:
    """The runbook that answers findings of a code."""
    return next((book for book in runbooks() if code in book.codes), None)


def _id(book: Runbook) -> str:
    return book.id


def _parse(name: str, text: str) -> Runbook:
    found = _SHAPE.match(text)
    if not found:
        raise ConfigError(f"runbook {name}: wants front matter between --- lines, then a text", code="bad_runbook")
    try:
        return Runbook.model_validate({**yaml.safe_load(found["head"]), "id": name, "text": found["body"].strip()})
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise ConfigError(f"runbook {name}: front matter is wrong: {error}", code="bad_runbook") from None
