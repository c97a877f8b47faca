"""activate: put the limits or the policy file of the home in force."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("activate")(activate)


def activate(
    ctx: typer.Context,
    what: Annotated[Literal["limits", "policy"], typer.Argument(help="Which file of the home's config folder.")],
    reason: Annotated[str, typer.Option(help="Why; it goes to the ledger.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a changed file and put it in force. The desk must be stopped: law does not change under open cases."""
    from api.cli.desk import open_locked
    from pipeline.activation import activate as put_in_force
    from pipeline.store import Principal

    call = Call.of(ctx, home, as_json)
    with open_locked(call.settings()) as store:
        row = put_in_force(store, what, principal=Principal("local operator", "person"), reason=reason)
        store.publish_head()
    answer = {"kind": row.kind, "version": row.version, "sha256": row.sha256}
    if call.as_json:
        print_json(answer)
        return
    print_fields(f"{what} in force", answer)
