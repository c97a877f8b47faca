"""Annualised volatility of a series of returns."""

from __future__ import annotations

import math

import numpy as np

from tools.risk.measures.returns import refuse
from tools.risk.measures.types import TRADING_DAYS, Array, NotEnough, Volatility, figure

DECAY = 0.94
"""Lambda of RiskMetrics for daily data (J.P. Morgan, RiskMetrics Technical Document, 1996)."""

SESSIONS = 20


def ewma(returns: Array, *, decay: float = DECAY) -> Volatility | NotEnough:
    """Exponentially weighted volatility of returns (T,), newest last, with mean zero.

    s^2 = sum_i lambda^i r[T-1-i]^2 / sum_i lambda^i, annualised by sqrt(252); the finite sum of weights makes the
    first sessions count fully.
    """
    refused = refuse(returns, SESSIONS, "EWMA volatility")
    if refused is not None:
        return refused
    weights = decay ** np.arange(len(returns))[::-1]
    variance = float(np.average(returns**2, weights=weights))
    return Volatility(
        value=figure(math.sqrt(variance * TRADING_DAYS)), method="ewma", decay=decay, window_sessions=len(returns)
    )


def realised(returns: Array) -> Volatility | NotEnough:
    """Sample standard deviation (ddof 1) of returns (T,), annualised by sqrt(252)."""
    refused = refuse(returns, SESSIONS, "realised volatility")
    if refused is not None:
        return refused
    value = float(returns.std(ddof=1)) * math.sqrt(TRADING_DAYS)
    return Volatility(value=figure(value), method="realised", window_sessions=len(returns))
