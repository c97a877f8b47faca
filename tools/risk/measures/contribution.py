"""Whose risk it is: Euler contributions of holdings to volatility and to parametric VaR."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from tools.risk.measures.returns import refuse
from tools.risk.measures.types import (
    TRADING_DAYS,
    Book,
    Contribution,
    Contributions,
    Convention,
    History,
    NotEnough,
    figure,
)
from tools.risk.measures.var import CONFIDENCE, NORMAL_SESSIONS


def contributions(book: Book, history: History, *, confidence: float = CONFIDENCE) -> Contributions | NotEnough:
    """Split the book's volatility and one-session normal VaR over its holdings.

    With weights w (N,), sample covariance C (N, N), mean m (N,) and s = sqrt(w'Cw): marginal volatility = C w / s,
    marginal VaR = z C w / s - m, component = weight times marginal. Both wholes are homogeneous of degree one in w, so
    the components sum to them (Euler; Tasche 1999). Volatility is annualised, VaR is for one session.
    """
    symbols = [item.symbol for item in book.holdings]
    found = history.of(symbols)
    if isinstance(found, NotEnough):
        return found
    refused = refuse(found, NORMAL_SESSIONS, "contributions to risk")
    if refused is not None:
        return refused
    weights = np.array([book.weight(item) for item in book.holdings], dtype=np.float64)
    z = float(stats.norm.ppf(confidence))
    pulled = np.zeros(0)
    mean = np.zeros(0)
    spread = 0.0
    if symbols:
        pulled = np.atleast_2d(np.cov(found, rowvar=False)) @ weights
        mean = found.mean(axis=0)
        spread = math.sqrt(max(0.0, float(weights @ pulled)))
    slope = pulled / spread if spread > 0 else np.zeros(len(symbols))
    annual = math.sqrt(TRADING_DAYS)
    tail = z * slope - mean
    return Contributions(
        volatility=figure(spread * annual), var=figure(float(weights @ tail)),
        convention=Convention(
            method="normal", confidence=confidence, horizon_sessions=1, quantile="standard normal", scaling="none",
            window_sessions=len(found),
        ),
        items=tuple(
            Contribution(
                symbol=symbol, weight=figure(weight), marginal_volatility=figure(own * annual),
                component_volatility=figure(weight * own * annual), marginal_var=figure(loss),
                component_var=figure(weight * loss),
                share_of_volatility=figure(weight * own / spread) if spread > 0 else None,
            )
            for symbol, weight, own, loss in zip(symbols, weights, slope, tail, strict=True)
        ),
    )  # fmt: skip
