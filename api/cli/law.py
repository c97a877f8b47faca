"""activate: put the limits or the policy file of the home in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_text

if TYPE_CHECKING:
    from api.cli.desk import Desk


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("activate")(activate)


def activate(
    ctx: typer.Context,
    what: Annotated[Literal["limits", "policy"], typer.Argument(help="Which file of the home's config folder.")],
    reason: Annotated[str, typer.Option(help="Why; it goes to the ledger.")],
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Take the file that ships with this version; yours stays as .before.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a changed file and put it in force: at once while the desk is stopped, through a case while it runs."""
    from api.cli.desk import find_remote, open_locked
    from pipeline.activation import activate as put_in_force
    from pipeline.store import Principal

    call = Call.of(ctx, home, as_json)
    settings = call.settings()
    remote = find_remote(settings)
    if remote is not None and remote.answers() and not shipped:
        with remote:
            _propose(call, remote, what, reason)
        return
    with open_locked(settings, silent=remote) as store:
        row = put_in_force(store, what, principal=Principal("local operator", "person"), reason=reason, shipped=shipped)
        store.publish_head()
    answer = {"kind": row.kind, "version": row.version, "sha256": row.sha256}
    if call.as_json:
        print_json(answer)
        return
    print_fields(f"{what} in force", answer)


def _propose(call: Call, desk: Desk, what: str, reason: str) -> None:
    """Open a case for the file at the desk that runs."""
    opened = desk.post("/changes", {"kind": f"{what}.activation", "reason": reason})
    if call.as_json:
        print_json(opened)
        return
    print_fields(f"{what} proposed", opened)
    print_text(f"The desk runs, so people decide: quarterdeck approvals show {opened['approval_id']}")
