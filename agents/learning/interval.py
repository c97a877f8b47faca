"""The mean of returns whose horizons overlap, and an interval that does not take them for independent.

Views opened within one horizon of each other share market days, and those of one session share the day. The standard
error is that of Driscoll and Kraay (Review of Economics and Statistics, 1998): deviations are summed per opening
session, and the long-run variance of that series is taken by Newey and West (Econometrica, 1987) with Bartlett weights
and a lag of one horizon less one session.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    sessions. Overlap can widen the interval and never narrow it; a single horizon counts as one return. ValueError for
    fewer than two returns.
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
    squares = sum(
        (1.0 if lag == 0 else 2.0 * (1 - lag / horizon))
        * sum(total * sums.get(index - lag, 0.0) for index, total in sums.items())
        for lag in range(max(1, horizon))
    )
    clustered = squares * groups / (groups - 1) / size**2 if groups > 1 else 0.0
    blocks = blocks_of([item.opened_index for item in seen], horizon)
    variance = max(plain, clustered) if blocks > 1 else spread**2
    freedom = max(1.0, 1.5 * blocks - 1)
    reach = float(t.ppf(1 - alpha / 2, freedom)) * sqrt(variance)
    effective = size * plain / variance if variance > 0 else float(size)
    return Interval(mean=mean, low=mean - reach, high=mean + reach, effective=effective)
