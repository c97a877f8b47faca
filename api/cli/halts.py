"""halt and resume. `halt` must work whatever else is down: each way it can fail leads to a blunter one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note

if TYPE_CHECKING:
    from pipeline.settings import Settings

REMOTE_TIMEOUT_S = 5.0
STORE_TIMEOUT_S = 3.0
"""A store that somebody keeps locked for longer does not hold up a halt: the HALT file does."""
_REFUSED_FOR_GOOD = frozenset({"invalid", "unknown", "forbidden"})


class Action(StrEnum):
    """How hard to stop."""

    NO_NEW = "no-new"
    CANCEL = "cancel"
    FLATTEN = "flatten"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("halt")(halt)
    app.command("resume")(resume)


def halt(
    ctx: typer.Context,
    action: Annotated[Action, typer.Option(help="Refuse new risk; also cancel entries; also close positions.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Only this strategy.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the desk: through its API, else straight in the store, else by the HALT file."""
    if symbol is not None and strategy is not None:
        raise typer.BadParameter("give --symbol or --strategy, not both")
    call = Call.of(ctx, home, as_json)
    wish = {
        "action": action.value.replace("-", "_"), "reason": reason, "target": symbol or strategy,
        "scope": "symbol" if symbol else "strategy" if strategy else "firm",
    }  # fmt: skip
    settings = call.settings()
    told = _through_api(settings, wish) or _through_store(settings, wish)
    if call.as_json:
        print_json(told)
        return
    print_fields(
        "halted", {name: told.get(name) for name in ("id", "scope", "target", "action", "reason", "principal", "path")}
    )
    print_note("`quarterdeck resume --reason ...` lets the desk go on; what was pending will be voided, not sent")


def resume(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release every halt; what was pending is voided and must be proposed again."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        answer = desk.post("/halts/release", {"reason": reason})
    if call.as_json:
        print_json(answer)
        return
    print_fields("released", {"halts": len(answer["released"]), "cases voided": len(answer["voided_cases"])})


def _through_api(settings: Settings, wish: dict[str, Any]) -> dict[str, Any] | None:
    """Ask the desk that holds the home; None when there is none or it fails, so that the next way is tried."""
    from api.cli.desk import find_remote
    from tools.errors import QuarterdeckError

    try:
        remote = find_remote(settings, timeout_s=REMOTE_TIMEOUT_S)
        if remote is None:
            return None
        with remote:
            return {**remote.post("/halts", wish), "path": "api"}
    except QuarterdeckError as error:
        if error.code in _REFUSED_FOR_GOOD:
            raise
        print_note(f"the desk could not take it ({error.message}); writing the halt directly")
        return None


def _through_store(settings: Settings, wish: dict[str, Any]) -> dict[str, Any]:
    """Write the halt without the home's lock: stopping is the one thing that two processes may do at once."""
    from sqlalchemy.exc import SQLAlchemyError

    from api.queries.ledger import halt_body
    from pipeline import halt as program
    from pipeline.store import Principal, open_store
    from tools.errors import HomeError

    person = Principal(name="local operator", kind="person", address="cli")
    try:
        store = open_store(settings, create=False, busy_timeout_s=STORE_TIMEOUT_S)
        row = program.engage(
            store, action=wish["action"], reason=wish["reason"], principal=person, scope=wish["scope"],
            target=wish["target"], source="cli",
        )  # fmt: skip
    except (SQLAlchemyError, HomeError) as error:
        if not settings.home.is_dir():
            raise
        return _by_file(settings, wish, str(error))
    if row.action != "no_new":
        program.launch(store)
    return {**halt_body(row).model_dump(mode="json"), "path": "store"}


def _by_file(settings: Settings, wish: dict[str, Any], why: str) -> dict[str, Any]:
    """The last resort: a file that every process of the desk reads as a firm-wide halt."""
    from pipeline.home import Home

    file = Home(settings.home).halt_file
    file.write_text(f"{wish['action']}: {wish['reason']}\n", encoding="utf-8")
    print_note(f"the store failed ({why}): wrote {file.name} into the home, which refuses new risk until removed")
    return {
        **wish,
        "id": None,
        "action": "no_new",
        "scope": "firm",
        "target": None,
        "principal": "local operator",
        "path": "file",
    }
