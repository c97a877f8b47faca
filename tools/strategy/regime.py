"""The regime of the market, from the closes of its index that were known: a plain label, never a forecast.

Two questions with two answers each: does the index stand above its average of `TREND` closes, and was its volatility
over the last `VOLATILITY` sessions above `TURBULENT`. Both look back only, so the label of a session never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

TREND: Final = 50
VOLATILITY: Final = 20
TURBULENT: Final = 0.2
"""Annualised volatility, near the long-run average of the S&P 500's implied one."""
SESSIONS_A_YEAR: Final = 252
REGIMES: Final = ("calm_rising", "calm_falling", "turbulent_rising", "turbulent_falling")


def regime_of(closes: Sequence[float]) -> str:
    """One of `REGIMES` from index closes, oldest first; "" when fewer than TREND are known or one is no price.

    Volatility is the sample standard deviation of log returns times the square root of 252.
    """
    known = np.asarray(closes[-TREND:], dtype=np.float64)
    if len(known) < TREND or not np.isfinite(known).all() or (known <= 0).any():
        return ""
    returns = np.diff(np.log(known[-VOLATILITY - 1 :]))
    volatility = float(np.std(returns, ddof=1)) * SESSIONS_A_YEAR**0.5
    mood = "turbulent" if volatility > TURBULENT else "calm"
    return f"{mood}_{'rising' if known[-1] > known.mean() else 'falling'}"
