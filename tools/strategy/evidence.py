"""What every generator attaches to a candidate: the features it read, the signal, figures as shown."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from tools.canonical import content_sha256, plain, round_float, stable_id
from tools.strategy.types import Candidate, Features
from tools.types import Evidence, Side, Signal

FEATURES_SOURCE = "tools.strategy.features"
PRICE_STEP = Decimal("0.01")
ATR_STEP = Decimal("0.0001")


def features_evidence(features: Features, as_of: datetime) -> Evidence:
    """Wrap the features of one symbol; the payload is the features as they are."""
    return Evidence.of(
        "features", FEATURES_SOURCE, plain(features), event_time=as_of, known_at=as_of, symbol=features.symbol
    )


def money(value: float) -> Decimal:
    """A price as shown and sent, to 0.01; goes through the decimal text so that 2.675 stays 2.675."""
    return Decimal(repr(value)).quantize(PRICE_STEP)


def shown(value: float, digits: int = 2) -> str:
    """A figure with fixed digits, e.g. 101.5 -> '101.50'."""
    return str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits)))


def percent(value: float, digits: int = 1) -> str:
    """A fraction as a percentage, e.g. 0.1837 -> '18.4 %'."""
    return f"{(Decimal(repr(value)) * 100).quantize(Decimal(1).scaleb(-digits))} %"


def signal(
    source: str,
    features: Features,
    direction: Literal["up", "down", "flat"],
    *,
    strength: float,
    confidence: float,
    horizon_sessions: int,
    as_of: datetime,
    reasoning: str,
    evidence_ids: tuple[str, ...],
) -> Signal:
    """Build a signal whose hash covers its content and whose id follows from the hash."""
    body = {
        "source": source, "symbol": features.symbol, "direction": direction, "strength": round_float(strength),
        "confidence": round_float(confidence), "horizon_sessions": horizon_sessions, "as_of": as_of,
        "reasoning": reasoning, "evidence_ids": evidence_ids, "taint": False,
    }  # fmt: skip
    digest = content_sha256(body)
    return Signal.model_validate({**body, "id": stable_id("sig", digest), "sha256": digest})


def entry(
    strategy: str,
    features: Features,
    *,
    strength: float,
    confidence: float,
    horizon_sessions: int,
    as_of: datetime,
    reason: str,
) -> Candidate | None:
    """A long entry at the close just known; None where a price or ATR rounds to zero."""
    evidence = features_evidence(features, as_of)
    return candidate(
        "order.entry", strategy, features, side="buy", direction="up", strength=strength, confidence=confidence,
        horizon_sessions=horizon_sessions, as_of=as_of, reason=reason, evidence=(evidence,),
    )  # fmt: skip


def candidate(
    kind: Literal["order.entry", "order.exit"],
    strategy: str,
    features: Features,
    *,
    side: Side,
    direction: Literal["up", "down", "flat"],
    strength: float,
    confidence: float,
    horizon_sessions: int,
    as_of: datetime,
    reason: str,
    evidence: tuple[Evidence, ...],
) -> Candidate | None:
    """Join features, signal and evidence into one unsized wish."""
    price = money(features.close)
    atr = Decimal(repr(features.atr_14)).quantize(ATR_STEP)
    if price <= 0 or atr <= 0:
        return None
    view = signal(
        f"tools.strategy.generators.{strategy}", features, direction, strength=strength, confidence=confidence,
        horizon_sessions=horizon_sessions, as_of=as_of, reasoning=reason,
        evidence_ids=tuple(item.id for item in evidence),
    )  # fmt: skip
    return Candidate(
        kind=kind, strategy=strategy, symbol=features.symbol, side=side, strength=view.strength,
        confidence=view.confidence, horizon_sessions=horizon_sessions, reason=reason, price=price, atr=atr,
        volatility=features.volatility_20 if features.volatility_20 > 0 else None,
        signal=view, evidence=evidence, taint=any(item.taint for item in evidence),
    )  # fmt: skip
