"""Reading from a source that misbehaves: bounded tries, the right error, and never a key in any of them."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_peer import KEY, SECRET
from tests.tools.data.collectors.alpaca_help import SETTLED, client_of, market_of
from tools.data.collectors.alpaca_client import AlpacaClient, Refused, retry_after
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.collectors.alpaca_statuses import StatusFeed
from tools.errors import ConfigError, QuarterdeckError, RetryableToolError

TRANSIENT = ("busy", "error", "unavailable", "die_before", "garbage_after", "cut_after")
CODES = {"busy": "feed_busy", "garbage_after": "feed_garbled"}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_failure_that_passes_is_not_noticed(fault: str, peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.script.extend([fault] * 3)
    waits: list[float] = []
    market = market_of(peer, tmp_path, client=client_of(peer, waits))
    assert market.left_out == {}
    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_failure_that_stays_ends_after_four_tries(fault: str, peer: AlpacaDataPeer) -> None:
    peer.script.extend([fault] * 10)
    with pytest.raises(RetryableToolError) as refusal:
        client_of(peer).get("trading", "/clock")
    assert refusal.value.code == CODES.get(fault, "feed_unreachable")
    assert len(peer.requests) == 4


def test_silence_ends_in_a_timeout(peer: AlpacaDataPeer) -> None:
    peer.script.append("timeout_before")
    with pytest.raises(RetryableToolError) as refusal:
        client_of(peer, tries=1, timeout_s=(1.0, 0.05)).get("trading", "/clock")
    assert refusal.value.code == "feed_unreachable"
    assert "Timeout" in refusal.value.message


def test_a_slow_answer_in_time_is_an_answer(peer: AlpacaDataPeer) -> None:
    peer.script.append("slow")
    assert client_of(peer).get("trading", "/clock")["is_open"] is False
    assert len(peer.requests) == 1


def test_nobody_there_is_an_error_that_may_pass() -> None:
    waits: list[float] = []
    client = AlpacaClient(KEY, SECRET, data_url="http://127.0.0.1:9", sleep=waits.append)
    with pytest.raises(RetryableToolError, match="did not answer"):
        client.get("stocks", "/stocks/bars")
    assert len(waits) == 3


def test_a_rate_limit_is_waited_out_as_the_venue_says_and_a_minute_at_most(peer: AlpacaDataPeer) -> None:
    for said, waited in (("7", 7.0), ("100000", 60.0), ("soon", 0.5)):
        peer.script.append("busy")
        peer.retry_after = said
        waits: list[float] = []
        client_of(peer, waits).get("trading", "/clock")
        assert waits == [waited]


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    waited = retry_after({"Retry-After": later})
    assert waited is not None
    assert 25 < waited <= 30
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({}) is None


def test_only_reading_requests_are_sent(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    peer.day.to_open(market.anchor)
    market.opens(market.tick(market.anchor, "open"))
    market.headlines(peer.day.now - timedelta(days=7), peer.day.now)
    assert {method for method, _ in peer.requests} == {"GET"}


@pytest.mark.parametrize(("key", "secret"), [("PKWRONG", SECRET), (KEY, "wrong-secret-xyz")])
def test_a_wrong_key_names_the_setting_and_not_the_key(key: str, secret: str, peer: AlpacaDataPeer) -> None:
    client = AlpacaClient(key, secret, data_url=peer.base_url, trading_url=peer.base_url)
    with pytest.raises(ConfigError) as refusal:
        client.get("stocks", "/stocks/bars", {"symbols": "IBM"})
    assert refusal.value.code == "bad_key"
    assert "alpaca_key" in refusal.value.message
    assert len(peer.requests) == 1
    told = "".join(traceback.format_exception(refusal.value))
    assert key not in told
    assert secret not in told


def test_half_a_key_is_refused() -> None:
    for build in (lambda: AlpacaClient("", "x"), lambda: AlpacaClient("x", ""), lambda: StatusFeed("x", "")):
        with pytest.raises(ConfigError) as refusal:
            build()
        assert refusal.value.code == "missing_key"


def test_no_key_is_in_an_error_a_log_or_a_repr(
    peer: AlpacaDataPeer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(peer)
    market = market_of(peer, tmp_path, client=client)
    told = [repr(client), repr(market), repr(StatusFeed(KEY, SECRET))]
    for fault in (*TRANSIENT, "wrong_token", "endless"):
        peer.script.extend([fault] * 4)
        try:
            list(client.pages("stocks", "/stocks/bars", {
                "symbols": "IBM", "start": "2026-06-01T00:00:00Z", "end": "2026-06-10T00:00:00Z",
            }))  # fmt: skip
        except QuarterdeckError as error:
            told.append("".join(traceback.format_exception(error)))
        peer.script.clear()
    assert len(told) == 11
    told += [caplog.text, *(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())]
    for line in told:
        assert KEY not in line
        assert SECRET not in line


def test_a_refusal_keeps_the_venues_words_without_the_key(peer: AlpacaDataPeer) -> None:
    peer.unknown.add(KEY)
    with pytest.raises(Refused) as refusal:
        client_of(peer).get("stocks", "/stocks/bars", {"symbols": KEY})
    assert refusal.value.code == "feed_refused"
    assert KEY not in refusal.value.message
    assert len(peer.requests) == 1


def test_pages_that_point_to_themselves_end(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    peer.script.extend(["endless"] * 3)
    with pytest.raises(RetryableToolError) as refusal:
        market_of(peer, tmp_path)
    assert refusal.value.code == "feed_garbled"
    assert "do not end" in refusal.value.message


def test_a_page_that_comes_twice_changes_nothing(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    whole = market_of(peer, tmp_path / "a").dataset_sha256
    peer.page = 100
    try:
        peer.script.extend(["repeat_page", "ok", "repeat_page"])
        assert market_of(peer, tmp_path / "b").dataset_sha256 == whole
        assert len(peer.asked("stocks/bars")) > 8
    finally:
        peer.page = 10_000


def test_a_token_that_is_refused_takes_nothing_of_the_answer(
    market: AlpacaMarket, peer: AlpacaDataPeer, tmp_path: Path
) -> None:
    closing = market.tick(market.anchor, "close").as_of
    peer.day.to(closing + SETTLED)
    kept = sorted(path.read_bytes() for path in tmp_path.iterdir())
    peer.script.append("wrong_token")
    with pytest.raises(Refused, match="page_token"):
        market.panel(closing, 5)
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == kept
    assert market.panel(closing, 5).sessions[-1] == market.anchor


@pytest.mark.parametrize("path", ["/stocks/bars", "/corporate-actions", "/news"])
def test_json_of_another_form_is_garbled(path: str, peer: AlpacaDataPeer, market: AlpacaMarket) -> None:
    client = client_of(peer)
    client._clients["stocks"].get = lambda *_: [1]  # type: ignore[method-assign]
    with pytest.raises(RetryableToolError) as refusal:
        list(client.pages("stocks", path, {}))
    assert refusal.value.code == "feed_garbled"
