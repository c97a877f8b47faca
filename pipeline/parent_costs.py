"""What a worked order cost so far: its fills against the arrival price and the market's average of the interval.

The arrival price is the opening price at which the case was submitted. A desk of daily sessions knows no trades within
a session: the interval VWAP is made of daily bars, each session's volume at its typical price (high + low + close) / 3,
from the first window of the plan to that of the last child. What is left undone is counted at the last close of the
plan that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from memory.tables import RunRow
from tools.data.types import Bar, MarketData
from tools.errors import DataError
from tools.execution.algorithms.cost_report import CostReport, Print, cost_report
from tools.execution.algorithms.types import Plan
from tools.execution.types import Fill

INTERVAL: Final = "daily bars, each session's volume at (high + low + close) / 3; no prices within a session are known"
MARKED = ("marked", "settled", "closed")
PRICE_STEP = Decimal("0.000001")


def closed_sessions(run: RunRow) -> int:
    """How many sessions of its market the run has seen the close of."""
    return run.session_index + (1 if run.stage in MARKED else 0)


def cost_of(market: MarketData, run: RunRow, plan: Plan, fills: Mapping[int, Sequence[Fill]]) -> CostReport | None:
    """The cost of `fills` by slice number; None without a fill, or where no price was known at arrival.

    DataError `prices_not_alike` where a split or a distribution lies between arrival and what is compared with it.
    """
    arrival = plan.arrival_price
    if arrival is None or not any(fills.values()):
        return None
    last = max(number for number, done in fills.items() if done)
    undone = sum(fill.quantity for done in fills.values() for fill in done) < plan.parent.quantity
    known = frozenset(market.sessions[: closed_sessions(run)])
    bars: dict[int, Bar] = {}
    for item in plan.slices:
        day = item.window.session
        if item.number and (item.number <= last or (undone and day in known)):
            _require_alike(market, plan.parent.symbol, day)
        if day in known:
            found = market.bars(day, market.tick(day, "close").as_of).get(plan.parent.symbol)
            bars |= {} if found is None else {item.number: found}
    return cost_report(
        plan.parent, arrival, bars[max(bars)].close if bars else arrival, fills,
        {number: (_typical(bar),) for number, bar in bars.items() if number <= last},
    )  # fmt: skip


def _require_alike(market: MarketData, symbol: str, day: date) -> None:
    for action in market.corporate_actions(day, market.tick(day, "open").as_of):
        if action.symbol == symbol:
            raise DataError(
                f"a {action.kind} of {symbol} on {day} lies within the plan: prices and shares before it and after it "
                "are not alike, compare them by hand",
                code="prices_not_alike",
            )


def _typical(bar: Bar) -> Print:
    return Print(price=((bar.high + bar.low + bar.close) / 3).quantize(PRICE_STEP), volume=bar.volume)
