"""What was fetched is kept and not asked for again; what is damaged is noticed, put aside and fetched anew."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.tools.data.collectors.alpaca_help import NAMES, SETTLED, START, market_of
from tools.canonical import sha256_hex
from tools.data import quality
from tools.data.collectors.alpaca_market import AlpacaMarket

BARS = "alpaca-iex-bars.cache"
ACTIONS = "alpaca-iex-actions.cache"


def _spans(peer: AlpacaDataPeer) -> list[tuple[str, str, str]]:
    """Names, first and last day of every request for bars."""
    return [(query["symbols"], query["start"][:10], query["end"][:10]) for query in peer.asked("stocks/bars")]


def test_only_the_sessions_that_are_missing_are_asked_for(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    everyone = ",".join((*NAMES, "SPY"))
    days = peer.day.days
    assert _spans(peer) == [(everyone, str(market.sessions[0]), str(days[START]))]
    market.panel(peer.day.now, 100)
    market.bars(days[START - 5], peer.day.now)
    assert len(_spans(peer)) == 1
    peer.day.to_close(days[START + 3])
    peer.day.to(peer.day.now + SETTLED)
    market.panel(peer.day.now, 100)
    market.panel(peer.day.now, 3)
    assert _spans(peer)[1:] == [(everyone, str(days[START + 1]), str(days[START + 3]))]


def test_a_restart_asks_for_nothing_that_is_there(market: AlpacaMarket, peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.day.to_close(market.anchor)
    peer.day.to(peer.day.now + SETTLED)
    again = market_of(peer, tmp_path, anchor=market.anchor)
    assert _spans(peer)[1:] == [(",".join((*NAMES, "SPY")), str(market.anchor), str(market.anchor))]
    third = market_of(peer, tmp_path, anchor=market.anchor)
    assert len(_spans(peer)) == 2
    np.testing.assert_array_equal(again.panel(peer.day.now, 50).close, third.panel(peer.day.now, 50).close)


def test_a_new_name_is_asked_for_alone(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    market_of(peer, tmp_path, symbols=["IBM"])
    market_of(peer, tmp_path, symbols=["GIS", "IBM"])
    assert [names for names, _, _ in _spans(peer)] == ["IBM,SPY", "GIS"]


def test_a_name_that_had_no_bar_is_not_asked_for_again(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.hidden.add("WY")
    for _ in range(2):
        assert "WY" in market_of(peer, tmp_path).left_out
    assert len(_spans(peer)) == 1


def test_a_later_window_keeps_what_the_earlier_fetched(
    market: AlpacaMarket, peer: AlpacaDataPeer, tmp_path: Path
) -> None:
    days = peer.day.days
    peer.day.to_close(days[START + 10])
    peer.day.to(peer.day.now + SETTLED)
    market_of(peer, tmp_path, anchor=days[START + 11])
    assert _spans(peer)[1:] == [(",".join((*NAMES, "SPY")), str(days[START + 1]), str(days[START + 10]))]


def test_a_longer_window_asks_for_what_a_shorter_dropped(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    whole = market_of(peer, tmp_path, symbols=["IBM"])
    market_of(peer, tmp_path, symbols=["GIS", "IBM"], history=60)
    again = market_of(peer, tmp_path, symbols=["IBM"])
    assert again.dataset_sha256 == whole.dataset_sha256


def test_each_feed_has_a_cache_of_its_own(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    market_of(peer, tmp_path)
    market_of(peer, tmp_path, feed="sip")
    assert [query["feed"] for query in peer.asked("stocks/bars")] == ["iex", "sip"]
    assert all(query["adjustment"] == "raw" for query in peer.asked("stocks/bars"))


def test_a_file_says_what_it_is_and_when_it_was_fetched(
    market: AlpacaMarket, peer: AlpacaDataPeer, tmp_path: Path
) -> None:
    head, _, payload = (tmp_path / BARS).read_bytes().partition(b"\n")
    assert json.loads(head) == {
        "format": 1, "feed": "iex", "adjustment": "raw", "sha256": sha256_hex(payload),
        "fetched_at": peer.day.now.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    assert not list(tmp_path.glob("*.new"))


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    return data[:-50] + bytes([data[-50] ^ 1]) + data[-49:]


def _resealed(data: bytes) -> bytes:
    """Nonsense with a good hash."""
    head = json.loads(data.partition(b"\n")[0])
    return json.dumps({**head, "sha256": sha256_hex(b"nonsense")}).encode() + b"\nnonsense"


def _other_feed(data: bytes) -> bytes:
    return data.replace(b'"iex"', b'"sip"', 1)


@pytest.mark.parametrize("harm", [_cut, _flip, _resealed, _other_feed, lambda _: b"", lambda _: b"[]\n"])
@pytest.mark.parametrize("file", [BARS, ACTIONS])
def test_a_damaged_file_is_set_aside_reported_and_fetched_again(
    file: str, harm: object, peer: AlpacaDataPeer, tmp_path: Path
) -> None:
    assert callable(harm)
    peer.actions = {"cash_dividends": [_dividend(peer.day.days[START - 5])]}
    before = market_of(peer, tmp_path)
    data = (tmp_path / file).read_bytes()
    harmed = harm(data)
    (tmp_path / file).write_bytes(harmed)
    after = market_of(peer, tmp_path)
    assert after.dataset_sha256 == before.dataset_sha256
    assert (tmp_path / file).read_bytes().partition(b"\n")[2] == data.partition(b"\n")[2]
    asides = sorted(path for path in tmp_path.iterdir() if "damaged" in path.name)
    assert [path.read_bytes() for path in asides] == [harmed]
    tick = after.tick(after.anchor, "close")
    peer.day.to(tick.as_of + SETTLED)
    (issue,) = [item for item in quality.inspect(after, tick) if item.code == "damaged_cache"]
    assert file in issue.message
    assert asides[0].name in issue.message


def test_a_second_damage_does_not_overwrite_the_first(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    for harmed in (b"one", b"two"):
        market_of(peer, tmp_path)
        (tmp_path / BARS).write_bytes(harmed)
    market_of(peer, tmp_path)
    assert sorted(path.read_bytes() for path in tmp_path.glob("*damaged*")) == [b"one", b"two"]


def _dividend(day: date) -> dict[str, object]:
    return {"id": "d1", "symbol": "IBM", "ex_date": str(day), "rate": 0.55, "special": False}
