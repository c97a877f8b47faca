"""Tails: against hand counts, closed forms and numerical integration; and what holds for any returns."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from tests.tools.risk.measures.books import returns
from tools.risk.measures.types import Array, NotEnough, TailRisk
from tools.risk.measures.var import FARTHEST, _increasing, cornish_fisher, historical, normal, sessions_needed

Method = Callable[..., TailRisk | NotEnough]
METHODS = [historical, normal, cornish_fisher]
RETURNS = arrays(np.float64, st.integers(60, 160), elements=st.floats(-0.25, 0.25, width=32))


def ok(found: TailRisk | NotEnough) -> TailRisk:
    assert isinstance(found, TailRisk), found
    return found


def test_historical_var_is_the_fifth_worst_of_a_hundred() -> None:
    losses = np.arange(1, 101) / 1000
    found = ok(historical(-losses))
    assert found.var == pytest.approx(0.096)
    assert found.cvar == pytest.approx(np.mean([0.100, 0.099, 0.098, 0.097, 0.096]))
    assert found.convention.quantile == "inverted CDF of the sample"


def test_historical_var_is_numpys_inverted_cdf_and_cvar_interpolates_the_last_loss() -> None:
    sample = returns(130, 1)[:, 0]
    found = ok(historical(sample))
    assert found.var == pytest.approx(-np.quantile(sample, 0.05, method="inverted_cdf"), abs=1e-8)
    ordered = np.sort(sample)
    assert found.cvar == pytest.approx(-(ordered[:6].sum() + 0.5 * ordered[6]) / 6.5, abs=1e-8)


def test_normal_tail_is_the_closed_form() -> None:
    sample = returns(130, 1)[:, 0]
    tail = stats.norm(sample.mean(), sample.std(ddof=1))
    found = ok(normal(sample, confidence=0.99))
    assert found.var == pytest.approx(-tail.ppf(0.01), abs=1e-8)
    assert found.cvar == pytest.approx(-tail.expect(ub=tail.ppf(0.01), conditional=True), abs=1e-6)


def test_cornish_fisher_cvar_is_the_mean_of_its_quantiles_beyond_var() -> None:
    sample = returns(200, 1, seed=3)[:, 0]
    s, k = stats.skew(sample), stats.kurtosis(sample)

    def loss(p: float) -> float:
        z = stats.norm.ppf(p)
        q = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
        return float(-(sample.mean() + sample.std(ddof=1) * q))

    found = ok(cornish_fisher(sample))
    assert found.var == pytest.approx(loss(0.05), abs=1e-8)
    assert found.cvar == pytest.approx(integrate.quad(loss, 0, 0.05)[0] / 0.05, abs=1e-6)


def test_without_skew_and_tails_cornish_fisher_is_nearly_normal() -> None:
    sample = stats.norm.ppf((np.arange(2000) + 0.5) / 2000) * 0.01
    assert ok(cornish_fisher(sample)).var == pytest.approx(ok(normal(sample)).var, rel=5e-3)


def test_a_skew_beyond_the_expansion_is_not_given_a_figure() -> None:
    sample = np.full(100, 0.001)
    sample[:2] = -0.2
    found = cornish_fisher(-sample)
    assert isinstance(found, NotEnough)
    assert "Cornish-Fisher does not hold" in found.message


@pytest.mark.parametrize(("method", "needed"), [(historical, 40), (normal, 30), (cornish_fisher, 60)])
@pytest.mark.parametrize("broken", ["empty", "short", "gap"])
def test_what_is_too_short_or_has_gaps_is_not_enough_and_never_zero(method: Method, needed: int, broken: str) -> None:
    sample = returns(needed, 1)[:, 0]
    assert isinstance(method(sample), TailRisk)
    if broken == "gap":
        sample[3] = np.nan
    else:
        sample = sample[: 0 if broken == "empty" else needed - 1]
    found = method(sample)
    assert isinstance(found, NotEnough)
    assert found.needed == needed
    assert found.available < needed


def test_more_confidence_needs_more_history() -> None:
    assert (sessions_needed(0.95), sessions_needed(0.99)) == (40, 200)
    assert isinstance(historical(returns(199, 1)[:, 0], confidence=0.99), NotEnough)


@settings(deadline=None, max_examples=60)
@given(RETURNS)
def test_cvar_is_never_below_var(sample: Array) -> None:
    for method in METHODS:
        found = method(sample)
        if isinstance(found, TailRisk):
            assert found.cvar >= found.var - 1e-8


@settings(deadline=None, max_examples=60)
@given(RETURNS, st.floats(0.1, 3), st.floats(-0.05, 0.05))
def test_tails_scale_with_the_position_and_fall_by_what_is_certain(
    sample: Array, factor: float, certain: float
) -> None:
    for method in (historical, normal):
        plain, moved = ok(method(sample)), ok(method(sample * factor + certain))
        assert moved.var == pytest.approx(plain.var * factor - certain, abs=1e-6)
        assert moved.cvar == pytest.approx(plain.cvar * factor - certain, abs=1e-6)


def test_a_horizon_scales_by_the_root_of_time_and_says_so() -> None:
    sample = returns(130, 1)[:, 0]
    one, ten = ok(historical(sample)), ok(historical(sample, horizon=10))
    assert ten.var == pytest.approx(one.var * math.sqrt(10), abs=1e-7)
    assert (one.convention.scaling, ten.convention.scaling) == ("none", "square root of time")


def test_a_longer_horizon_takes_the_mean_along_as_well_as_the_spread() -> None:
    sample = returns(130, 1)[:, 0] + 0.01
    z, mean, spread = stats.norm.ppf(0.95), sample.mean(), sample.std(ddof=1)
    found = ok(normal(sample, horizon=4))
    assert found.var == pytest.approx(z * spread * 2 - 4 * mean, abs=1e-8)
    assert found.cvar == pytest.approx(2 * spread * stats.norm.pdf(z) / 0.05 - 4 * mean, abs=1e-8)


@pytest.mark.parametrize("skew", np.arange(-3.0, 3.01, 0.75))
@pytest.mark.parametrize("kurtosis", [-1.0, 0.0, 0.5, 2.0, 5.0, 9.0])
def test_the_expansion_is_used_only_where_it_rises_all_the_way(skew: float, kurtosis: float) -> None:
    z = -1.6448536
    grid = np.linspace(FARTHEST, z, 20_001)
    slope = np.gradient(
        grid
        + (grid**2 - 1) * skew / 6
        + (grid**3 - 3 * grid) * kurtosis / 24
        - (2 * grid**3 - 5 * grid) * skew**2 / 36,
        grid,
    )
    assert _increasing(z, skew, kurtosis) == bool(slope.min() > 0)
