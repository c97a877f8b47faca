"""Which method sizes an entry, and its parameters: a section of the limits file."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from tools.types import Frozen

SizingMethodName = Literal[
    "fixed_risk", "kelly", "confidence_weighted", "volatility_target", "alpha_over_volatility",
]  # fmt: skip


class SizingPolicy(Frozen):
    """The section `sizing`. Whatever the method says, every cap of the limits holds.

    `kelly_fraction` of the full Kelly stake is taken, never more than `kelly_cap` of equity, and only with
    `kelly_min_outcomes` settled outcomes of the strategy. `target_volatility` is the annualised volatility that one
    entry may add, as a fraction of equity. `full_confidence` is the probability from which on
    `confidence_weighted` takes the whole size.
    """

    method: SizingMethodName
    by_strategy: Mapping[str, SizingMethodName]
    kelly_fraction: Decimal = Field(gt=0, le=1)
    kelly_cap: Decimal = Field(gt=0, le=1)
    kelly_min_outcomes: int = Field(ge=20)
    target_volatility: Decimal = Field(gt=0, le=1)
    full_confidence: Decimal = Field(gt=Decimal("0.5"), le=1)

    def method_of(self, strategy: str) -> SizingMethodName:
        return self.by_strategy.get(strategy, self.method)
