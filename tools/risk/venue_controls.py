"""Controls on the moment and the venue: sessions, hours, pauses, clocks."""

from __future__ import annotations

from decimal import Decimal

from tools.risk.control import Situation, at_most, flag
from tools.risk.types import Check


def _not(known: bool | None) -> bool | None:
    return None if known is None else not known


def trading_day(situation: Situation) -> Check:
    closed = _not(situation.market.trading_day)
    return flag("trading_day", closed, "the exchange has no session on this day", "the exchange has a session")


def trading_hours(situation: Situation) -> Check:
    """From the opening moment of the session to its closing moment, both included; early closes count."""
    outside = _not(situation.market.in_hours)
    return flag("trading_hours", outside, "outside the hours of the session", "within the hours of the session")


def volatility_pause(situation: Situation) -> Check:
    paused = situation.market.volatility_paused
    return flag("volatility_pause", paused, "the symbol is in a volatility pause", "no volatility pause")


def clock_skew(situation: Situation) -> Check:
    """The desk's clock against that of the data or the venue, whichever is ahead."""
    skew = situation.market.clock_skew_seconds
    value = None if skew is None else abs(Decimal(repr(float(skew))))
    return at_most("clock_skew", value, Decimal(situation.limits.max_clock_skew_seconds), "seconds")
