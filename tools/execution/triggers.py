"""Where in a bar an order that waits for its price meets it. Pure: prices in, a touch out.

A bar tells its four prices and not their order; each rule takes an order that does not favour the trader:
- A trailing sell meets open, low, high, close, a trailing buy open, high, low, close: a bar's low is held against the
  level from before the bar's high. The level only moves with the price, rounded away from it to 0.01, and starts at
  the first open that the order rests through.
- A stop-limit whose trigger price satisfies its limit fills there. If not, it rests as a limit order: through the
  whole bar when the open triggered it, and else until the close, the one price that is sure to come later.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from tools.data.types import Bar
from tools.types import Side

CENT = Decimal("0.01")


class Touch(NamedTuple):
    """The price an order meets (None: not in this bar), whether it is triggered now, and its stop after the bar."""

    reference: Decimal | None
    triggered: bool = False
    stop_price: Decimal | None = None


def satisfies(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Whether a price is as good as a limit, or better."""
    return price <= limit if side == "buy" else price >= limit


def limited(side: Side, limit: Decimal, bar: Bar) -> Decimal | None:
    """The better of open and limit, where the bar reaches the limit."""
    if side == "sell":
        return max(bar.open, limit) if bar.high >= limit else None
    return min(bar.open, limit) if bar.low <= limit else None


def stopped(side: Side, stop: Decimal, bar: Bar) -> Decimal | None:
    """The worse of open and stop, where the bar reaches the stop."""
    if side == "sell":
        return min(bar.open, stop) if bar.low <= stop else None
    return max(bar.open, stop) if bar.high >= stop else None


def stop_limited(side: Side, stop: Decimal, limit: Decimal, bar: Bar) -> Touch:
    """Trigger as a stop, then wait as a limit for what is sure to come later."""
    trigger = stopped(side, stop, bar)
    if trigger is None:
        return Touch(None, stop_price=stop)
    if satisfies(side, trigger, limit):
        return Touch(trigger, True, stop)
    at_open = satisfies(side, stop, bar.open)
    best = bar.close if not at_open else bar.high if side == "sell" else bar.low
    return Touch(limit if satisfies(side, best, limit) else None, True, stop)


def trailed(
    side: Side, level: Decimal | None, bar: Bar, *, trail_price: Decimal | None, trail_percent: Decimal | None
) -> Touch:
    """Walk the bar with a level that follows the price; a gap through the level at the open fills at the open."""
    path = (bar.open, bar.low, bar.high, bar.close) if side == "sell" else (bar.open, bar.high, bar.low, bar.close)
    for number, price in enumerate(path):
        if level is not None and satisfies(side, level, price):
            return Touch(price if number == 0 else level, True, level)
        behind = price * trail_percent / 100 if trail_percent is not None else trail_price or Decimal(0)
        moved = _behind(side, price, behind)
        level = moved if level is None else max(level, moved) if side == "sell" else min(level, moved)
    return Touch(None, stop_price=level)


def _behind(side: Side, price: Decimal, distance: Decimal) -> Decimal:
    if side == "sell":
        return max(CENT, (price - distance).quantize(CENT, ROUND_FLOOR))
    return (price + distance).quantize(CENT, ROUND_CEILING)
