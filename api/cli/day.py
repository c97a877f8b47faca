"""day: the checks of the coming start or of the last end of day, and signing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note, print_table

if TYPE_CHECKING:
    from pipeline.store import Store

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("day")(day)


def day(
    ctx: typer.Context,
    moment: Annotated[Literal["start", "end"], typer.Argument(help="The coming start, or the last end of day.")],
    sign: Annotated[bool, typer.Option("--sign", help="Sign the checks as they stand.")] = False,
    reason: Annotated[str | None, typer.Option(help="With --sign: what you looked at; it goes to the ledger.")] = None,
    reason_code: Annotated[
        str | None,
        typer.Option(help="Over a failed check: known_break, data_late, waiting_for_broker, accepted_risk, other."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show the checks and sign them. Exit status 1 when a check failed and nothing was signed."""
    from api.cli.desk import open_desk

    if sign and reason is None:
        raise typer.BadParameter("--sign needs --reason")
    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        if desk.store is not None:
            _look(desk.store)
        if sign:
            wish = {"phase": moment, "note": reason, "reason_code": reason_code}
            desk.post("/day/sign-off", {name: value for name, value in wish.items() if value is not None})
        answer = desk.get("/day")
    found: dict[str, Any] = answer[moment]
    if call.as_json:
        print_json({**found, "require_sign_off": answer["require_sign_off"]})
    else:
        _print(found)
    return FAILED if found["failed"] and found["signed"] is None else 0


def _look(store: Store) -> None:
    """Without a desk nobody else looks at the broker before the checks are run."""
    from pipeline.day_facts import look, look_again
    from pipeline.desk import open_desk
    from pipeline.store import active_run
    from pipeline.venue import open_broker

    with store.db.read() as session:
        run = active_run(session)
    if run is not None and look_again(store, open_broker(store, run), run) is None:
        look(open_desk(store))


def _print(found: dict[str, Any]) -> None:
    title = f"{found['moment']} of {found['session'] or 'no session'}"
    rows = [(item["state"], item["id"], item["text"], item["remedy"]) for item in found["checks"]]
    print_table(title, ("state", "check", "found", "what to do"), rows)
    if found["signed"] is None:
        print_note(f"not signed; `quarterdeck day {found['moment']} --sign --reason ...` signs it")
        return
    said = found["signed"]
    print_fields("signed", {name: said[name] for name in ("principal", "role", "signed", "reason_code", "note")})
