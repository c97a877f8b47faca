"""ticket: propose an order by hand."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from api.cli.options import Call, HomeOption, JsonOption
from api.cli.output import print_fields, print_json


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
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a hedge or an exit, e.g. `ticket sell 100 IBM --reason ...`. It becomes a case like any other."""
    from api.cli.desk import open_desk

    call = Call.of(ctx, home, as_json)
    wish = {
        "side": side, "quantity": quantity, "symbol": symbol.upper(), "reason": reason, "limit_price": limit,
        "stop_price": stop,
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
