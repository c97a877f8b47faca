"""Contributions sum to the whole, and a marginal is the slope of it; concentration of small books by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.risk.measures.books import book, history
from tools.risk.measures.concentration import concentration
from tools.risk.measures.contribution import contributions
from tools.risk.measures.returns import book_returns
from tools.risk.measures.types import Contributions, NotEnough, TailRisk, Volatility
from tools.risk.measures.var import normal
from tools.risk.measures.volatility import realised

WEIGHTS = st.integers(-400_000, 400_000).filter(bool)


@settings(deadline=None, max_examples=50)
@given(WEIGHTS, WEIGHTS, WEIGHTS)
def test_components_sum_to_volatility_and_var_of_the_book(a: int, b: int, c: int) -> None:
    held, data = book(AAA=a, BBB=b, CCC=c), history()
    found, series = contributions(held, data), book_returns(held, data)
    assert isinstance(found, Contributions)
    assert not isinstance(series, NotEnough)
    whole, tail = realised(series), normal(series)
    assert isinstance(whole, Volatility)
    assert isinstance(tail, TailRisk)
    assert found.volatility == pytest.approx(whole.value, abs=1e-7)
    assert found.var == pytest.approx(tail.var, abs=1e-7)
    assert sum(item.component_volatility for item in found.items) == pytest.approx(whole.value, abs=1e-7)
    assert sum(item.component_var for item in found.items) == pytest.approx(tail.var, abs=1e-7)


def test_a_marginal_is_the_slope_of_var_in_the_weight() -> None:
    data = history()
    found = contributions(book(AAA=100_000, BBB=100_000), data)
    assert isinstance(found, Contributions)

    def tail(value: int) -> float:
        series = book_returns(book(AAA=value, BBB=100_000), data)
        assert not isinstance(series, NotEnough)
        made = normal(series)
        assert isinstance(made, TailRisk)
        return made.var

    assert found.items[0].marginal_var == pytest.approx((tail(110_000) - tail(90_000)) / 0.02, abs=1e-4)


def test_an_empty_book_contributes_nothing_and_a_short_history_says_so() -> None:
    found = contributions(book(), history())
    assert isinstance(found, Contributions)
    assert (found.volatility, found.var, found.items) == (0.0, 0.0, ())
    assert isinstance(contributions(book(AAA=1000), history(29)), NotEnough)


def test_two_equal_names_are_two_effective_ones() -> None:
    found = concentration(book(AAA=100, BBB=-100))
    assert found.herfindahl == 0.5
    assert found.effective_names == 2.0
    assert found.sectors == {"Energy": 0.5, "Utilities": 0.5}


def test_a_book_of_three_by_hand() -> None:
    found = concentration(book(AAA=500, BBB=300, CCC=200))
    assert found.herfindahl == pytest.approx(0.38)
    assert (found.largest_symbol, found.largest_share) == ("AAA", 0.5)
    assert found.sector_herfindahl == pytest.approx(0.5)


def test_no_book_is_not_concentrated() -> None:
    assert concentration(book()).effective_names == 0.0


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=12))
def test_herfindahl_lies_between_one_over_n_and_one(values: list[int]) -> None:
    found = concentration(book(**{f"N{i}": value for i, value in enumerate(values)}))
    assert 1 / len(values) - 1e-7 <= found.herfindahl <= 1 + 1e-7
    assert np.isclose(sum(found.sectors.values()), 1.0, atol=1e-6)
