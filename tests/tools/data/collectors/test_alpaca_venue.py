"""What the venue says of itself: its clock, its list of names, and who is paused, as long as somebody listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_peer import KEY, SECRET
from tests.tools.data.collectors.alpaca_help import NAMES, START, client_of, market_of
from tools.data.collectors.alpaca_statuses import StatusFeed
from tools.data.collectors.alpaca_venue import AlpacaVenue
from tools.data.types import VenueState
from tools.errors import ConfigError, RetryableToolError

SECOND = timedelta(seconds=1)


def _venue(peer: AlpacaDataPeer, statuses: StatusFeed | None = None, trip: float = 0.0) -> AlpacaVenue:
    """A venue state whose machine agrees with the day; a request takes `trip` seconds."""
    ticks = iter(range(10_000))
    return AlpacaVenue(
        client_of(peer), NAMES, statuses=statuses, clock=lambda: peer.day.now,
        stopwatch=lambda: next(ticks) * trip, every_s=0.01,
    )  # fmt: skip


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen within five seconds"
        time.sleep(0.005)


@contextmanager
def _listening(peer: AlpacaDataPeer, **changes: str) -> Iterator[StatusFeed]:
    feed = StatusFeed(
        changes.get("key", KEY), SECRET, url=peer.stream_url, backoff_s=(0.01, 0.02), clock=lambda: peer.day.now
    )
    feed.start()
    try:
        yield feed
    finally:
        feed.close()


def test_two_clocks_that_agree_have_no_skew(peer: AlpacaDataPeer) -> None:
    venue = _venue(peer)
    assert isinstance(venue, VenueState)
    assert venue.clock_skew_seconds(peer.day.now) is None
    venue.poll()
    assert venue.clock_skew_seconds(peer.day.now) == 0


@pytest.mark.parametrize(("ahead", "trip", "expected"), [(5, 0, -5), (-5, 0, 5), (0, 2, 2), (5, 2, -5), (-5, 2, 7)])
def test_skew_counts_the_round_trip_against_us(ahead: int, trip: float, expected: float, peer: AlpacaDataPeer) -> None:
    """Halfway through a trip of 2 s the desk's clock shows 1 s more, and could be off by another."""
    peer.clock_ahead = ahead * SECOND
    venue = _venue(peer, trip=trip)
    venue.poll()
    assert venue.clock_skew_seconds(peer.day.now) == expected


def test_a_measurement_grows_old(peer: AlpacaDataPeer) -> None:
    venue = _venue(peer)
    venue.poll()
    now = peer.day.now
    assert venue.clock_skew_seconds(now + 90 * SECOND) == 0
    assert venue.clock_skew_seconds(now + 91 * SECOND) is None
    assert venue.clock_skew_seconds(now - SECOND) is None


def test_a_venue_clock_that_goes_back_is_not_believed(peer: AlpacaDataPeer) -> None:
    venue = _venue(peer)
    venue.poll()
    peer.clock_ahead = -SECOND
    venue.poll()
    assert venue.clock_skew_seconds(peer.day.now) is None
    venue.poll()
    assert venue.clock_skew_seconds(peer.day.now) == 1


def test_assets_say_who_trades_and_who_can_be_borrowed(peer: AlpacaDataPeer) -> None:
    peer.assets = {"GIS": {"easy_to_borrow": False}, "WY": {"tradable": False}, "CAH": {"shortable": False}}
    peer.hidden.add("BF.B")
    venue = _venue(peer)
    assert venue.borrow("IBM") is None
    assert venue.tradable("IBM") is None
    venue.poll()
    assert {name: venue.borrow(name) for name in NAMES} == {
        "BF.B": False, "CAH": False, "GIS": False, "IBM": True, "WY": True,
    }  # fmt: skip
    assert [name for name in NAMES if not venue.tradable(name)] == ["BF.B", "WY"]
    peer.day.now += timedelta(hours=25)
    assert venue.tradable("IBM") is None


def test_assets_are_asked_for_once_in_six_hours(peer: AlpacaDataPeer) -> None:
    venue = _venue(peer)
    for _ in range(3):
        venue.poll()
    peer.day.now += timedelta(hours=6)
    venue.poll()
    assert len(peer.asked("assets")) == 2
    assert len(peer.asked("clock")) == 4


def test_a_venue_that_does_not_answer_leaves_nothing_known(peer: AlpacaDataPeer) -> None:
    venue = _venue(peer)
    peer.script.extend(["error"] * 4)
    with pytest.raises(RetryableToolError):
        venue.poll()
    assert venue.clock_skew_seconds(peer.day.now) is None
    assert venue.tradable("IBM") is None


def test_without_a_stream_a_pause_is_unknown_in_hours_and_impossible_outside(peer: AlpacaDataPeer) -> None:
    venue = _venue(peer)
    session = peer.day.schedule.sessions[START]
    assert venue.paused("IBM", session.opens) is None
    assert venue.paused("IBM", session.closes - SECOND) is None
    assert venue.paused("IBM", session.closes) is False
    assert venue.paused("IBM", session.opens - SECOND) is False


def test_halts_pauses_and_resumptions_are_heard(peer: AlpacaDataPeer) -> None:
    opens = peer.day.schedule.sessions[START + 1].opens
    peer.day.to(opens - 60 * SECOND)
    with _listening(peer) as feed:
        _until(lambda: feed.since is not None)
        venue = _venue(peer, feed)
        at = opens + 600 * SECOND
        assert venue.paused("IBM", at) is False
        told: list[tuple[str, datetime, bool | None]] = [
            ("P", at, True), ("E", at + SECOND, True), ("Q", at + 2 * SECOND, True), ("T", at + 3 * SECOND, False),
            ("2", at + 4 * SECOND, True), ("3", at + 5 * SECOND, False), ("?", at + 6 * SECOND, None),
        ]  # fmt: skip
        for code, moment, _ in told:
            peer.tell_status("IBM", code, moment)
        _until(lambda: feed.verdict("IBM", at + 6 * SECOND) is None)
        assert [venue.paused("IBM", moment) for _, moment, _ in told] == [expected for _, _, expected in told]
        assert venue.paused("GIS", at) is False
        assert venue.paused("IBM", at - SECOND) is False


def test_a_halt_stays_after_the_close(peer: AlpacaDataPeer) -> None:
    session = peer.day.schedule.sessions[START + 1]
    with _listening(peer) as feed:
        _until(lambda: feed.since is not None)
        peer.tell_status("IBM", "H", session.closes - SECOND)
        _until(lambda: feed.verdict("IBM", session.closes) == "stopped")
        venue = _venue(peer, feed)
        assert venue.paused("IBM", session.closes + 3600 * SECOND) is True


def test_who_listens_since_the_open_only_waits_for_a_trade(peer: AlpacaDataPeer) -> None:
    peer.day.to_open(peer.day.days[START + 1])
    peer.day.to(peer.day.now + 600 * SECOND)
    with _listening(peer) as feed:
        _until(lambda: feed.since is not None)
        venue = _venue(peer, feed)
        assert venue.paused("IBM", peer.day.now) is None
        peer.hidden.add("GIS")
        peer.day.to(peer.day.now + SECOND)
        venue.poll()
        assert venue.paused("IBM", peer.day.now) is False
        assert venue.paused("GIS", peer.day.now) is None


def test_a_lost_connection_forgets_everything_and_listens_anew(peer: AlpacaDataPeer) -> None:
    opens = peer.day.schedule.sessions[START + 1].opens
    with _listening(peer) as feed:
        _until(lambda: feed.since is not None)
        peer.tell_status("IBM", "H", opens)
        _until(lambda: feed.verdict("IBM", opens) == "stopped")
        peer.day.to(opens + 600 * SECOND)
        peer.hang_up()
        _until(lambda: feed.since == opens + 600 * SECOND)
        assert _venue(peer, feed).paused("IBM", peer.day.now) is None


def test_a_stream_that_refuses_the_key_never_listens(peer: AlpacaDataPeer) -> None:
    with _listening(peer, key="PKWRONG") as feed:
        _until(lambda: peer.logins_refused >= 3)
        assert feed.since is None
        assert feed.verdict("IBM", peer.day.now) is None


def test_it_polls_by_itself_until_it_is_closed(peer: AlpacaDataPeer) -> None:
    with _listening(peer) as feed:
        venue = _venue(peer, feed)
    peer.script.extend(["error"] * 4)
    venue.start()
    try:
        _until(lambda: venue.clock_skew_seconds(peer.day.now) == 0 and venue.trouble is None)
        peer.script.extend(["error"] * 400)
        _until(lambda: venue.trouble is not None)
    finally:
        venue.close()
        peer.script.clear()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("alpaca-")]


def test_the_market_speaks_for_its_venue(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    venue = _venue(peer)
    venue.poll()
    market = market_of(peer, tmp_path, venue=venue)
    now = peer.day.now
    assert (market.clock_skew_seconds(now), market.tradable("IBM"), market.borrow("IBM")) == (0, True, True)
    assert market.paused("IBM", now) is False


def test_a_stream_needs_both_halves_of_the_key() -> None:
    with pytest.raises(ConfigError):
        StatusFeed("", SECRET)
