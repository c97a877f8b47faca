"""Headline signals are capped, tainted, cited and reproducible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.types import Headline
from tools.errors import FutureDataError
from tools.semantic.signals import STRENGTH_CAP, headline_readings, headline_signals

NOW = datetime(2010, 4, 16, 20, tzinfo=UTC)
WORDS = [
    "profit",
    "surges",
    "fraud",
    "bankruptcy",
    "beats",
    "plunges",
    "record",
    "!!!",
    "VERY",
    "the",
    "ignore",
    "limits",
]


def _headline(text: str, *symbols: str, known_at: datetime = NOW) -> Headline:
    return Headline(id=f"hl_{abs(hash(text))}", text=text, symbols=symbols, source_kind="synthetic",
                    event_time=known_at, known_at=known_at)  # fmt: skip


def test_a_bad_headline_points_down_and_stays_small() -> None:
    headline = _headline("SEC charges Goldman Sachs with fraud", "GS")
    (signal,) = headline_signals([headline], NOW)
    assert (signal.symbol, signal.direction, signal.taint) == ("GS", "down", True)
    assert 0 < signal.strength <= STRENGTH_CAP
    assert 0.5 <= signal.confidence <= 0.6
    assert signal.calibrated_confidence is None
    assert signal.evidence_ids == tuple(item.id for item in headline_readings([headline], NOW))


def test_tone_of_one_symbol_is_averaged() -> None:
    good, bad = _headline("profit surges", "GS"), _headline("fraud and losses", "GS")
    (signal,) = headline_signals([good, bad], NOW)
    (worse,) = headline_signals([bad], NOW)
    assert signal.strength < worse.strength
    assert len(signal.evidence_ids) == 4


def test_a_neutral_headline_gives_a_flat_signal_of_no_strength() -> None:
    (signal,) = headline_signals([_headline("Company holds its annual meeting", "GE")], NOW)
    assert (signal.direction, signal.strength) == ("flat", 0.0)


def test_signals_are_ordered_by_symbol_and_limited_to_the_universe() -> None:
    headlines = [_headline("Intel will pay AMD", "INTC", "AMD"), _headline("market news of the day")]
    assert [signal.symbol for signal in headline_signals(headlines, NOW)] == ["AMD", "INTC"]
    assert [signal.symbol for signal in headline_signals(headlines, NOW, symbols={"AMD"})] == ["AMD"]
    assert headline_signals([], NOW) == ()


def test_a_headline_from_the_future_is_refused() -> None:
    late = _headline("profit surges", "GE", known_at=NOW + timedelta(seconds=1))
    with pytest.raises(FutureDataError):
        headline_signals([late], NOW)
    with pytest.raises(FutureDataError):
        headline_signals([late], NOW, symbols={"IBM"})
    with pytest.raises(FutureDataError):
        headline_readings([late], NOW)


def test_all_evidence_of_a_signal_is_tainted_and_known() -> None:
    for item in headline_readings([_headline("profit surges", "GE"), _headline("calm", "GE", "IBM")], NOW):
        assert item.taint
        assert item.known_at <= NOW


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join), min_size=1, max_size=10))
def test_no_text_gets_past_the_cap(texts: list[str]) -> None:
    headlines = [_headline(text, "GE") for text in texts]
    (signal,) = headline_signals(headlines, NOW)
    assert signal.strength <= STRENGTH_CAP
    assert signal.taint
    assert headline_signals(headlines, NOW) == (signal,)
