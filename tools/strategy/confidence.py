"""Below which confidence an entry would be too small to be worth an order: the sizing run again on another one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tools.risk.counterfactuals import first_true
from tools.risk.types import Counterfactual, Limits, PortfolioView
from tools.strategy.sizing import size, whole
from tools.strategy.sizing_types import SizingInputs
from tools.types import Proposal

GRAIN = 10_000
"""Confidence is moved in steps of one ten-thousandth."""


def confidence_for_size(
    proposal: Proposal, sizing: Mapping[str, Any], portfolio: PortfolioView, limits: Limits
) -> Counterfactual | None:
    """The nearest confidence at which `min_order_notional` is no longer reached, by the method that sized the entry.

    `sizing` is the payload of the entry's sizing evidence. None where the method does not look at confidence, where
    no confidence is too low, and where the recorded size cannot be made again from `portfolio`.
    """
    if sizing.get("method") != "confidence_weighted" or proposal.stop_price is None:
        return None
    calibrated = bool(sizing["calibrated"])
    now = float(sizing["probability"])
    caps = {name: int(held["quantity"]) for name, held in sizing["sizes"].items() if name != "method"}

    def quantity(confidence: float) -> int:
        inputs = SizingInputs(
            equity=portfolio.equity, price=proposal.reference_price, stop_price=stop,
            risk_per_trade=limits.risk_per_trade, strength=proposal.strength, confidence=confidence,
            calibrated_confidence=confidence if calibrated else None, policy=limits.sizing,
        )  # fmt: skip
        return size("confidence_weighted", inputs, caps, Decimal(str(sizing["factor"]))).quantity

    def worth_it(step: int) -> bool:
        shares = whole(quantity(step / GRAIN) * proposal.factor)
        return shares > 0 and shares * proposal.reference_price >= limits.min_order_notional

    stop = proposal.stop_price
    if quantity(now) != int(sizing["quantity"]):
        return None
    least = first_true(worth_it, 0, int(now * GRAIN))
    if least is None:
        return None
    changed, original = Decimal(least - 1) / GRAIN, Decimal(repr(now))
    return Counterfactual(
        field="confidence", name="size", unit="share", original=original, changed=changed, verdict="block",
        binding_control="min_notional",
        text=f"At a confidence of {changed:.4f} instead of {original:.4f} its size would fall below the minimum order.",
    )  # fmt: skip
