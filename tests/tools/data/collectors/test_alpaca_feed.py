"""Market and venue opened together, and a whole session on them."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_peer import KEY, SECRET
from tests.tools.data.collectors.alpaca_help import NAMES, SETTLED, START
from tools.data import quality
from tools.data.collectors.alpaca_feed import open_alpaca, universe
from tools.data.collectors.embedded import EmbeddedMarket
from tools.strategy.features import compute


def test_the_default_names_are_those_of_the_embedded_market(source: EmbeddedMarket) -> None:
    listed = universe()
    assert len(listed) == 379
    assert all(listed[name] == source.instrument(name) for name in NAMES)


def test_a_session_from_before_its_open_to_its_settled_close(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day
    feed = open_alpaca(
        KEY, SECRET, tmp_path, symbols=NAMES, history=120, horizon=20, clock=lambda: peer.day.now,
        data_url=peer.base_url, trading_url=peer.base_url, stream_url=peer.stream_url,
    )  # fmt: skip
    market, venue = feed.market, feed.venue
    feed.start()
    try:
        end = time.monotonic() + 5
        while venue.paused("IBM", market.tick(market.anchor, "open").as_of) is None or not venue.tradable("IBM"):
            assert time.monotonic() < end
            time.sleep(0.005)
    finally:
        feed.close()
    opening = market.tick(market.anchor, "open")
    day.to_open(market.anchor)
    assert set(market.opens(opening)) == set(NAMES)
    closing = market.tick(market.anchor, "close")
    day.to(closing.as_of + SETTLED)
    assert quality.inspect(market, closing) == ()
    assert set(market.bars(market.anchor, closing.as_of)) == set(NAMES)
    assert set(compute(market.panel(closing.as_of, 100))) == set(NAMES)
    assert market.anchor == day.days[START + 1]
    assert market.sessions[121] - market.anchor < timedelta(days=5)
