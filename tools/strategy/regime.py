"""The regime of the market: whether the index stands above its own average."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final, Literal

Regime = Literal["rising", "falling"]
WINDOW: Final = 50
"""Sessions of the index that a regime is read from."""


def index_regime(closes: Sequence[float]) -> Regime | None:
    """Rising when the last close is at or above the mean of the last 50, else falling; None for fewer than 50."""
    if len(closes) < WINDOW:
        return None
    return "rising" if closes[-1] >= fmean(closes[-WINDOW:]) else "falling"
