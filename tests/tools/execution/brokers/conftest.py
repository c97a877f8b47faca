"""A loopback Alpaca for the tests of the adapter, and a broker on it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.peers.alpaca_peer import AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import connect
from tools.execution.brokers.alpaca import AlpacaBroker

D = Decimal


@pytest.fixture(scope="module")
def servers() -> Iterator[AlpacaPeer]:
    with AlpacaPeer(hang_s=0.3) as made:
        yield made


@pytest.fixture
def peer(servers: AlpacaPeer) -> AlpacaPeer:
    servers.reset(7)
    return servers


@pytest.fixture
def broker(peer: AlpacaPeer) -> Iterator[AlpacaBroker]:
    made = connect(peer)
    yield made
    made.close()
