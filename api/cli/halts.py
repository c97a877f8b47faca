"""halt and resume. `halt` must work whatever else is down: each way it can fail leads to a blunter one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json, print_note, print_table

if TYPE_CHECKING:
    from pipeline.settings import Settings

REMOTE_TIMEOUT_S = 5.0
STORE_TIMEOUT_S = 2.0
"""A store that somebody keeps locked for longer does not hold up a halt: the HALT file does."""
_REFUSED_FOR_GOOD = frozenset({"invalid", "unknown", "forbidden"})


ACTIONS = "no_new, cancel, reduce_only or flatten"
HALT_HELP = """Stop the desk or a part of it: through its API, else straight in the store, else by the HALT file.

no_new: nothing that adds risk is asked, approved or sent; working orders stay.

cancel: as no_new, and orders that add risk are cancelled; protective stops and exits stay.

reduce_only: as cancel, and waiting questions that add risk are voided; reductions go on.

flatten: as reduce_only, and positions are closed at the next opens by limit orders with a price protection and a
cap on volume, until nothing is left.

Scopes: firm; symbol; strategy (what it proposes and holds); agent (decision, rules, model or a strategy that
proposes); order (a case id or a client order id).
"""


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("halt", help=HALT_HELP)(halt)
    app.command("halts")(halts)
    app.command("resume")(resume)


def _action(value: str) -> str:
    known = value.strip().replace("-", "_")
    if known not in ("no_new", "cancel", "reduce_only", "flatten"):
        raise typer.BadParameter(f"{value!r} is not {ACTIONS}")
    return known


class Scope(StrEnum):
    """What is to stop."""

    FIRM = "firm"
    AGENT = "agent"
    STRATEGY = "strategy"
    SYMBOL = "symbol"
    ORDER = "order"


def halt(
    ctx: typer.Context,
    action: Annotated[str, typer.Option(help=f"{ACTIONS}; see above.", parser=_action, metavar="ACTION")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    scope: Annotated[Scope | None, typer.Option(help="How much stops; firm unless a target is given.")] = None,
    target: Annotated[str | None, typer.Option(help="Which symbol, strategy, agent, case or order.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Short for --scope symbol --target SYMBOL.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Short for --scope strategy --target STRATEGY.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the desk or a part of it."""
    if sum(item is not None for item in (scope or target, symbol, strategy)) > 1:
        raise typer.BadParameter("give one of --scope with --target, --symbol and --strategy")
    if symbol or strategy:
        scope, target = (Scope.SYMBOL, symbol) if symbol else (Scope.STRATEGY, strategy)
    if (scope in (None, Scope.FIRM)) != (target is None):
        raise typer.BadParameter("--scope and --target belong together; a firm halt has no target")
    call = Call.of(ctx, home, as_json)
    wish = {"action": action, "reason": reason, "target": target, "scope": (scope or Scope.FIRM).value}
    settings = call.settings()
    told = _through_api(settings, wish) or _through_store(settings, wish)
    if call.as_json:
        print_json(told)
        return
    print_fields(
        "halted", {name: told.get(name) for name in ("id", "scope", "target", "action", "reason", "principal", "path")}
    )
    print_note("`quarterdeck resume --reason ...` lets the desk go on; what was pending will be voided, not sent")


def halts(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that were released.")] = False,
    keep: Annotated[str | None, typer.Option(metavar="HALT", help="Make a control's halt permanent.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is kept; goes into the ledger.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the halts in force: what each stops, who engaged it, and when it ends by itself."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        if keep is not None:
            desk.post(f"/halts/{keep}/keep", {"reason": reason})
        answer = desk.get("/halts", {"all": every})
    if call.as_json:
        print_json(answer)
        return
    shown = (
        "id", "scope", "target", "action", "source", "principal", "reason", "ends_index", "carried_out", "detail",
        "released_by",
    )  # fmt: skip
    print_table("halts", shown, [[item.get(name) for name in shown] for item in answer["items"]])


def resume(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    halt_id: Annotated[str | None, typer.Option("--halt", metavar="ID", help="Only this halt; default: all.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release one halt or all; what it held is voided and must be proposed again."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    with open_desk(call) as desk:
        answer = desk.post(f"/halts/{halt_id}/release" if halt_id else "/halts/release", {"reason": reason})
    if call.as_json:
        print_json(answer)
        return
    print_fields(
        "released",
        {
            "halts": len(answer["released"]), "cases voided": len(answer["voided_cases"]),
            "waiting for another person": len(answer["waiting"]),
        },
    )  # fmt: skip


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
    return {**row.model_dump(mode="json"), "path": "store"}


def _by_file(settings: Settings, wish: dict[str, Any], why: str) -> dict[str, Any]:
    """The last resort: a file that every process of the desk reads as a firm-wide halt."""
    from pipeline.home import Home

    file = Home(settings.home).halt_file
    file.write_text(f"{wish['action']}: {wish['reason']}\n", encoding="utf-8")
    print_note(f"the store failed ({why}): wrote {file.name} into the home: the firm is halted until it is released")
    return {
        **wish,
        "id": None,
        "scope": "firm",
        "target": None,
        "principal": "local operator",
        "path": "file",
    }
