"""Headlines as capped, tainted signals: they may colour a decision, never carry it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Literal

from tools.canonical import content_sha256, round_float, stable_id
from tools.data.asof import require_known
from tools.data.evidence import headline_evidence
from tools.data.types import Headline
from tools.semantic.sentiment import METHOD, score_headline
from tools.types import Evidence, Signal

SOURCE = "headline_sentiment"
STRENGTH_CAP = 0.3
NEUTRAL_BELOW = 0.1
HORIZON_SESSIONS = 5
BASE_CONFIDENCE = 0.5
CONFIDENCE_SPAN = 0.1


def sentiment_evidence(headline: Headline) -> Evidence:
    """Tainted evidence of a headline's tone in [-1, 1], dated as the headline."""
    payload = {"headline_id": headline.id, "score": score_headline(headline.text), "method": METHOD}
    return Evidence.of(
        "sentiment", METHOD, payload, event_time=headline.event_time, known_at=headline.known_at,
        symbol=headline.symbols[0] if len(headline.symbols) == 1 else None, taint=True,
    )  # fmt: skip


def headline_readings(headlines: Iterable[Headline], as_of: datetime) -> tuple[Evidence, ...]:
    """The evidence `headline_signals` cites: headline and tone of each, in order; FutureDataError as there."""
    found: list[Evidence] = []
    for headline in headlines:
        require_known(headline.known_at, as_of, f"headline {headline.id}")
        found += [headline_evidence(headline), sentiment_evidence(headline)]
    return tuple(found)


def headline_signals(
    headlines: Iterable[Headline], as_of: datetime, *, symbols: Collection[str] | None = None
) -> tuple[Signal, ...]:
    """One signal per symbol named, from the mean tone of its headlines; ordered by symbol.

    Strength is the size of the mean tone times the cap of 0.3, so that text, which a stranger may have written,
    can only nudge. Confidence is 0.5 plus at most 0.1 and is not calibrated: tone has not been shown to predict
    returns here. Below a mean of 0.1 the direction is flat and the strength 0. With `symbols`, others are left out.
    Raises FutureDataError for a headline known later than `as_of`.
    """
    by_symbol: dict[str, list[Headline]] = {}
    for headline in headlines:
        require_known(headline.known_at, as_of, f"headline {headline.id}")
        for symbol in dict.fromkeys(headline.symbols):
            if symbols is None or symbol in symbols:
                by_symbol.setdefault(symbol, []).append(headline)
    return tuple(_signal(symbol, tuple(items), as_of) for symbol, items in sorted(by_symbol.items()))


def _signal(symbol: str, headlines: tuple[Headline, ...], as_of: datetime) -> Signal:
    readings = headline_readings(headlines, as_of)
    scores = [score_headline(headline.text) for headline in headlines]
    mean = round_float(sum(scores) / len(scores))
    direction: Literal["up", "down", "flat"] = "flat" if abs(mean) < NEUTRAL_BELOW else "up" if mean > 0 else "down"
    size = 0.0 if direction == "flat" else abs(mean)
    strength = round_float(STRENGTH_CAP * size)
    confidence = round_float(BASE_CONFIDENCE + CONFIDENCE_SPAN * size)
    count = f"{len(headlines)} headline" + ("" if len(headlines) == 1 else "s")
    reasoning = f"mean tone {mean:+.2f} over {count}, strength capped at {STRENGTH_CAP}"
    evidence_ids = tuple(item.id for item in readings)
    digest = content_sha256([SOURCE, symbol, direction, strength, confidence, HORIZON_SESSIONS, as_of, evidence_ids])
    return Signal(
        id=stable_id("sig", digest), source=SOURCE, symbol=symbol, direction=direction, strength=strength,
        confidence=confidence, horizon_sessions=HORIZON_SESSIONS, as_of=as_of, reasoning=reasoning,
        evidence_ids=evidence_ids, taint=True, sha256=digest,
    )  # fmt: skip
