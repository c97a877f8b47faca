"""approvals show: one question with everything that has to be read before it is answered."""

from __future__ import annotations

import json
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
    """Show one question with its explanation, checks and evidence. It counts as having opened the evidence."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    path = f"/approvals/{quote(approval_id, safe='')}"
    with open_desk(call) as desk:
        asked = desk.get(path)
        case = desk.get(f"/cases/{quote(asked['case_id'], safe='')}")
        desk.post(f"{path}/views", {"seconds": 0, "evidence_opened": True})
    if call.as_json:
        print_json({**asked, "evidence": case["evidence"]})
        return
    _print(asked, case)


def _print(asked: dict[str, Any], case: dict[str, Any]) -> None:
    until = asked["expires_wall"] or f"before the open of {asked['expires']}"
    print_fields(
        f"{asked['id']}: {sentence(case)} ({asked['status']})",
        {
            "answered by": f"{asked['given']} of {asked['required']}, role {', '.join(asked['roles'])}",
            "not by": ", ".join(asked["separate"]), "tier": asked["tier"], "until": until,
            "in force not before": asked["not_before"], "you may sign": asked["may_not_because"] or "yes",
            "digest": asked["digest"],
        },
    )  # fmt: skip
    if case["change"]:
        show_change(case)
    if asked["explanation"]:
        print_text(asked["explanation"]["prose"])
    checks = ((c["control"], c["verdict"], c["value"], c["limit"], c["message"]) for c in case["checks"] or ())
    print_table("checks", ("control", "verdict", "value#", "limit#", "message"), checks)
    if asked["what_if"] is not None:
        print_what_if(asked["what_if"])
    evidence = ((e["id"], e["kind"], e["known_at"], json.dumps(e["payload"])[:300]) for e in case["evidence"])
    print_table("evidence", ("id", "kind", "known at", "what it says"), evidence)
    for said in asked["questions"]:
        print_text(f"{said['principal']}: {said['question']}\n{said['answer']}")
