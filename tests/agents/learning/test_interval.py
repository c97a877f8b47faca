"""The interval of a mean whose returns overlap, held against a plain reference and against Student's."""

from __future__ import annotations

from math import sqrt
from random import Random
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from agents.learning.interval import Observation, blocks_of, found_share, interval_of


def driscoll_kraay(seen: list[Observation], horizon: int) -> float:
    """Variance of the mean by the definition: weighted products of all pairs of returns, with the G/(G-1) factor, over
    the share of it that is found of returns whose correlations are the weights."""
    at = np.array([item.opened_index for item in seen])
    moved = np.array([item.value for item in seen])
    moved -= moved.mean()
    apart = np.abs(at[:, None] - at[None, :])
    weights = np.where(apart < horizon, 1 - apart / horizon, 0.0)
    groups = len(set(at.tolist()))
    centred = np.eye(len(seen)) - 1 / len(seen)
    share = np.trace(weights @ centred @ weights @ centred) / weights.sum()
    return float(moved @ weights @ moved) / len(seen) ** 2 * groups / (groups - 1) / float(share)


def walk(seed: int, sessions: int, horizon: int, each: int) -> list[Observation]:
    """Views whose returns are sums of the same daily moves over overlapping horizons."""
    dice = Random(seed)
    days = [dice.gauss(0, 0.01) for _ in range(sessions + horizon)]
    opened = [at for at in range(sessions) for _ in range(each)]
    return [Observation(at, sum(days[at : at + horizon]) + dice.gauss(0, 0.01)) for at in opened]


@pytest.mark.parametrize(("horizon", "each"), [(1, 2), (5, 1), (20, 3)])
def test_the_variance_is_that_of_driscoll_and_kraay(horizon: int, each: int) -> None:
    seen = walk(7, 80, horizon, each)
    found = interval_of(seen, horizon, 0.05)
    values = [item.value for item in seen]
    variance = max(driscoll_kraay(seen, horizon), stdev(values) ** 2 / len(values))
    freedom = 1.5 * (80 / horizon) - 1
    assert found.mean == pytest.approx(fmean(values))
    assert found.high - found.mean == pytest.approx(float(t.ppf(0.975, freedom)) * sqrt(variance))
    assert found.effective == pytest.approx(stdev(values) ** 2 / variance)


def test_overlapping_returns_say_much_less_than_their_number() -> None:
    seen = walk(3, 200, 20, 5)
    found = interval_of(seen, 20, 0.05)
    naive = 1.96 * stdev([item.value for item in seen]) / sqrt(len(seen))
    assert found.effective < len(seen) / 20
    assert found.high - found.low > 6 * naive


@pytest.mark.parametrize(("horizon", "sessions", "alpha", "most"), [(20, 180, 0.10, 0.16), (10, 240, 0.05, 0.08)])
def test_an_honest_interval_holds_the_truth_about_as_often_as_it_says(
    horizon: int, sessions: int, alpha: float, most: float
) -> None:
    """The mean of every walk is zero; what is allowed above `alpha` is what few horizons cost."""
    walks = 300
    found = (interval_of(walk(seed, sessions, horizon, 1), horizon, alpha) for seed in range(walks))
    assert sum(not (item.low <= 0 <= item.high) for item in found) <= most * walks


def test_the_share_that_is_found_is_all_without_overlap_and_two_thirds_of_long_overlap() -> None:
    assert found_share(list(range(0, 2000, 20)), 20) == pytest.approx(1, abs=0.02)
    assert found_share(list(range(4000)), 20) == pytest.approx(2 / 3, abs=0.02)
    assert found_share([5, 5, 5], 20) == 0


def test_blocks_are_horizons_that_do_not_overlap() -> None:
    assert blocks_of([], 20) == 0
    assert blocks_of([5, 5, 5], 20) == 1
    assert blocks_of([0, 19, 20, 39, 40], 20) == 3
    assert blocks_of([40, 0, 20], 20) == 3


def test_one_return_has_no_interval() -> None:
    with pytest.raises(ValueError, match="two returns or more"):
        interval_of([Observation(0, 0.1)], 5, 0.05)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(-0.5, 0.5)), min_size=2, max_size=40), st.integers(1, 20),
    st.sampled_from([0.05, 0.01, 0.001]),
)  # fmt: skip
def test_the_interval_is_never_narrower_than_independence_and_widens_with_the_scopes(
    raw: list[tuple[int, float]], horizon: int, alpha: float
) -> None:
    seen = [Observation(at, value) for at, value in raw]
    found = interval_of(seen, horizon, alpha)
    values = [item.value for item in seen]
    freedom = max(1.0, 1.5 * blocks_of([at for at, _ in raw], horizon) - 1)
    independent = float(t.ppf(1 - alpha / 2, freedom)) * stdev(values) / sqrt(len(values))
    assert found.high - found.mean >= independent * (1 - 1e-9) - 1e-12
    assert 0 < found.effective <= len(values) * (1 + 1e-9)
    stricter = interval_of(seen, horizon, alpha / 10)
    assert stricter.low <= found.low + 1e-12
