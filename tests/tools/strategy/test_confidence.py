"""Below which confidence an entry is too small: found by the sizing itself, nearest, and only where it matters."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tools.risk.test_counterfactuals import LIMITS, book, order
from tools.strategy.confidence import confidence_for_size
from tools.strategy.sizing import size
from tools.strategy.sizing_types import SizingInputs

D = Decimal
WEIGHTED = LIMITS.model_copy(update={"min_order_notional": D(5_000)})
PROPOSED = order(300)


def sized(confidence: float, *, calibrated: bool = False, factor: str = "1") -> dict[str, Any]:
    """The payload of the sizing evidence that drafting writes."""
    stop = PROPOSED.stop_price
    assert stop is not None
    inputs = SizingInputs(
        equity=book().equity, price=PROPOSED.reference_price, stop_price=stop,
        risk_per_trade=WEIGHTED.risk_per_trade, strength=0.5, confidence=confidence,
        calibrated_confidence=confidence if calibrated else None, policy=WEIGHTED.sizing,
    )  # fmt: skip
    found = size("confidence_weighted", inputs, {"max_trade_share": 195}, D(factor))
    sizes = {"method": {"quantity": found.by_method}, "max_trade_share": {"quantity": 195}}
    return {"method": found.method, "quantity": found.quantity, "factor": factor, "sizes": sizes, **found.used}


def quantity(confidence: Decimal) -> int:
    return int(sized(float(confidence))["quantity"])


@pytest.mark.parametrize("calibrated", [False, True])
def test_the_nearest_confidence_that_is_too_low_is_named(calibrated: bool) -> None:
    found = confidence_for_size(PROPOSED, sized(0.6, calibrated=calibrated), book(), WEIGHTED)
    assert found is not None
    assert (found.name, found.original, found.verdict) == ("size", D("0.6"), "block")
    assert quantity(found.changed) * PROPOSED.reference_price < WEIGHTED.min_order_notional
    assert quantity(found.changed + D("0.0001")) * PROPOSED.reference_price >= WEIGHTED.min_order_notional
    assert f"{found.changed:.4f} instead of 0.6000" in found.text


def test_a_method_that_looks_at_no_confidence_has_none() -> None:
    assert confidence_for_size(PROPOSED, sized(0.6) | {"method": "fixed_risk"}, book(), WEIGHTED) is None


def test_a_size_that_cannot_be_made_again_says_nothing() -> None:
    assert confidence_for_size(PROPOSED, sized(0.6) | {"quantity": 7}, book(), WEIGHTED) is None


def test_a_review_that_scaled_it_counts() -> None:
    halved = PROPOSED.model_copy(update={"factor": D("0.5")})
    whole, half = (confidence_for_size(item, sized(0.6), book(), WEIGHTED) for item in (PROPOSED, halved))
    assert whole is not None
    assert half is not None
    assert half.changed > whole.changed
