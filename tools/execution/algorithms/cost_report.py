"""What an execution cost against arrival and against the market's own average, per child and in all.

Implementation shortfall after Perold (1988): the paper portfolio trades the whole parent at the arrival price at once;
the shortfall is what the real one lost against it, by price, by fees, and by what was left undone. Positive is a cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from pydantic import Field

from tools.execution.algorithms.types import Parent
from tools.execution.types import Fill
from tools.types import Frozen

AVERAGE_STEP = Decimal("0.000001")
BPS_STEP = Decimal("0.01")
TEN_THOUSAND = Decimal(10_000)


class Print(Frozen):
    """Market volume at a price: a trade, or a bar at its typical price (high + low + close) / 3."""

    price: Decimal = Field(gt=0)
    volume: int = Field(ge=0)


class ChildCost(Frozen):
    """Cost of one child. Money in account currency, positive is a cost; bps of the child's quantity at arrival."""

    number: int
    quantity: int
    average_price: Decimal
    price_cost: Decimal
    fees: Decimal
    shortfall_bps: Decimal
    window_vwap: Decimal | None = None
    vwap_bps: Decimal | None = None


class CostReport(Frozen):
    """Cost of a parent. `shortfall` = `price_cost` + `fees` + `opportunity_cost`; bps of the parent at arrival.

    `arrival_bps` compares the average price with the arrival price, without fees and without what was left undone;
    `vwap_bps` compares it with the interval VWAP. None where nothing was filled or nothing traded.
    """

    parent_id: str
    quantity: int
    filled: int
    arrival_price: Decimal
    average_price: Decimal | None
    arrival_bps: Decimal | None
    interval_vwap: Decimal | None
    vwap_bps: Decimal | None
    price_cost: Decimal
    fees: Decimal
    opportunity_cost: Decimal
    shortfall: Decimal
    shortfall_bps: Decimal
    children: tuple[ChildCost, ...]


def vwap(prints: Iterable[Print]) -> Decimal | None:
    """Volume-weighted average price to 1e-6; None where nothing traded."""
    rows = list(prints)
    volume = sum(row.volume for row in rows)
    if volume == 0:
        return None
    return (sum((row.price * row.volume for row in rows), Decimal(0)) / volume).quantize(AVERAGE_STEP)


def cost_report(
    parent: Parent,
    arrival_price: Decimal,
    end_price: Decimal,
    fills: Mapping[int, Sequence[Fill]],
    market: Mapping[int, Sequence[Print]],
) -> CostReport:
    """Report the cost of `fills` by child number against `market` volume by child number.

    `arrival_price` is the price when the parent was decided, `end_price` the one at which the rest would be done now.
    Raises ValueError for a fill of another symbol or side.
    """
    sign = 1 if parent.side == "buy" else -1
    children = []
    for number, done in sorted(fills.items()):
        for fill in done:
            if (fill.symbol, fill.side) != (parent.symbol, parent.side):
                raise ValueError(
                    f"fill {fill.execution_id} is a {fill.side} of {fill.symbol}, not of {parent.parent_id}"
                )
        if quantity := sum(fill.quantity for fill in done):
            children.append(_child(number, quantity, done, sign, arrival_price, vwap(market.get(number, ()))))
    filled = sum(child.quantity for child in children)
    price_cost = sum((child.price_cost for child in children), Decimal(0))
    fees = sum((child.fees for child in children), Decimal(0))
    opportunity = sign * (end_price - arrival_price) * max(0, parent.quantity - filled)
    shortfall = price_cost + fees + opportunity
    average = (arrival_price + sign * price_cost / filled).quantize(AVERAGE_STEP) if filled else None
    interval = vwap(row for rows in market.values() for row in rows)
    return CostReport(
        parent_id=parent.parent_id, quantity=parent.quantity, filled=filled, arrival_price=arrival_price,
        average_price=average, arrival_bps=_against(average, arrival_price, sign), interval_vwap=interval,
        vwap_bps=_against(average, interval, sign), price_cost=price_cost, fees=fees,
        opportunity_cost=opportunity, shortfall=shortfall,
        shortfall_bps=_bps(shortfall, arrival_price * parent.quantity), children=tuple(children),
    )  # fmt: skip


def _child(
    number: int, quantity: int, done: Sequence[Fill], sign: int, arrival: Decimal, window: Decimal | None
) -> ChildCost:
    spent = sum((fill.price * fill.quantity for fill in done), Decimal(0))
    price_cost = sign * (spent - arrival * quantity)
    fees = sum((fill.commission for fill in done), Decimal(0))
    average = (spent / quantity).quantize(AVERAGE_STEP)
    return ChildCost(
        number=number, quantity=quantity, average_price=average, price_cost=price_cost, fees=fees,
        shortfall_bps=_bps(price_cost + fees, arrival * quantity), window_vwap=window,
        vwap_bps=_against(average, window, sign),
    )  # fmt: skip


def _against(average: Decimal | None, benchmark: Decimal | None, sign: int) -> Decimal | None:
    return None if average is None or benchmark is None else _bps(sign * (average - benchmark), benchmark)


def _bps(cost: Decimal, notional: Decimal) -> Decimal:
    return (cost / notional * TEN_THOUSAND).quantize(BPS_STEP)
