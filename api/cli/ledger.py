"""ledger verify | export: is the record whole, and take it along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_table

group = typer.Typer(no_args_is_help=True, help="The record of everything.")
BROKEN = 1


def register(app: typer.Typer) -> None:
    """Add this group to the command line."""
    app.add_typer(group, name="ledger")


@group.command("verify")
def verify(ctx: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Walk the chain and hold it against the signed heads; exit code 1 when a record is wrong."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        found = desk.get("/ledger/verify")
    if call.as_json:
        print_json(found)
    else:
        verdict = "whole" if found["verified"] else f"{len(found['problems'])} problems"
        print_fields(
            f"ledger: {verdict}", {name: found[name] for name in ("entries", "head", "content_sha256")}
        )  # fmt: skip
        if found["problems"]:
            rows = ((p["kind"], p["seq"], p["message"]) for p in found["problems"])
            print_table("problems", ("kind", "seq#", "message"), rows)
    if not found["verified"]:
        raise typer.Exit(BROKEN)


@group.command("export")
def export(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON lines; an existing file is refused.")],
    run: Annotated[str | None, typer.Option(help="Keep to one run.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the records as JSON lines. Reads a snapshot of the store, also beside a running desk."""
    from memory.ledger import export as write
    from pipeline.store import open_store
    from tools.errors import HomeError

    call = Call.of(ctx, home, as_json)
    store = open_store(call.settings(), create=False)
    if out.exists():
        raise HomeError(f"{out} exists: choose another file", code="file_exists")
    try:
        entries = write(store.db, out, run)
    except OSError as error:
        raise HomeError(f"{out} cannot be written: {error.strerror}", code="file_refused") from None
    answer = {"entries": entries, "file": str(out.resolve()), "run": run}
    if call.as_json:
        print_json(answer)
        return
    print_fields("exported", answer)
