"""How returns move with the index."""

from __future__ import annotations

import math

import numpy as np

from tools.risk.measures.returns import refuse
from tools.risk.measures.types import Array, History, NotEnough, Relation, figure

SESSIONS = 30


def relation(returns: Array, index: Array) -> Relation | NotEnough:
    """Beta and correlation of returns (T,) against the index's (T,).

    beta = cov(r, m) / var(m), rho = cov(r, m) / (s_r s_m), sample moments (ddof 1) (Sharpe 1964).
    """
    refused = refuse(np.column_stack((returns, index)), SESSIONS, "beta")
    if refused is not None:
        return refused
    covariance = np.cov(returns, index)
    spread = math.sqrt(covariance[0, 0] * covariance[1, 1])
    if covariance[1, 1] == 0:
        return NotEnough(needed=SESSIONS, available=0, message="beta needs an index that moved; it did not")
    correlation = float(np.clip(covariance[0, 1] / spread, -1, 1)) if spread > 0 else None
    return Relation(
        beta=figure(covariance[0, 1] / covariance[1, 1]),
        correlation=None if correlation is None else figure(correlation), window_sessions=len(returns),
    )  # fmt: skip


def betas(history: History) -> dict[str, float]:
    """Beta of every symbol with a whole history of enough sessions; one without is left out."""
    if refuse(history.index, SESSIONS, "beta") is not None or not np.ptp(history.index):
        return {}
    whole = np.isfinite(history.returns.sum(axis=0))
    centred = history.index - history.index.mean()
    with np.errstate(invalid="ignore"):
        slopes = centred @ history.returns / (centred @ centred)
    return {symbol: figure(slope) for symbol, slope, sound in zip(history.symbols, slopes, whole, strict=True) if sound}
