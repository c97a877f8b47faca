"""One source and one pair of servers for the folder; every test gets a fresh day on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.tools.data.collectors.alpaca_help import NAMES, market_of, new_day
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.collectors.embedded import EmbeddedMarket


@pytest.fixture(scope="session")
def source() -> EmbeddedMarket:
    return EmbeddedMarket(NAMES)


@pytest.fixture(scope="session")
def servers(source: EmbeddedMarket) -> Iterator[AlpacaDataPeer]:
    with AlpacaDataPeer(new_day(source), hang_s=0.2) as made:
        yield made


@pytest.fixture
def peer(servers: AlpacaDataPeer, source: EmbeddedMarket) -> AlpacaDataPeer:
    servers.reset(new_day(source))
    return servers


@pytest.fixture
def market(peer: AlpacaDataPeer, tmp_path: Path) -> AlpacaMarket:
    return market_of(peer, tmp_path)
