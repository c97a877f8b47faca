"""Value at risk and expected shortfall of a series of returns, by three methods whose conventions are named.

Losses are positive. `horizon` h > 1 scales by the square root of time: the dispersion by sqrt(h), the mean by h.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from tools.risk.measures.returns import refuse
from tools.risk.measures.types import Array, Convention, NotEnough, TailRisk, figure

CONFIDENCE = 0.95
NORMAL_SESSIONS = 30
CORNISH_FISHER_SESSIONS = 60
"""A fourth moment of fewer sessions says little."""

FARTHEST = -6.0
"""Standard deviations beyond which a normal tail weighs nothing (one in a billion)."""


def sessions_needed(confidence: float) -> int:
    """Sessions that leave at least two losses beyond the historical quantile: 40 at 95 %, 200 at 99 %."""
    return math.ceil(round(2 / (1 - confidence), 9))


def historical(returns: Array, *, confidence: float = CONFIDENCE, horizon: int = 1) -> TailRisk | NotEnough:
    """Historical VaR and CVaR of returns (T,), as fractions.

    With k = (1 - confidence) T and returns sorted ascending, VaR = -r[ceil(k) - 1] (empirical quantile, inverted CDF,
    type 1 of Hyndman and Fan 1996) and CVaR = -(sum_{i < ceil(k)-1} r[i] + (k - ceil(k) + 1) r[ceil(k) - 1]) / k, the
    coherent tail mean (Acerbi and Tasche 2002; Rockafellar and Uryasev 2002).
    """
    refused = refuse(returns, sessions_needed(confidence), "historical VaR")
    if refused is not None:
        return refused
    ordered = np.sort(returns)
    count = round(len(ordered) * (1 - confidence), 9)
    last = max(0, math.ceil(count) - 1)
    var = -ordered[last]
    cvar = -(ordered[:last].sum() + (count - last) * ordered[last]) / count
    scale = math.sqrt(horizon)
    return _tail("historical", "inverted CDF of the sample", returns, confidence, horizon, scale * var, scale * cvar)


def normal(returns: Array, *, confidence: float = CONFIDENCE, horizon: int = 1) -> TailRisk | NotEnough:
    """Parametric VaR and CVaR of returns (T,) under a normal distribution.

    VaR = z s sqrt(h) - m h and CVaR = s sqrt(h) phi(z) / (1 - confidence) - m h with z the standard normal quantile,
    m the mean and s the sample deviation (ddof 1) (McNeil, Frey and Embrechts 2015, 2.3.4).
    """
    refused = refuse(returns, NORMAL_SESSIONS, "parametric VaR")
    if refused is not None:
        return refused
    mean, spread = float(returns.mean()) * horizon, float(returns.std(ddof=1)) * math.sqrt(horizon)
    z = float(stats.norm.ppf(confidence))
    shortfall = spread * float(stats.norm.pdf(z)) / (1 - confidence) - mean
    return _tail("normal", "standard normal", returns, confidence, horizon, z * spread - mean, shortfall)


def cornish_fisher(returns: Array, *, confidence: float = CONFIDENCE, horizon: int = 1) -> TailRisk | NotEnough:
    """Modified VaR of returns (T,): the normal quantile corrected for skewness S and excess kurtosis K.

    q(z) = z + (z^2 - 1) S/6 + (z^3 - 3z) K/24 - (2z^3 - 5z) S^2/36 at z = the normal quantile of 1 - confidence
    (Favre and Galeano 2002; moments of the population). VaR = -(m + s q). CVaR is the exact mean of q over that tail,
    by the truncated moments of the normal. Where q is not increasing in the tail (Maillard 2012) the expansion means
    nothing and the answer is `NotEnough`.
    """
    refused = refuse(returns, CORNISH_FISHER_SESSIONS, "Cornish-Fisher VaR")
    if refused is not None:
        return refused
    mean, spread = float(returns.mean()) * horizon, float(returns.std(ddof=1)) * math.sqrt(horizon)
    skew = kurtosis = 0.0
    if np.ptp(returns) > 0:
        skew, kurtosis = float(stats.skew(returns)), float(stats.kurtosis(returns))
    alpha = 1 - confidence
    z = float(stats.norm.ppf(alpha))
    if not _increasing(z, skew, kurtosis):
        return NotEnough(
            needed=CORNISH_FISHER_SESSIONS, available=len(returns),
            message=f"Cornish-Fisher does not hold at skewness {skew:.2f} and excess kurtosis {kurtosis:.2f}",
        )  # fmt: skip
    density = float(stats.norm.pdf(z))
    first, second, third = -density / alpha, 1 - z * density / alpha, -(z * z + 2) * density / alpha
    at_quantile = _corrected(z, z * z, z**3, skew, kurtosis)
    beyond = _corrected(first, second, third, skew, kurtosis)
    return _tail(
        "cornish_fisher", "Cornish-Fisher, fourth order", returns, confidence, horizon, -mean - spread * at_quantile,
        -mean - spread * beyond,
    )  # fmt: skip


def _corrected(first: float, second: float, third: float, skew: float, kurtosis: float) -> float:
    """The expansion on powers of z, or on their means over a tail: it is linear in them."""
    return (
        first
        + (second - 1) * skew / 6
        + (third - 3 * first) * kurtosis / 24
        - (2 * third - 5 * first) * skew * skew / 36
    )


def _increasing(z: float, skew: float, kurtosis: float) -> bool:
    """Whether the expansion rises between `FARTHEST` and z: its slope is a parabola, so three points tell."""
    square, slope, level = (kurtosis / 8 - skew * skew / 6, skew / 3, 1 - kurtosis / 8 + 5 * skew * skew / 36)
    points = [FARTHEST, z]
    if square > 0:
        points.append(min(z, max(FARTHEST, -slope / (2 * square))))
    return all(square * x * x + slope * x + level > 0 for x in points)


def _tail(
    method: str, quantile: str, returns: Array, confidence: float, horizon: int, var: float, cvar: float
) -> TailRisk:
    convention = Convention.model_validate(
        {
            "method": method, "confidence": confidence, "horizon_sessions": horizon, "quantile": quantile,
            "scaling": "none" if horizon == 1 else "square root of time", "window_sessions": len(returns),
        }
    )  # fmt: skip
    return TailRisk(var=figure(var), cvar=figure(cvar), convention=convention)
