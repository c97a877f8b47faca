"""A market on the reading peer, for the tests of Alpaca's data."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_day import AlpacaDay
from tests.peers.alpaca_peer import KEY, SECRET
from tools.data.collectors.alpaca_client import AlpacaClient
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.collectors.embedded import EmbeddedMarket

LAST = date(2026, 11, 20)
NAMES = ("BF.B", "CAH", "GIS", "IBM", "WY")
START = 150
SETTLED = timedelta(minutes=16)


def new_day(source: EmbeddedMarket, position: int = START) -> AlpacaDay:
    """A day whose session at `position` is closed and settled."""
    day = AlpacaDay(source, last=LAST)
    day.now = day.schedule.sessions[position].closes + SETTLED
    return day


def client_of(peer: AlpacaDataPeer, waits: list[float] | None = None, **changes: Any) -> AlpacaClient:
    """A client that never really waits; `waits` collects how long it would have."""
    kept = [] if waits is None else waits
    options: dict[str, Any] = {
        "data_url": peer.base_url, "trading_url": peer.base_url, "timeout_s": (2.0, 2.0), "sleep": kept.append,
    }  # fmt: skip
    return AlpacaClient(KEY, SECRET, **{**options, **changes})


def market_of(peer: AlpacaDataPeer, folder: Path, **changes: Any) -> AlpacaMarket:
    source = peer.day.market
    options: dict[str, Any] = {
        "instruments": {name: source.instrument(name) for name in source.symbols}, "history": 120, "horizon": 60,
        "clock": lambda: peer.day.now,
    }  # fmt: skip
    client = changes.pop("client", None) or client_of(peer)
    return AlpacaMarket(client, folder, **{**options, **changes})
