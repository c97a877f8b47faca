"""The mean of returns whose horizons overlap, and an interval that does not take them for independent.

Views opened within one horizon of each other share market days, and those of one session share the day. The standard
error is that of Driscoll and Kraay (Review of Economics and Statistics, 1998): deviations are summed per opening
session, and the long-run variance of that series is taken by Newey and West (Econometrica, 1987) with Bartlett weights
and a lag of one horizon less one session. Those weights take the very overlap that is there for a third too small, so
the estimate is divided by the share of it that they find where nothing but overlap joins the returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple


class Observation(NamedTuple):
    """One return (a fraction) and the index of the session that its view was opened in."""

    opened_index: int
    value: float


class Interval(NamedTuple):
    """Mean and interval (fractions). `effective` is the number of independent returns that would be as informative."""

    mean: float
    low: float
    high: float
    effective: float


def blocks_of(opened: Sequence[int], horizon: int) -> int:
    """How many horizons that do not overlap hold an opening, counted greedily from the first."""
    count, free_from = 0, None
    for index in sorted(opened):
        if free_from is None or index >= free_from:
            count, free_from = count + 1, index + horizon
    return count


def interval_of(seen: Sequence[Observation], horizon: int, alpha: float) -> Interval:
    """Mean -/+ t(1 - alpha/2, v) * se with v = 1.5 b - 1, where b is the number of horizons that do not overlap.

    1.5 b are the equivalent degrees of freedom of Bartlett weights over one horizon (Lazarus, Lewis, Stock and Watson,
    Journal of Business and Economic Statistics, 2018). The variance of the mean is the larger of s^2/n, which
    independent returns would have, and n^-2 * G/(G-1) * [ sum u_g^2 + 2 sum_l w_l sum u_g u_(g-l) ] with u_g the sum of
    deviations of opening session g, w_l = 1 - l/(L+1), l in sessions up to L = horizon - 1, and G the number of opening
    sessions, divided by `found_share`. Overlap can widen the interval and never narrow it; a single horizon counts as
    one return. ValueError for fewer than two returns.
    """
    if len(seen) < 2:
        raise ValueError(f"an interval takes two returns or more, not {len(seen)}")
    from scipy.stats import t

    values = [item.value for item in seen]
    size, mean, spread = len(values), fmean(values), stdev(values)
    plain = spread**2 / size
    sums: dict[int, float] = {}
    for item in seen:
        sums[item.opened_index] = sums.get(item.opened_index, 0.0) + item.value - mean
    groups = len(sums)
    squares = sum(total * weighed for total, weighed in zip(sums.values(), _weighed(sums, horizon), strict=True))
    opened = [item.opened_index for item in seen]
    blocks, share = blocks_of(opened, horizon), found_share(opened, horizon)
    counted = blocks > 1 and share > 0
    variance = max(plain, squares * groups / (groups - 1) / size**2 / share) if counted else spread**2
    freedom = max(1.0, 1.5 * blocks - 1)
    reach = float(t.ppf(1 - alpha / 2, freedom)) * sqrt(variance)
    effective = size * plain / variance if variance > 0 else float(size)
    return Interval(mean=mean, low=mean - reach, high=mean + reach, effective=effective)


def found_share(opened: Sequence[int], horizon: int) -> float:
    """The share of the variance of a mean that the estimate finds on average, in [0, 1].

    Taken for returns of one market whose days are independent: two that open l sessions apart then have a correlation
    of W = 1 - l/horizon, which is also their weight. The variance is 1'W1 and the estimate's mean tr(W M W M), with M
    the matrix that takes the mean away.
    """
    counts = {index: float(count) for index, count in Counter(opened).items()}
    size, rows = len(opened), _weighed(counts, horizon)
    truth = sum(count * row for count, row in zip(counts.values(), rows, strict=True))
    whole = sum(count * row for count, row in zip(counts.values(), _weighed(counts, horizon, 2), strict=True))
    across = sum(count * row**2 for count, row in zip(counts.values(), rows, strict=True))
    return max(0.0, (whole - 2 * across / size + (truth / size) ** 2) / truth)


def _weighed(values: Mapping[int, float], horizon: int, power: int = 1) -> list[float]:
    """For each session the sum of all values within a horizon of it, each times its Bartlett weight."""
    reach = range(1 - horizon, horizon) if horizon > 1 else range(1)
    weights = [(lag, (1 - abs(lag) / max(1, horizon)) ** power) for lag in reach]
    return [sum(weight * values.get(index + lag, 0.0) for lag, weight in weights) for index in values]
