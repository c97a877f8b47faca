"""Mean reversion: buy a sharp dip inside an uptrend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tools.data.types import Panel
from tools.strategy.evidence import entry, shown
from tools.strategy.types import Candidate, Features

STRATEGY = "reversion"


@dataclass(frozen=True)
class ReversionRules:
    """Thresholds of the reversion generator. The confidence is a raw guess until calibration replaces it."""

    zscore: float = -2.0
    full_strength_zscore: float = -4.0
    horizon_sessions: int = 5
    confidence: float = 0.54


DEFAULT = ReversionRules()


def candidates(
    panel: Panel, features: Mapping[str, Features], as_of: datetime, rules: ReversionRules = DEFAULT
) -> list[Candidate]:
    """Propose a long entry where the z-score is at or below the threshold and sma_20 is above sma_50. Panel order."""
    found = (_candidate(features[symbol], as_of, rules) for symbol in panel.symbols if symbol in features)
    return [item for item in found if item is not None]


def _candidate(item: Features, as_of: datetime, rules: ReversionRules) -> Candidate | None:
    if item.zscore_20 > rules.zscore or item.sma_20 <= item.sma_50:
        return None
    reason = (
        f"{item.symbol} closed at {shown(item.close)}, a z-score of {shown(item.zscore_20)} against its "
        f"twenty-session average of {shown(item.sma_20)}, while that average stands above the fifty-session one "
        f"of {shown(item.sma_50)}."
    )
    return entry(
        STRATEGY,
        item,
        strength=min(1.0, item.zscore_20 / rules.full_strength_zscore),
        confidence=rules.confidence,
        horizon_sessions=rules.horizon_sessions,
        as_of=as_of,
        reason=reason,
    )
