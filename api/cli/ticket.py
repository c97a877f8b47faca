"""ticket: propose an order by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json
from tools.errors import ToolRejected

SESSIONS = 5


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("ticket")(ticket)


def ticket(
    ctx: typer.Context,
    side: Annotated[Literal["buy", "sell"], typer.Argument()],
    quantity: Annotated[int, typer.Argument(min=1, help="Whole shares.")],
    symbol: Annotated[str, typer.Argument()],
    reason: Annotated[str, typer.Option(help="Why; it is part of the proposal and goes to the ledger.")],
    limit: Annotated[
        str | None, typer.Option(help="The open may not be beyond this price.", show_default=False)
    ] = None,
    stop: Annotated[str | None, typer.Option(help="Protective stop of an entry.", show_default=False)] = None,
    algorithm: Annotated[
        Literal["twap", "vwap"] | None,
        typer.Option(help="Work it over several sessions, one child at each open.", show_default=False),
    ] = None,
    over: Annotated[
        int | None, typer.Option(min=2, max=20, help="Sessions to work it over; 5.", show_default=False)
    ] = None,
    participation: Annotated[
        str | None, typer.Option(help="The most of a session's expected volume that is ours; 0.05.", show_default=False)
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a hedge or an exit, e.g. `ticket sell 100 IBM --reason ...`. It becomes a case like any other.

    `--algorithm twap --over 5` works it: one child at each of the next five opens, each checked anew and stoppable with
    `orders stop`.
    """
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    wish = {
        "side": side, "quantity": quantity, "symbol": symbol.upper(), "reason": reason, "limit_price": limit,
        "stop_price": stop, "working": _working(algorithm, over, participation),
    }  # fmt: skip
    with open_desk(call) as desk:
        found = desk.post("/tickets", {name: value for name, value in wish.items() if value is not None})
    if call.as_json:
        print_json(found)
        return
    print_fields(
        "proposed", {"case": found["case_id"], "kind": found["kind"], "risk": found["risk_effect"],
                     "next": "the desk checks it and asks, or releases it, by the policy"}
    )  # fmt: skip


def _working(algorithm: str | None, over: int | None, participation: str | None) -> dict[str, Any] | None:
    if algorithm is None:
        if over is not None or participation is not None:
            raise ToolRejected("--over and --participation need --algorithm twap or vwap", code="invalid")
        return None
    share = {} if participation is None else {"participation": participation}
    return {"algorithm": algorithm, "sessions": over or SESSIONS, **share}
