"""approvals show: one question with everything that has to be read before it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.changes import sentence, show_change
from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table, print_text
from api.cli.risk import print_what_if


def show(
    ctx: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one question with its evidence, checks and explanation. That you looked is recorded under your name."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    path = f"/approvals/{quote(approval_id, safe='')}"
    with open_desk(call) as desk:
        asked = desk.get(path)
        case = desk.get(f"/cases/{quote(asked['case_id'], safe='')}")
        seen = desk.post(f"{path}/views", {"seconds": 0, "evidence_opened": True})
    if call.as_json:
        print_json({**asked, "evidence": case["evidence"], "checks": case["checks"], "view": seen})
        return
    _print(asked, case)


def _print(asked: dict[str, Any], case: dict[str, Any]) -> None:
    """The evidence stands before the words about it, as in the console."""
    evidence = ((e["id"], e["kind"], e["source"], e["known_at"], _said(e["payload"])) for e in case["evidence"])
    print_table(
        f"{len(case['evidence'])} items of evidence", ("id", "kind", "source", "known at", "what it says"), evidence
    )
    if case["change"]:
        show_change(case)
    checks = ((c["control"], c["verdict"], c["value"], c["limit"], c["message"]) for c in case["checks"] or ())
    print_table("checks", ("control", "verdict", "value#", "limit#", "message"), checks)
    if asked["what_if"] is not None:
        print_what_if(asked["what_if"])
    if asked["explanation"]:
        print_text(asked["explanation"]["prose"])
    signed = ", ".join(
        f"{named(item['principal'], item['on_behalf_of'])}: {item['decision']}" for item in asked["signed"]
    )
    print_fields(
        f"{asked['id']}: {sentence(case)} ({asked['status']})",
        {
            "case": asked["case_id"], "rule": asked["rule"], "tier": asked["tier"],
            "answered by": f"{asked['given']} of {asked['required']}, role {', '.join(asked['roles'])}",
            "signed": signed, "not by": ", ".join(asked["separate"]),
            "until": asked["expires_wall"] or f"before the open of {asked['expires']}",
            "in force not before": asked["not_before"], "you may sign": asked["may_not_because"] or "yes",
            "digest": asked["digest"],
        },
    )  # fmt: skip
    for said in asked["questions"]:
        print_text(f"{said['principal']}: {said['question']}\n{said['answer']}")


def named(name: str, giver: str | None) -> str:
    """Who acts, and for whom."""
    return f"{name} for {giver}" if giver else name


def _said(payload: Mapping[str, Any]) -> str:
    """The first figures of an item on one line."""
    text = ", ".join(f"{name} {value}" for name, value in payload.items() if not isinstance(value, dict | list))
    return text if len(text) <= 160 else text[:157] + "..."
