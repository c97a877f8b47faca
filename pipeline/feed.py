"""Which market feed a run uses. No broker is reached from here, so a web route may read it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import MarketData


def open_market(symbols: Sequence[str] | None) -> MarketData:
    """The embedded market over the chosen names; None is every complete name."""
    return EmbeddedMarket(symbols)


@lru_cache(maxsize=2)
def shared_market(symbols: tuple[str, ...] | None) -> MarketData:
    """The same for readers that come again and again: immutable, so one a process will do."""
    return open_market(symbols)
