"""Drawdown protection: falls at once, rises slowly, never allows more in a deeper drawdown."""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.risk.limits import default_limits_text, load_limits
from tools.risk.protection import CurvePoint, DrawdownProtection, protect

POLICY = load_limits(default_limits_text()).protection
D = Decimal
DRAWDOWNS = st.decimals("0", "1", places=6)


@pytest.mark.parametrize(
    ("drawdown", "factor"),
    [("0", "1"), ("0.05", "1"), ("0.06", "0.9"), ("0.10", "0.5"), ("0.125", "0.25"), ("0.15", "0"), ("0.9", "0")],
)
def test_the_published_curve(drawdown: str, factor: str) -> None:
    assert POLICY.factor_at(D(drawdown)) == D(factor)


@given(DRAWDOWNS, DRAWDOWNS)
def test_deeper_never_allows_more(a: Decimal, b: Decimal) -> None:
    shallow, deep = sorted((a, b))
    assert 0 <= POLICY.factor_at(deep) <= POLICY.factor_at(shallow) <= 1


def test_before_the_first_close_nothing_is_scaled() -> None:
    assert protect([], POLICY).factor == 1
    assert not protect([], POLICY).binds


def test_it_falls_at_once_and_says_when_it_begins() -> None:
    state = protect([D(0), D("0.10")], POLICY)
    assert (state.factor, state.begins, state.restoring) == (D("0.5"), True, False)
    assert not protect([D(0), D("0.10"), D("0.10")], POLICY).begins


def test_it_rises_by_a_tenth_a_session() -> None:
    path = [D("0.10"), D(0), D(0), D(0), D(0), D(0)]
    seen = [protect(path[: i + 1], POLICY) for i in range(len(path))]
    assert [state.factor for state in seen] == [D("0.5"), D("0.6"), D("0.7"), D("0.8"), D("0.9"), D(1)]
    assert [state.restoring for state in seen] == [False, True, True, True, True, False]


@given(st.lists(DRAWDOWNS, min_size=1, max_size=30))
def test_the_factor_never_exceeds_the_curve_nor_rises_faster(drawdowns: list[Decimal]) -> None:
    factors = [protect(drawdowns[: i + 1], POLICY).factor for i in range(len(drawdowns))]
    for before, after, drawdown in zip([D(1), *factors], factors, drawdowns, strict=False):
        assert 0 <= after <= POLICY.factor_at(drawdown)
        assert after - before <= POLICY.restore_per_session
    assert list(accumulate(factors, min))[-1] == min(factors)


@pytest.mark.parametrize(
    "points", [[("0.01", "1")], [("0", "1"), ("0", "0.5")], [("0", "0.5"), ("0.1", "0.6")], []]
)  # fmt: skip
def test_a_curve_that_is_none_is_refused(points: list[tuple[str, str]]) -> None:
    curve = tuple(CurvePoint(drawdown=D(a), factor=D(b)) for a, b in points)
    with pytest.raises(ValidationError):
        DrawdownProtection(curve=curve, restore_per_session=D("0.1"))
