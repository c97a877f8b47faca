"""ask: a question to the operator agent."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import clean, print_json, print_note

_UNDERSTOOD = ("intent", "slots", "figures", "action")


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("ask")(ask)


def ask(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    thread: Annotated[str | None, typer.Option(help="Go on with an earlier conversation.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the desk, e.g. "why did we not buy IBM?". It answers from the desk's records and names them; it cannot
    approve, halt or trade. With --json: what was understood (intent, slots) and each figure with its record."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    parts: list[str] = []
    records: dict[str, None] = {}
    closing: dict[str, object] = {}
    with open_desk(call) as desk:
        for event in desk.chat({"text": question, "thread_id": thread}):
            if event["type"] == "token":
                parts.append(event["text"])
                if "ref" in event:
                    records[event["ref"]["record"]] = None
                if not call.as_json:
                    sys.stdout.write(clean(event["text"]))
                    sys.stdout.flush()
            elif event["type"] == "done":
                closing = event
    if call.as_json:
        told = {name: closing.get(name) for name in ("thread_id", "evidence_ids", *_UNDERSTOOD)}
        print_json({"answer": "".join(parts), **told})
        return
    sys.stdout.write("\n")
    if records:
        print_note(f"figures stand in: {', '.join(sorted(records))}")
    print_note(f"to go on: quarterdeck ask --thread {closing.get('thread_id')} ...")
