"""Costs: known amounts, and never a gift."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.execution.costs import CostModel, commission, noise_factor, session_fee, slippage_bps, slipped
from tools.types import Side

D = Decimal


@pytest.mark.parametrize(
    ("quantity", "expected"), [(1, "1.00"), (200, "1.00"), (201, "1.00"), (202, "1.01"), (10_000, "50.00")]
)
def test_commission_has_a_floor_and_a_rate(quantity: int, expected: str) -> None:
    assert commission(quantity, D(10)) == D(expected)


def test_commission_may_follow_the_value_and_has_a_cap() -> None:
    model = CostModel(commission_per_share=D(0), commission_bps=D(5), maximum_commission_bps=D(100))
    assert commission(1_000, D(40), model) == D("20.00")
    assert commission(100, D("0.50"), model) == D("0.50")


def test_a_session_costs_a_252nd_of_a_year() -> None:
    assert session_fee(D(100_000), D(252)) == D("10.00")
    assert session_fee(D(100), D(1)) == D("0.00")


def test_half_the_spread_is_paid() -> None:
    assert slippage_bps(100, 10_000, D(1), CostModel(spread_bps=D(10))) == D(5) + D(10)


def test_no_commission_for_nothing() -> None:
    with pytest.raises(ValueError, match="quantity 0"):
        commission(0, D(10))


def test_impact_grows_with_the_square_root_of_participation() -> None:
    assert slippage_bps(100, 10_000, D(1)) == D(2) + D(10)
    assert slippage_bps(400, 10_000, D(1)) == D(2) + D(20)
    with pytest.raises(ValueError, match="without volume"):
        slippage_bps(1, 0, D(1))


def test_slippage_moves_the_price_against_the_trader() -> None:
    assert slipped("buy", D("100.00"), D(12)) == D("100.12")
    assert slipped("sell", D("100.00"), D(12)) == D("99.88")
    assert slipped("sell", D("0.01"), D(9_999)) == D("0.01")


def test_noise_belongs_to_seed_and_order() -> None:
    assert noise_factor(7, "a") == noise_factor(7, "a")
    assert len({noise_factor(seed, name) for seed in (1, 2) for name in ("a", "b")}) == 4


@given(
    side=st.sampled_from(["buy", "sell"]), cents=st.integers(1, 100_000), quantity=st.integers(1, 10_000),
    extra=st.integers(0, 10**7), seed=st.integers(0, 99), name=st.text(max_size=8),
)  # fmt: skip
def test_a_fill_is_never_better_than_its_reference(
    side: Side, cents: int, quantity: int, extra: int, seed: int, name: str
) -> None:
    factor = noise_factor(seed, name)
    assert 1 - CostModel().noise <= factor < 1 + CostModel().noise
    price = slipped(side, D(cents) / 100, slippage_bps(quantity, quantity + extra, factor))
    assert (price - D(cents) / 100) * (1 if side == "buy" else -1) >= 0
    assert price >= D("0.01")
