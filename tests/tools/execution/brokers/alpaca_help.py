"""A peer and a broker on it, for the tests of the Alpaca adapter."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.peers.alpaca_peer import KEY, SECRET, AlpacaPeer
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.types import Broker, BrokerOrder, OrderRequest

D = Decimal


def connect(peer: AlpacaPeer, journal: Path | None = None, **changes: Any) -> AlpacaBroker:
    options: dict[str, Any] = {
        "key_id": KEY, "secret_key": SECRET, "base_url": peer.base_url, "stream_url": peer.stream_url,
        "journal": journal, "timeout_s": (2.0, 2.0),
    }  # fmt: skip
    return AlpacaBroker(**{**options, **changes})


def buy(name: str = "o1", quantity: int = 10, **changes: Any) -> OrderRequest:
    return OrderRequest.model_validate(
        {
            "client_order_id": name, "symbol": "IBM", "side": "buy", "quantity": quantity, "order_type": "market",
            "time_in_force": "day", **changes,
        }
    )  # fmt: skip


def sell(name: str = "x1", quantity: int = 10, **changes: Any) -> OrderRequest:
    return buy(name, quantity, **{"side": "sell", "reduce_only": True, **changes})


def posts(peer: AlpacaPeer) -> int:
    """How many orders were sent to the peer."""
    return sum(method == "POST" for method, _ in peer.requests)


def found(broker: Broker, name: str) -> BrokerOrder:
    order = broker.find(name)
    assert order is not None
    return order
