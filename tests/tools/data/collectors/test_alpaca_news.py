"""Headlines: tainted, dated by the text we have, each once, and asked for only as far as they are missing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_day import text
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.evidence import headline_evidence
from tools.errors import RetryableToolError

WEEK = timedelta(days=7)
PATH = "/v1beta1/news"


def _article(peer: AlpacaDataPeer, number: int, words: str, **changes: Any) -> dict[str, Any]:
    at = text(peer.day.now - timedelta(minutes=30))
    return {
        "id": number, "headline": words, "created_at": at, "updated_at": at, "symbols": ["IBM"], "source": "peer",
        "author": "", "summary": "", "content": "", "url": None, **changes,
    }  # fmt: skip


def test_headlines_are_those_of_the_source_in_order(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    since = peer.day.schedule.sessions[0].opens
    wanted = [
        (item.text, item.known_at) for item in peer.day.headlines
        if since < item.known_at <= peer.day.now and set(item.symbols) & set(market.symbols)
    ]  # fmt: skip
    found = market.headlines(since, peer.day.now)
    assert wanted
    assert [(item.text, item.known_at) for item in found] == wanted
    assert all(headline_evidence(item).taint for item in found)


def test_an_article_comes_once_however_often_it_is_told(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    later = text(peer.day.now - timedelta(minutes=5))
    peer.articles = [
        _article(peer, 1001, "One  thing &amp; another\nhappened"), _article(peer, 1001, "Changed", updated_at=later),
        _article(peer, 1002, "ONE THING & ANOTHER HAPPENED"), _article(peer, 1003, " \n"),
        _article(peer, 1004, "x" * 900, symbols=["IBM", "IBM", "btcusd", "$X"]),
    ]  # fmt: skip
    found = [item for item in market.headlines(peer.day.now - WEEK, peer.day.now) if "IBM" in item.symbols]
    assert [item.text for item in found[-2:]] == ["One thing & another happened", "x" * 200] or [
        item.text for item in found[-2:]
    ] == ["x" * 200, "One thing & another happened"]
    assert {item.symbols for item in found[-2:]} == {("IBM",)}


def test_a_text_is_known_from_its_latest_version(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    created, updated = peer.day.now - timedelta(hours=3), peer.day.now - timedelta(hours=1)
    peer.articles = [_article(peer, 1001, "Later text", created_at=text(created), updated_at=text(updated))]
    assert "Later text" not in [item.text for item in market.headlines(peer.day.now - WEEK, created)]
    (item,) = [item for item in market.headlines(peer.day.now - WEEK, updated) if item.text == "Later text"]
    assert (item.event_time, item.known_at) == (created, updated)


def test_only_the_missing_stretch_is_asked_for(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    first = peer.day.now
    market.headlines(first - WEEK, first)
    market.headlines(first - WEEK, first)
    assert len(peer.asked(PATH)) == 1
    peer.day.to(first + timedelta(hours=5))
    market.headlines(peer.day.now - WEEK, peer.day.now)
    assert [query["start"] for query in peer.asked(PATH)] == [text(first - WEEK), text(first)]


def test_many_articles_come_in_pages(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    peer.articles = [_article(peer, 2000 + number, f"Thing number {number} happened") for number in range(120)]
    found = market.headlines(peer.day.now - timedelta(hours=1), peer.day.now)
    assert len({item.id for item in found}) == 120
    assert len(peer.asked(PATH)) == 3


def test_a_source_that_is_down_is_an_error_and_not_an_empty_answer(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    peer.script.extend(["error"] * 4)
    with pytest.raises(RetryableToolError):
        market.headlines(peer.day.now - WEEK, peer.day.now)
    assert market.headlines(peer.day.schedule.sessions[0].opens, peer.day.now)
