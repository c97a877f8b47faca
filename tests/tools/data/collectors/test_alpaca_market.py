"""Alpaca as the desk's market: the same numbers as their source, one window for a run, honest about the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.tools.data.collectors.alpaca_help import NAMES, SETTLED, START, market_of
from tools.data import quality
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import Observation, VenueState
from tools.errors import DataError, FutureDataError, RetryableToolError
from tools.types import Tick

FIELDS = ("open", "high", "low", "close", "volume")


def _codes(market: AlpacaMarket, tick: Tick) -> set[tuple[str, str | None]]:
    return {(issue.code, issue.symbol) for issue in quality.inspect(market, tick)}


def test_the_panel_is_the_sources_panel_on_other_days(
    market: AlpacaMarket, peer: AlpacaDataPeer, source: EmbeddedMarket
) -> None:
    day = peer.day
    for position in (START, START + 1):
        day.now = max(day.now, day.schedule.sessions[position].closes + SETTLED)
        ours = market.panel(day.schedule.sessions[position].closes, 110)
        theirs = source.panel(source.tick(source.sessions[position], "close").as_of, 110)
        assert ours.sessions == day.days[position - 109 : position + 1]
        assert ours.symbols == theirs.symbols
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_splits_and_distributions_adjust_as_in_the_source(
    peer: AlpacaDataPeer, source: EmbeddedMarket, tmp_path: Path
) -> None:
    last = len(source.sessions) - 2
    peer.day.now = peer.day.schedule.sessions[last].closes + SETTLED
    market = market_of(peer, tmp_path, history=last, horizon=10)
    for position in (last, last - 20, last - 60):
        theirs = source.panel(source.tick(source.sessions[position], "close").as_of, position - 1)
        ours = market.panel(peer.day.schedule.sessions[position].closes, len(theirs.sessions))
        np.testing.assert_allclose(ours.close, theirs.close[-len(ours.close) :], rtol=1e-12)
        np.testing.assert_allclose(ours.volume, theirs.volume[-len(ours.volume) :], rtol=1e-12)
    wy = next(item for item in peer.day.actions if item.symbol == "WY")
    opening = market.tick(wy.ex_date, "open").as_of
    assert [(item.symbol, item.cash) for item in market.corporate_actions(wy.ex_date, opening)] == [("WY", wy.cash)]
    assert market.corporate_actions(wy.ex_date, opening - timedelta(seconds=1)) == ()


def test_the_window_holds_history_the_anchor_and_sessions_to_come(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    assert market.anchor == peer.day.days[START + 1]
    assert market.sessions.index(market.anchor) == 120
    assert len(market.sessions) == 120 + 1 + 60
    assert market.sessions[121] == peer.day.days[START + 2]


def test_an_early_close_is_the_close(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    half = next(item for item in peer.day.schedule.sessions if item.closes - item.opens < timedelta(hours=4))
    peer.day.now = half.closes + SETTLED
    market = market_of(peer, tmp_path, history=peer.day.days.index(half.day), horizon=10)
    assert market.tick(half.day, "close").as_of == half.closes
    assert market.panel(half.closes, 1).sessions == (half.day,)
    assert market.bars(half.day, half.closes)["IBM"].known_at == half.closes


def test_a_restart_on_a_later_day_keeps_indices_and_hash(
    market: AlpacaMarket, peer: AlpacaDataPeer, tmp_path: Path
) -> None:
    peer.day.to_close(peer.day.days[START + 5])
    peer.day.to(peer.day.now + SETTLED)
    again = market_of(peer, tmp_path, anchor=market.anchor)
    assert again.sessions == market.sessions
    assert again.dataset_sha256 == market.dataset_sha256
    elsewhere = market_of(peer, tmp_path / "other", anchor=market.anchor)
    assert elsewhere.dataset_sha256 == market.dataset_sha256
    assert market_of(peer, tmp_path / "new").dataset_sha256 != market.dataset_sha256


def test_the_hash_follows_names_feed_and_every_price_of_the_history(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    hashes = [market_of(peer, tmp_path / "a").dataset_sha256]
    hashes.append(market_of(peer, tmp_path / "b", symbols=["IBM", "GIS"]).dataset_sha256)
    hashes.append(market_of(peer, tmp_path / "c", feed="sip").dataset_sha256)
    peer.spoiled[("IBM", peer.day.days[START - 50])] = {"v": 1}
    hashes.append(market_of(peer, tmp_path / "d").dataset_sha256)
    assert len(set(hashes)) == 4


def test_one_name_more_in_the_cache_changes_nothing_for_the_others(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    alone = market_of(peer, tmp_path / "a", symbols=["IBM"]).dataset_sha256
    market_of(peer, tmp_path / "b")
    assert market_of(peer, tmp_path / "b", symbols=["IBM"]).dataset_sha256 == alone


def test_opens_are_those_of_the_bar_in_progress_and_stay(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    tick = market.tick(market.anchor, "open")
    with pytest.raises(FutureDataError):
        market.opens(tick)
    peer.day.to_open(market.anchor)
    with pytest.raises(FutureDataError):
        market.opens(tick.model_copy(update={"as_of": tick.as_of - timedelta(seconds=1)}))
    peer.hidden.add("GIS")
    opens = market.opens(tick)
    assert opens == {name: peer.day.bars(market.anchor)[name].open for name in NAMES if name != "GIS"}
    assert ("missing_bar", "GIS") in _codes(market, tick)
    peer.hidden.clear()
    peer.spoiled[("IBM", market.anchor)] = {"o": 1.0}
    assert market.opens(tick) == {**opens, "GIS": peer.day.bars(market.anchor)["GIS"].open}


def test_opens_wait_for_the_benchmark(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    peer.day.to_open(market.anchor)
    peer.hidden.add("SPY")
    with pytest.raises(RetryableToolError) as refusal:
        market.opens(market.tick(market.anchor, "open"))
    assert refusal.value.code == "no_opens"


def test_opens_of_a_settled_session_come_from_its_bar(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    before = len(peer.asked("stocks/snapshots"))
    opens = market.opens(market.tick(peer.day.days[START], "open"))
    assert opens["IBM"] == peer.day.bars(peer.day.days[START])["IBM"].open
    assert len(peer.asked("stocks/snapshots")) == before


def test_opens_of_a_missed_session_come_from_its_bar(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    peer.day.to_close(market.sessions[123])
    opens = market.opens(market.tick(market.anchor, "open"))
    assert opens["IBM"] == peer.day.bars(market.anchor)["IBM"].open
    assert peer.asked("stocks/snapshots") == []


def test_a_feed_that_is_behind_at_the_start_is_asked_again(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.spoiled[("SPY", peer.day.days[START])] = {"c": None}
    with pytest.raises(RetryableToolError) as refusal:
        market_of(peer, tmp_path)
    assert refusal.value.code == "no_bars"
    peer.spoiled.clear()
    assert market_of(peer, tmp_path).panel(peer.day.now, 1).sessions == (peer.day.days[START],)


def test_a_bar_is_taken_when_it_is_final_and_not_before(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    closing = market.tick(market.anchor, "close").as_of
    peer.day.to_open(market.anchor)
    for early in (closing, closing + timedelta(days=30)):
        with pytest.raises(FutureDataError):
            market.panel(early, 5)
    peer.day.to(closing + timedelta(minutes=14))
    with pytest.raises(RetryableToolError) as refusal:
        market.bars(market.anchor, closing)
    assert refusal.value.code == "not_final"
    assert "ask again then" in refusal.value.message
    peer.day.to(closing + timedelta(minutes=15))
    assert market.bars(market.anchor, closing)["IBM"].close == peer.day.bars(market.anchor)["IBM"].close


def test_a_feed_that_is_behind_is_asked_again(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    closing = market.tick(market.anchor, "close").as_of
    peer.day.to(closing + SETTLED)
    peer.script.append("empty")
    with pytest.raises(RetryableToolError) as refusal:
        market.panel(closing, 5)
    assert refusal.value.code == "no_bars"
    assert market.panel(closing, 5).sessions[-1] == market.anchor


def test_the_index_is_the_benchmarks_close(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    day = peer.day.days[START]
    closing = market.tick(day, "close").as_of
    assert market.index_close(day, closing) == float(peer.day.bars(day)["SPY"].close)
    with pytest.raises(FutureDataError):
        market.index_close(day, closing - timedelta(seconds=1))
    assert "SPY" not in market.symbols


def test_a_hole_in_the_benchmark_is_named(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day.days[START - 3]
    peer.spoiled[("SPY", day)] = {"c": float("nan")}
    market = market_of(peer, tmp_path)
    with pytest.raises(DataError) as refusal:
        market.index_close(day, market.tick(day, "close").as_of)
    assert refusal.value.code == "no_benchmark"


def test_unknown_names_and_names_without_history_are_left_out_and_named(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.unknown.add("NOSUCH")
    peer.hidden.add("WY")
    market = market_of(peer, tmp_path, symbols=[*NAMES, "NOSUCH"])
    assert market.symbols == ("BF.B", "CAH", "GIS", "IBM")
    assert set(market.left_out) == {"WY", "NOSUCH"}
    assert "does not know" in market.left_out["NOSUCH"]
    tick = market.tick(market.anchor, "close")
    peer.day.to(tick.as_of + SETTLED)
    assert {("left_out", "WY"), ("left_out", "NOSUCH")} <= _codes(market, tick)
    with pytest.raises(DataError) as refusal:
        market.instrument("WY")
    assert refusal.value.code == "unknown_symbol"


def test_a_name_without_a_sector_is_unclassified(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    market = market_of(peer, tmp_path, instruments={}, symbols=["IBM"])
    assert market.instrument("IBM").sector == "Unclassified"


def test_nothing_left_is_an_error(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.hidden |= set(NAMES)
    with pytest.raises(DataError) as refusal:
        market_of(peer, tmp_path / "a")
    assert refusal.value.code == "no_history"
    peer.hidden = {"SPY"}
    with pytest.raises(DataError, match="benchmark SPY"):
        market_of(peer, tmp_path / "b")


@pytest.mark.parametrize(
    "spoil",
    [{"c": float("nan")}, {"o": -1}, {"l": 0}, {"h": 0.01}, {"v": -5}, {"c": None}, {"c": "12"}, {"v": float("inf")}],
)
def test_a_bar_that_cannot_be_is_dropped_and_reported(
    spoil: dict[str, object], market: AlpacaMarket, peer: AlpacaDataPeer
) -> None:
    peer.spoiled[("IBM", market.anchor)] = spoil
    tick = market.tick(market.anchor, "close")
    peer.day.to(tick.as_of + SETTLED)
    panel = market.panel(tick.as_of, 2)
    assert np.isnan(panel.close[-1, panel.column("IBM")])
    assert not np.isnan(panel.close[-1, panel.column("GIS")])
    assert "IBM" not in market.bars(market.anchor, tick.as_of)
    assert ("missing_bar", "IBM") in _codes(market, tick)
    after = market.tick(market.sessions[121], "close")
    peer.day.to(after.as_of + SETTLED)
    assert ("dropped_bar", "IBM") in _codes(market, after)


def test_two_different_bars_for_one_session_are_none(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    tick = market.tick(market.anchor, "close")
    peer.day.to(tick.as_of + SETTLED)
    peer.script.append("two_bars")
    assert set(market.bars(market.anchor, tick.as_of)) == set(NAMES) - {"BF.B"}
    after = market.tick(market.sessions[121], "close")
    peer.day.to(after.as_of + SETTLED)
    assert ("dropped_bar", "BF.B") in _codes(market, after)


def test_a_jump_that_no_action_explains_is_found(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    price = float(peer.day.bars(market.anchor)["IBM"].close) / 2
    peer.spoiled[("IBM", market.anchor)] = dict.fromkeys("ohlc", price)
    tick = market.tick(market.anchor, "close")
    peer.day.to(tick.as_of + SETTLED)
    assert ("unexplained_jump", "IBM") in _codes(market, tick)


def test_a_clock_that_goes_back_is_reported_and_unlocks_nothing(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    closing = market.tick(market.anchor, "close").as_of
    peer.day.to(closing + SETTLED)
    market.panel(closing, 5)
    peer.day.now = closing - timedelta(hours=2)
    with pytest.raises(FutureDataError):
        market.panel(closing, 5)
    notes = market.noticed(market.tick(market.anchor, "close"))
    assert [(issue.code, issue.unit) for issue in notes] == [("clock_back", "seconds")]


def test_observations_are_those_of_the_given_source_as_of_the_clock(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    now = peer.day.now
    known, unknown = (
        Observation(series="X", kind="macro", value=1.0, unit="percent", event_time=now, known_at=at, source="test")
        for at in (now, now + timedelta(seconds=1))
    )
    assert market_of(peer, tmp_path).observations(now) == ()
    market = market_of(peer, tmp_path, macro=lambda as_of: (known, unknown))
    assert market.observations(now) == (known,)


def test_without_a_venue_nothing_is_known_of_it(market: AlpacaMarket) -> None:
    assert isinstance(market, VenueState)
    now = datetime.now(UTC)
    answers = (market.clock_skew_seconds(now), market.paused("IBM", now), market.borrow("IBM"), market.tradable("IBM"))
    assert answers == (None, None, None, None)


def test_a_naive_clock_is_refused(market: AlpacaMarket) -> None:
    with pytest.raises(DataError) as refusal:
        market.observations(datetime(2026, 1, 1))
    assert refusal.value.code == "naive_clock"


def test_opens_are_exact_money(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    peer.day.to_open(market.anchor)
    for price in market.opens(market.tick(market.anchor, "open")).values():
        assert price == price.quantize(Decimal("0.01"))
    assert isinstance(market.anchor, date)
