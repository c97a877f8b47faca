"""The exits of a bracket: what they ask for, and how large they are. Pure.

They appear when the entry fills, for as many shares as it filled, with the entry's time in force, and only reduce. A
share that one exit sells is gone from the other, which is cancelled with its last share; the entry's remainder goes
with the exits that took all it had filled. Cancelling one exit leaves the other.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from tools.execution.types import Bracket, OrderRequest
from tools.types import Side

ExitName = Literal["stop_loss", "take_profit"]
EXITS: tuple[ExitName, ...] = ("stop_loss", "take_profit")
"""In the order of acceptance: a bar that reaches both meets the stop first."""


class Exit(NamedTuple):
    """Which exit of a bracket, and the client order id that the venue gives it."""

    name: ExitName
    client_order_id: str


def exit_request(entry: OrderRequest, bracket: Bracket, leg: Exit, quantity: int) -> OrderRequest | None:
    """The order of one exit, None where the bracket has none of that name."""
    side: Side = "sell" if entry.side == "buy" else "buy"
    if leg.name == "take_profit":
        limit, stop = bracket.take_profit, None
    else:
        limit, stop = bracket.stop_loss_limit, bracket.stop_loss
    if limit is None and stop is None:
        return None
    kind = "limit" if stop is None else "stop" if limit is None else "stop_limit"
    return OrderRequest.model_validate(
        {
            "client_order_id": leg.client_order_id, "symbol": entry.symbol, "side": side, "quantity": quantity,
            "order_type": kind, "time_in_force": entry.time_in_force, "limit_price": limit, "stop_price": stop,
            "reduce_only": True,
        }
    )  # fmt: skip


def on_new_basis(bracket: Bracket, ratio: Decimal, cash: Decimal, step: Decimal) -> Bracket:
    """The prices of a bracket after a corporate action: `(price - cash) / ratio`, at least one step."""
    moved = {
        name: None if price is None else max(step, ((price - cash) / ratio).quantize(step)) for name, price in bracket
    }
    return Bracket.model_validate(moved)
