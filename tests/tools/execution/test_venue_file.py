"""The venue's terms as a file: closed, versioned, and nothing at all where they are the default ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tools.errors import ConfigError
from tools.execution.venue_file import default_venue_text, in_words, kept, load_venue, read_venue, terms_of
from tools.execution.venue_terms import VenueTerms


def test_the_shipped_file_is_what_stands_without_one() -> None:
    shipped = load_venue(default_venue_text())
    assert shipped.terms == VenueTerms()
    assert kept(shipped) == {}
    assert terms_of({}) == VenueTerms()
    assert in_words({}) == "default terms"


def test_a_run_keeps_other_terms_with_their_hash_and_says_what_differs() -> None:
    file = load_venue(
        "version: 3\nlatency_ticks: 1\nreject_rate: 0.2\nhalted: {2009-11-25: [IBM]}\ncosts: {spread_bps: 12}"
    )
    config = kept(file)
    assert terms_of(config) == file.terms
    assert (file.terms.latency_ticks, file.terms.reject_rate) == (1, Decimal("0.2"))
    assert in_words(config) == (
        f"version 3 ({config['venue']['sha256'][:12]}): costs.spread_bps 12, halted 1, latency_ticks 1, reject_rate 0.2"
    )
    assert kept(load_venue("version: 4\nlatency_ticks: 2"))["venue"]["sha256"] != config["venue"]["sha256"]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("version: 1\nreject_rate: 1.5", "venue_invalid", "reject_rate = 1.5"),
        ("version: 1\nlatencyticks: 1", "venue_invalid", "latencyticks = 1"),
        ("version: 1\ncosts: {spread: 4}", "venue_invalid", "costs.spread = 4"),
        ("reject_rate: 0.1", "venue_invalid", "version is missing"),
        ("version: 1\nversion: 2", "venue_duplicate", "version is given twice"),
        ("- 1", "venue_unreadable", "holds list"),
        ("a: [", "venue_unreadable", "not YAML"),
    ],
)
def test_what_nobody_could_mean_is_refused_with_field_and_value(text: str, code: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_venue(text)
    assert refused.value.code == code
    assert says in refused.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml") as refused:
        read_venue(tmp_path / "absent.yaml")
    assert refused.value.code == "venue_unreadable"
