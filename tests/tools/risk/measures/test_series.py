"""Volatility, drawdown and the index: hand examples, invariants, and what cannot be measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tests.tools.risk.measures.books import book, history, returns
from tools.risk.measures.drawdown import drawdown
from tools.risk.measures.relation import betas, relation
from tools.risk.measures.returns import book_returns, simple_returns
from tools.risk.measures.types import Array, Drawdown, History, NotEnough, Relation, Volatility, decimal_of, figure
from tools.risk.measures.volatility import ewma, realised


def test_ewma_is_the_riskmetrics_recursion() -> None:
    sample = returns(126, 1)[:, 0]
    variance = weight = 0.0
    for r in sample:
        variance = 0.94 * variance + 0.06 * r * r
        weight = 0.94 * weight + 0.06
    found = ewma(sample)
    assert isinstance(found, Volatility)
    assert found.value == pytest.approx(math.sqrt(variance / weight * 252), abs=1e-8)
    assert found.decay == 0.94


def test_a_shock_moves_ewma_more_than_the_realised_one() -> None:
    sample = np.tile([0.001, -0.001], 63)
    sample[-1] = -0.05
    quick, slow = ewma(sample), realised(sample)
    assert isinstance(quick, Volatility)
    assert isinstance(slow, Volatility)
    assert quick.value > 2 * slow.value


def test_realised_volatility_is_the_sample_deviation_of_a_year() -> None:
    found = realised(np.tile([0.01, -0.01], 10))
    assert isinstance(found, Volatility)
    assert found.value == pytest.approx(0.01 * math.sqrt(20 / 19 * 252), abs=1e-8)


@pytest.mark.parametrize("measure", [ewma, realised])
def test_too_few_sessions_have_no_volatility(measure) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(measure(np.zeros(19)), NotEnough)
    assert isinstance(measure(np.full(30, np.nan)), NotEnough)


def test_drawdown_of_a_small_curve() -> None:
    found = drawdown(np.array([100.0, 110.0, 99.0, 104.5, 110.0, 88.0, 99.0]))
    assert found == Drawdown(
        current=0.1, maximum=0.2, sessions_under_water=2, longest_under_water=2, window_sessions=7
    )  # fmt: skip


@pytest.mark.parametrize("curve", [[], [100.0, 0.0], [100.0, math.nan]])
def test_a_broken_curve_has_no_drawdown(curve: list[float]) -> None:
    assert isinstance(drawdown(np.array(curve, dtype=np.float64)), NotEnough)


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(1, 1000)), st.floats(0.5, 2))
def test_drawdown_does_not_care_for_the_size_of_the_book(curve: Array, factor: float) -> None:
    plain, scaled = drawdown(curve), drawdown(curve * factor)
    assert isinstance(plain, Drawdown)
    assert isinstance(scaled, Drawdown)
    assert 0 <= plain.current <= plain.maximum < 1
    assert scaled.maximum == pytest.approx(plain.maximum, abs=1e-7)


def test_beta_and_correlation_are_those_of_a_regression() -> None:
    data = history()
    found = relation(data.returns[:, 0], data.index)
    line = stats.linregress(data.index, data.returns[:, 0])
    assert isinstance(found, Relation)
    assert found.beta == pytest.approx(line.slope, abs=1e-7)
    assert found.correlation == pytest.approx(line.rvalue, abs=1e-7)
    assert betas(data)["AAA"] == pytest.approx(line.slope, abs=1e-7)


def test_an_index_that_never_moved_gives_no_beta() -> None:
    assert isinstance(relation(returns(60, 1)[:, 0], np.zeros(60)), NotEnough)
    still = history()
    assert betas(History(still.sessions, still.symbols, still.returns, np.zeros(80))) == {}


def test_a_name_with_a_gap_has_no_beta_and_the_others_do() -> None:
    data = history()
    broken = data.returns.copy()
    broken[5, 1] = np.nan
    assert set(betas(History(data.sessions, data.symbols, broken, data.index))) == {"AAA", "CCC"}


def test_returns_of_the_book_are_the_weighted_ones_and_of_no_book_zero() -> None:
    data = history()
    found = book_returns(book(AAA=100_000, CCC=-50_000), data)
    assert not isinstance(found, NotEnough)
    assert found == pytest.approx(0.1 * data.returns[:, 0] - 0.05 * data.returns[:, 2])
    empty = book_returns(book(), data)
    assert not isinstance(empty, NotEnough)
    assert not empty.any()


def test_a_holding_without_history_is_named() -> None:
    found = book_returns(book(AAA=100, ZZZ=100), history())
    assert isinstance(found, NotEnough)
    assert "ZZZ" in found.message


def test_simple_returns_of_missing_prices_are_missing() -> None:
    found = simple_returns(np.array([[10.0], [11.0], [0.0], [12.0]]))
    assert found[0, 0] == pytest.approx(0.1)
    assert np.isnan(found[1:]).all()


@given(st.floats(-10, 10))
def test_a_figure_in_decimal_is_the_float_to_six_places_without_an_exponent(value: float) -> None:
    assert abs(float(decimal_of(value)) - figure(value)) <= 5.1e-7
    assert "e" not in str(decimal_of(value)).lower()
    assert math.copysign(1, figure(-0.0)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_no_figure(value: float) -> None:
    with pytest.raises(ValueError, match="no figure"):
        figure(value)
