"""Trend following: buy strength in an established uptrend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tools.data.types import Panel
from tools.strategy.evidence import entry, percent, shown
from tools.strategy.types import Candidate, Features

STRATEGY = "trend"


@dataclass(frozen=True)
class TrendRules:
    """Thresholds of the trend generator. Confidences are raw guesses until calibration replaces them."""

    momentum: float = 0.25
    full_strength_momentum: float = 0.50
    horizon_sessions: int = 20
    confidence: float = 0.52
    breakout_confidence: float = 0.55


DEFAULT = TrendRules()


def candidates(
    panel: Panel, features: Mapping[str, Features], as_of: datetime, rules: TrendRules = DEFAULT
) -> list[Candidate]:
    """Propose a long entry where the close stands above both averages and broke out or has momentum.

    Breakout: close strictly above the highest high of the 55 sessions before. Momentum: 60-session return
    at or above `rules.momentum`. Panel order.
    """
    found = (_candidate(features[symbol], as_of, rules) for symbol in panel.symbols if symbol in features)
    return [item for item in found if item is not None]


def _candidate(item: Features, as_of: datetime, rules: TrendRules) -> Candidate | None:
    breakout = item.close > item.high_55
    if not (item.close > item.sma_50 and item.close > item.sma_20):
        return None
    if not (breakout or item.momentum_60 >= rules.momentum):
        return None
    cause = (
        f"it broke above the highest high of the fifty-five sessions before at {shown(item.high_55)}"
        if breakout
        else "it keeps its momentum"
    )
    reason = (
        f"{item.symbol} closed at {shown(item.close)}, above its fifty-session average of {shown(item.sma_50)}; "
        f"{cause}, with momentum over sixty sessions of {percent(item.momentum_60)}."
    )
    return entry(
        STRATEGY,
        item,
        strength=min(1.0, max(0.0, item.momentum_60) / rules.full_strength_momentum),
        confidence=rules.breakout_confidence if breakout else rules.confidence,
        horizon_sessions=rules.horizon_sessions,
        as_of=as_of,
        reason=reason,
    )
