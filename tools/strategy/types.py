"""What a strategy computes before anything is sized."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from tools.types import Evidence, Frozen, Side, Signal, Symbol


class Features(Frozen):
    """Features of one symbol at one close. Returns and volatility are fractions; prices in money.

    `momentum_60`: 60-session simple return. `volatility_20`: annualised standard deviation of daily log
    returns over 20 sessions (252 days). `zscore_20`: close against its 20-session mean in standard
    deviations. `rsi_14` and `atr_14` after Wilder. `high_55`: highest high of the 55 sessions before this one.
    """

    symbol: Symbol
    close: float
    sma_20: float
    sma_50: float
    high_55: float
    momentum_60: float
    zscore_20: float
    rsi_14: float
    atr_14: float
    volatility_20: float
    adv_20: float = Field(description="average daily value traded over 20 sessions")


class Candidate(Frozen):
    """A strategy's unsized wish, with the evidence it rests on."""

    kind: Literal["order.entry", "order.exit"]
    strategy: str
    symbol: Symbol
    side: Side
    strength: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1)
    horizon_sessions: int = Field(ge=1)
    reason: str = Field(description="one sentence whose figures stand in the evidence payload")
    price: Decimal
    atr: Decimal
    volatility: float | None = Field(default=None, gt=0, description="annualised, over 20 sessions")
    signal: Signal
    evidence: tuple[Evidence, ...]
    taint: bool = False
