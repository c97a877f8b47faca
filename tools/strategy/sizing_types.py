"""What a sizing method is given and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from pydantic import Field

from tools.risk.sizing_policy import SizingMethodName, SizingPolicy
from tools.types import Frozen


class Edge(Frozen):
    """What settled outcomes say of a strategy's views: mean excess return and variance of return per view, fractions.

    The mean is over the index and the variance is not, so that a rising market is taken for no edge.
    """

    outcomes: int = Field(ge=0)
    mean: float
    variance: float = Field(ge=0)


class SizingInputs(Frozen):
    """One entry to be sized. Prices and equity in money, `volatility` annualised, `risk_per_trade` a share of equity.

    `calibrated_confidence` is None as long as nothing has calibrated the strategy's confidence.
    """

    equity: Decimal = Field(gt=0)
    price: Decimal = Field(gt=0)
    stop_price: Decimal = Field(gt=0)
    risk_per_trade: Decimal = Field(gt=0)
    strength: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1)
    calibrated_confidence: float | None = Field(default=None, ge=0, le=1)
    volatility: float | None = Field(default=None, gt=0)
    edge: Edge | None = None
    policy: SizingPolicy


class Sized(Frozen):
    """Whole shares by a method, and the figures it used."""

    method: SizingMethodName
    quantity: int = Field(ge=0)
    used: Mapping[str, Decimal | float | int | bool]


class Unsized(Frozen):
    """A method that cannot size this entry, with the reason."""

    method: SizingMethodName
    reason: str


class SizingMethod(Protocol):
    """Whole shares of one entry, or the reason why this method has none. Caps are not its business."""

    def __call__(self, inputs: SizingInputs) -> Sized | Unsized: ...


class Sizing(Frozen):
    """How a quantity came about: the method's, held down by the smallest cap, scaled by the drawdown protection."""

    asked: SizingMethodName
    method: SizingMethodName
    fell_back: str | None
    used: Mapping[str, Decimal | float | int | bool]
    by_method: int
    caps: dict[str, int]
    binding: str
    protection_factor: Decimal
    quantity: int
