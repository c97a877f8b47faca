"""Tone has the right sign on headlines labelled by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ConfigError
from tools.semantic.sentiment import read_lexicon, score_headline

LABELLED = [
    ("Chip maker beats forecasts and raises its outlook", 1),
    ("Airline cuts its forecast as fuel costs climb", -1),
    ("Regulator sues bank over mortgage fraud", -1),
    ("Retailer reports record quarterly profit", 1),
    ("Broker downgrades steel maker after weak orders", -1),
    ("Drug maker recalls heart device", -1),
    ("Insurer raises its dividend", 1),
    ("Shares plunge after profit warning", -1),
    ("Builder returns to profit as sales jump", 1),
    ("Newspaper group files for bankruptcy", -1),
]
NEUTRAL = [
    "Company shares its mutual fund holdings",
    "Board sets record date for annual meeting of United States Steel",
    "Energy company agrees to buy gas fields for 7 billion dollars",
]


@pytest.mark.parametrize(("text", "sign"), LABELLED)
def test_sign_of_a_labelled_headline(text: str, sign: int) -> None:
    assert score_headline(text) * sign > 0.1


@pytest.mark.parametrize("text", NEUTRAL)
def test_words_of_the_trade_carry_no_feeling(text: str) -> None:
    assert abs(score_headline(text)) < 0.1


def test_a_phrase_outweighs_its_words() -> None:
    assert score_headline("Maker discloses a Wells notice") < -0.1
    assert score_headline("Maker discloses a note on wells") == 0


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_scores_within_bounds_and_repeatably(text: str) -> None:
    score = score_headline(text)
    assert -1 <= score <= 1
    assert score_headline(text) == score


def test_only_the_start_of_an_endless_text_counts() -> None:
    assert score_headline("profit " * 150 + "fraud " * 100_000) == score_headline("profit " * 150)


def test_a_lexicon_out_of_scale_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_text("words: {profit: 9}", encoding="utf-8")
    with pytest.raises(ConfigError, match="profit"):
        read_lexicon(path)
    path.write_text("words: {profit: good}", encoding="utf-8")
    with pytest.raises(ConfigError):
        read_lexicon(path)
