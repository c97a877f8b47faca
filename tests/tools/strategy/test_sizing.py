"""Sizing methods by hand, their fall-backs, and what holds for all: never above a cap, never above the factor."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.risk.limits import default_limits_text, load_limits
from tools.risk.sizing_policy import SizingMethodName
from tools.strategy.sizing import METHODS, size
from tools.strategy.sizing_types import Edge, Sized, SizingInputs, Unsized

D = Decimal
POLICY = load_limits(default_limits_text()).sizing
CAPS = {"max_trade_share": 10**9}


def inputs(**changes: Any) -> SizingInputs:
    return SizingInputs.model_validate(
        {
            "equity": D(1_000_000), "price": D(50), "stop_price": D(45), "risk_per_trade": D("0.0025"),
            "strength": 0.5, "confidence": 0.6, "volatility": 0.25, "policy": POLICY, **changes,
        }
    )  # fmt: skip


def shares(method: SizingMethodName, **changes: Any) -> int:
    found = METHODS[method](inputs(**changes))
    assert isinstance(found, Sized), found
    return found.quantity


def test_every_named_method_is_there() -> None:
    assert set(METHODS) == set(get_args(SizingMethodName))


def test_fixed_risk_loses_a_quarter_percent_at_the_stop() -> None:
    assert shares("fixed_risk") == 500


def test_kelly_is_a_fraction_of_mean_over_variance() -> None:
    assert shares("kelly", edge=Edge(outcomes=40, mean=0.0004, variance=0.01)) == 200


def test_kelly_is_capped() -> None:
    assert shares("kelly", edge=Edge(outcomes=40, mean=0.05, variance=0.01)) == 400


@pytest.mark.parametrize("mean", [0.0, -0.02])
def test_kelly_without_an_edge_takes_nothing(mean: float) -> None:
    assert shares("kelly", edge=Edge(outcomes=40, mean=mean, variance=0.01)) == 0


@pytest.mark.parametrize(
    "edge", [None, Edge(outcomes=29, mean=0.01, variance=0.01), Edge(outcomes=40, mean=0.01, variance=0.0)]
)
def test_kelly_without_enough_outcomes_falls_to_fixed_risk_and_says_so(edge: Edge | None) -> None:
    found = size("kelly", inputs(edge=edge), CAPS, D(1))
    assert (found.asked, found.method, found.quantity) == ("kelly", "fixed_risk", 500)
    assert found.fell_back is not None
    assert "Kelly needs 30" in found.fell_back


def test_confidence_weights_the_fixed_size_and_prefers_the_calibrated_one() -> None:
    assert shares("confidence_weighted", confidence=0.575) == 250
    assert shares("confidence_weighted", confidence=0.9) == 500
    assert shares("confidence_weighted", confidence=0.9, calibrated_confidence=0.53) == 100
    assert shares("confidence_weighted", confidence=0.9, calibrated_confidence=0.45) == 0


def test_which_confidence_was_used_is_said() -> None:
    found = METHODS["confidence_weighted"](inputs(calibrated_confidence=0.6))
    assert isinstance(found, Sized)
    assert found.used["calibrated"] is True


def test_the_volatility_target_adds_half_a_percent_a_year() -> None:
    assert shares("volatility_target") == 400
    assert shares("volatility_target", volatility=0.5) == 200


def test_alpha_over_volatility_weights_the_target_by_the_view() -> None:
    assert shares("alpha_over_volatility") == 200
    assert shares("alpha_over_volatility", strength=1.0) == shares("volatility_target")


@pytest.mark.parametrize("method", ["volatility_target", "alpha_over_volatility"])
def test_without_a_volatility_nothing_is_invented(method: SizingMethodName) -> None:
    assert isinstance(METHODS[method](inputs(volatility=None)), Unsized)


def test_the_cap_that_held_it_down_is_named() -> None:
    found = size("fixed_risk", inputs(), {"max_trade_share": 300, "max_order_quantity": 200}, D(1))
    assert (found.quantity, found.binding, found.by_method) == (200, "max_order_quantity", 500)
    assert size("fixed_risk", inputs(), {"max_trade_share": 500}, D(1)).binding == "method"


def test_the_protection_scales_what_the_caps_left() -> None:
    assert size("fixed_risk", inputs(), {"max_trade_share": 301}, D("0.5")).quantity == 150


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(METHODS)), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 3),
    st.integers(0, 2000), st.decimals("0", "1", places=6), st.floats(-0.2, 0.2), st.floats(0.0001, 0.2),
)  # fmt: skip
def test_no_method_gets_past_a_cap_or_the_factor(
    method: SizingMethodName, strength: float, confidence: float, volatility: float, cap: int, factor: Decimal,
    mean: float, variance: float,
) -> None:  # fmt: skip
    given_ = inputs(
        strength=strength, confidence=confidence, volatility=volatility,
        edge=Edge(outcomes=50, mean=mean, variance=variance),
    )  # fmt: skip
    found = size(method, given_, {"max_trade_share": cap}, factor)
    assert 0 <= found.quantity <= cap * factor
    assert found.quantity <= found.by_method
    assert found == size(method, given_, {"max_trade_share": cap}, factor)
