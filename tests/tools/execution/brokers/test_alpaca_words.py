"""Alpaca's words and ours: every kind of order, every status, and what has no words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.peers.alpaca_peer import AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, found
from tools.errors import ExecutionError
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.types import OrderRequest, OrderState

D = Decimal


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (buy(name="o" * 129), "has 129 characters"),
        (buy(order_type="limit", limit_price=D("10.001")), "not a multiple of 0.01"),
        (buy(order_type="limit", limit_price=D("0.12345")), "not a multiple of 0.0001"),
    ],
)
def test_what_alpaca_would_not_take_never_leaves(
    peer: AlpacaPeer, broker: AlpacaBroker, request_: OrderRequest, says: str
) -> None:
    with pytest.raises(ExecutionError, match=says) as error:
        broker.submit(request_)
    assert (error.value.code, peer.requests) == ("invalid_order", [])


ORDERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"order_type": "limit", "limit_price": D("127.10"), "time_in_force": "ioc"}, {"limit_price": "127.1"}),
    ({"order_type": "stop", "stop_price": D(130)}, {"stop_price": "130"}),
    (
        {"order_type": "stop_limit", "stop_price": D(130), "limit_price": D(131)},
        {"stop_price": "130", "limit_price": "131"},
    ),
    ({"order_type": "trailing_stop", "trail_percent": D("2.5")}, {"trail_percent": "2.5"}),
    ({"order_type": "trailing_stop", "trail_price": D("0.5")}, {"trail_price": "0.5"}),
    ({"time_in_force": "fok"}, {}),
]


@pytest.mark.parametrize(("terms", "wire"), ORDERS)
def test_every_kind_of_order_reaches_alpaca_in_exact_text(
    peer: AlpacaPeer, broker: AlpacaBroker, terms: dict[str, Any], wire: dict[str, str]
) -> None:
    sent = broker.submit(buy(**terms))
    order = peer.book.by_client_id("o1")
    prices = {
        name: order[name] for name in ("limit_price", "stop_price", "trail_price", "trail_percent") if order[name]
    }
    assert (prices, order["type"], order["qty"]) == (wire, terms.get("order_type", "market"), "10")
    assert (sent.limit_price, sent.stop_price, sent.trail_percent) == (
        terms.get("limit_price"), terms.get("stop_price"), terms.get("trail_percent"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("accepted", 0, OrderState.NEW), ("pending_new", 0, OrderState.NEW), ("held", 0, OrderState.NEW),
        ("done_for_day", 3, OrderState.PARTIALLY_FILLED), ("stopped", 0, OrderState.NEW),
        ("suspended", 0, OrderState.NEW), ("calculated", 3, OrderState.PARTIALLY_FILLED),
        ("pending_cancel", 3, OrderState.PENDING_CANCEL), ("pending_replace", 0, OrderState.PENDING_REPLACE),
        ("canceled", 3, OrderState.CANCELLED), ("expired", 0, OrderState.EXPIRED),
        ("replaced", 3, OrderState.REPLACED), ("rejected", 0, OrderState.REJECTED),
        ("filled", 10, OrderState.FILLED), ("teleported", 0, OrderState.UNKNOWN),
    ],
)  # fmt: skip
def test_every_status_has_one_meaning(
    peer: AlpacaPeer, broker: AlpacaBroker, status: str, filled: int, expected: OrderState
) -> None:
    broker.submit(buy())
    peer.book.by_client_id("o1").update(status=status, filled_qty=str(filled))
    order = found(broker, "o1")
    assert (order.state, order.filled_quantity) == (expected, filled)
    if status == "teleported":
        assert order.reason is not None
        assert "'teleported'" in order.reason


def test_every_status_that_alpaca_py_knows_is_in_the_table(broker: AlpacaBroker) -> None:
    from alpaca.trading.enums import OrderStatus

    from tools.execution.brokers.alpaca_words import STATES

    assert set(STATES) >= {status.value for status in OrderStatus}


def test_fractions_and_other_assets_are_named(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    broker.submit(buy())
    peer.book.by_client_id("o1")["qty"] = "1.5"
    with pytest.raises(ExecutionError, match="close the fraction at Alpaca first"):
        broker.find("o1")
    peer.book.by_client_id("o1")["qty"] = None
    with pytest.raises(ExecutionError, match="no share quantity"):
        broker.find("o1")
    peer.book.by_client_id("o1").update(qty="1", symbol="SPY260320C00600000")
    with pytest.raises(ExecutionError, match="no words for: symbol"):
        broker.find("o1")
