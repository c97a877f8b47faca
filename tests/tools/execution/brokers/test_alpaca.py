"""The Alpaca adapter against a loopback Alpaca: what is sent, what is believed, what is asked again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.peers.alpaca_peer import AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect, found, posts, sell
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.brokers.alpaca import DOUBT_S, AlpacaBroker
from tools.execution.types import Broker, OrderRequest, OrderState

D = Decimal
DONE = ("timeout_after", "die_after", "error_after", "gateway_after", "garbage_after", "cut_after")
NOT_DONE = ("busy", "error", "unavailable", "timeout_before", "die_before")


def test_it_is_a_broker(broker: AlpacaBroker) -> None:
    typed: Broker = broker
    assert (typed.name, typed.positions(), typed.cash(), typed.open_orders()) == ("alpaca", {}, D(100_000), ())
    assert (broker.account().tradable, broker.market_clock().is_open, broker.live) == (True, True, False)


def test_an_order_is_sent_found_filled_and_booked(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    sent = broker.submit(buy())
    assert (sent.state, sent.quantity, sent.client_order_id) == (OrderState.NEW, 10, "o1")
    assert broker.open_orders() == (sent,)
    peer.book.fill("o1", 4, D("127.41"))
    assert found(broker, "o1").state == OrderState.PARTIALLY_FILLED
    peer.book.fill("o1", 6, D("127.50"))
    done = found(broker, "o1")
    assert (done.state, done.filled_quantity, done.average_price) == (OrderState.FILLED, 10, D("127.4640"))
    fills = broker.fills(0)
    assert [(fill.sequence, fill.client_order_id, fill.quantity, fill.price) for fill in fills] == [
        (1, "o1", 4, D("127.41")), (2, "o1", 6, D("127.50")),
    ]  # fmt: skip
    assert fills[0].session.isoformat() == "2026-03-02"
    assert fills[1:] == broker.fills(1)
    assert broker.positions() == {"IBM": 10}
    assert broker.cash() == D(100_000) - D("127.41") * 4 - D("127.50") * 6


@pytest.mark.parametrize("fault", DONE)
def test_no_answer_after_acceptance_is_unknown_and_asking_finds_the_order(peer: AlpacaPeer, fault: str) -> None:
    broker = connect(peer, timeout_s=(2.0, 0.15))
    peer.script.append(fault)
    with pytest.raises(RetryableToolError):
        broker.submit(buy())
    assert posts(peer) == 1
    assert found(broker, "o1").state == OrderState.NEW
    assert broker.submit(buy()).client_order_id == "o1"
    assert (peer.book.attempts["o1"], peer.duplicates()) == (1, {})


@pytest.mark.parametrize("fault", NOT_DONE)
def test_no_answer_before_acceptance_is_unknown_and_sent_again_only_when_the_doubt_is_old(
    peer: AlpacaPeer, fault: str
) -> None:
    now = [0.0]
    broker = connect(peer, timeout_s=(2.0, 0.15), clock=lambda: now[0])
    peer.script.append(fault)
    with pytest.raises(RetryableToolError):
        broker.submit(buy())
    if fault != "busy":
        with pytest.raises(RetryableToolError, match="may still arrive"):
            broker.find("o1")
        with pytest.raises(RetryableToolError, match="may still arrive"):
            broker.submit(buy())
        now[0] = DOUBT_S + 1
    assert (posts(peer), broker.find("o1")) == (1, None)
    assert broker.submit(buy()).state == OrderState.NEW
    assert peer.duplicates() == {}


@pytest.mark.parametrize("fault", ["busy", "gateway_after"])
def test_nothing_is_sent_twice_by_itself_even_where_the_venue_would_book_it_twice(
    peer: AlpacaPeer, broker: AlpacaBroker, fault: str
) -> None:
    peer.book.refuse_duplicates = False
    peer.script.extend([fault] * 4)
    with pytest.raises(RetryableToolError):
        broker.submit(buy())
    assert posts(peer) == 1
    assert sum(peer.book.accepted.values()) == (fault == "gateway_after")


def test_an_order_that_arrives_after_the_look_up_is_still_one_order(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    peer.script.append("late")
    with pytest.raises(RetryableToolError):
        broker.submit(buy())
    peer.book.refuse_duplicates = False
    with pytest.raises(RetryableToolError, match="may still arrive"):
        broker.find("o1")
    with pytest.raises(RetryableToolError, match="may still arrive"):
        broker.submit(buy())
    peer.calm()
    assert broker.submit(buy()).client_order_id == "o1"
    assert (len(peer.book.orders), posts(peer), peer.duplicates()) == (1, 1, {})


def test_a_duplicate_that_cannot_be_seen_yet_is_unknown_not_rejected(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    peer.script.append("blind")
    broker.submit(buy())
    with pytest.raises(RetryableToolError, match="may still arrive") as error:
        broker.submit(buy())
    assert error.value.code == "broker_lagging"
    peer.calm()
    assert broker.submit(buy()) == found(broker, "o1")


def test_a_refusal_after_a_doubt_is_believed_only_when_the_doubt_is_old(peer: AlpacaPeer) -> None:
    now = [0.0]
    broker = connect(peer, clock=lambda: now[0])
    peer.script.append("die_before")
    with pytest.raises(RetryableToolError):
        broker.submit(buy())
    peer.book.cash = D(1)
    with pytest.raises(RetryableToolError, match="may still arrive"):
        broker.submit(buy())
    now[0] = 121.0
    with pytest.raises(ExecutionError, match="insufficient buying power") as error:
        broker.submit(buy())
    assert error.value.code == "rejected"


def test_a_second_sending_refused_for_want_of_money_finds_the_first(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    peer.script.append("die_after")
    with pytest.raises(RetryableToolError):
        broker.submit(buy(quantity=700))
    peer.book.fill("o1", 700)
    peer.book.refuse_duplicates = False
    assert broker.submit(buy(quantity=700)).state == OrderState.FILLED


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (buy(quantity=10_000), "insufficient buying power"),
        (buy(side="sell", order_type="limit", limit_price=D(1)), "insufficient qty"),
    ],
)
def test_a_clear_no_is_a_rejection(broker: AlpacaBroker, request_: OrderRequest, says: str) -> None:
    with pytest.raises(ExecutionError, match=says) as error:
        broker.submit(request_)
    assert error.value.code == "rejected"
    assert broker.find(request_.client_order_id) is None


def test_a_used_id_with_another_content_is_refused(broker: AlpacaBroker) -> None:
    broker.submit(buy())
    assert broker.submit(buy()).quantity == 10
    with pytest.raises(ExecutionError, match="raise the attempt number"):
        broker.submit(buy(quantity=11))


def test_reduce_only_never_passes_through_zero(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    with pytest.raises(ExecutionError, match="the account holds 0") as error:
        broker.submit(sell())
    assert (error.value.code, posts(peer)) == ("no_position", 0)
    peer.book.positions["IBM"] = 10
    assert broker.submit(sell()).state == OrderState.NEW
    peer.book.fill("x1", 10)
    assert broker.submit(sell()).state == OrderState.FILLED
    peer.book.positions["IBM"] = -10
    assert broker.positions() == {"IBM": -10}
    assert broker.submit(buy("cover", reduce_only=True)).side == "buy"


def test_a_bracket_has_its_legs_under_alpacas_ids(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    broker.submit(buy(bracket={"take_profit": D(140), "stop_loss": D(120), "stop_loss_limit": D(119)}))
    assert peer.book.by_client_id("o1")["order_class"] == "bracket"
    profit, loss = broker.legs("o1")
    assert (profit.order_type, profit.limit_price, profit.side) == ("limit", D(140), "sell")
    assert (loss.order_type, loss.stop_price, loss.parent_client_order_id) == ("stop", D(120), "o1")
    broker.submit(buy("o2", bracket={"stop_loss": D(120)}))
    assert (peer.book.by_client_id("o2")["order_class"], len(broker.legs("o2"))) == ("oto", 1)
    assert broker.find("o1") in broker.open_orders()
    assert len(broker.open_orders()) == 5


def test_cancel_asks_once_and_an_ended_order_stays_as_it_ended(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    broker.submit(buy())
    assert broker.cancel("o1").state == OrderState.PENDING_CANCEL
    peer.book.finish("o1")
    assert broker.cancel("o1").state == OrderState.CANCELLED
    with pytest.raises(ExecutionError) as error:
        broker.cancel("never")
    assert error.value.code == "unknown_order"


def test_a_cancel_without_an_answer_is_unknown(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    broker.submit(buy())
    peer.script.extend(["ok", "die_after"])
    with pytest.raises(RetryableToolError):
        broker.cancel("o1")
    assert broker.cancel("o1").state == OrderState.PENDING_CANCEL


def test_replace_puts_a_new_order_in_the_place_of_the_old(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    limit: dict[str, Any] = {"order_type": "limit", "limit_price": D(120)}
    broker.submit(buy(**limit))
    new = broker.replace("o1", buy("o2", 20, **{**limit, "limit_price": D(121)}))
    assert (new.client_order_id, new.quantity, new.limit_price) == ("o2", 20, D(121))
    assert found(broker, "o1").state == OrderState.REPLACED
    with pytest.raises(ExecutionError, match="only quantity, prices and time in force"):
        broker.replace("o2", buy("o3"))
    peer.script.extend(["ok", "cut_after"])
    with pytest.raises(RetryableToolError):
        broker.replace("o2", buy("o3", 30, **limit))
    assert found(broker, "o3").quantity == 30
    with pytest.raises(ExecutionError, match="already in"):
        broker.replace("o2", buy("o4", 30, **limit))


def test_a_trailing_stop_is_replaced_by_its_trail(peer: AlpacaPeer, broker: AlpacaBroker) -> None:
    broker.submit(buy(order_type="trailing_stop", trail_price=D(2)))
    assert broker.replace("o1", buy("o2", order_type="trailing_stop", trail_price=D(3))).trail_price == D(3)


def test_all_open_orders_are_read_beyond_one_page(
    peer: AlpacaPeer, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.execution.brokers.alpaca.ORDERS_PAGE", 4)
    for number in range(11):
        broker.submit(buy(f"o{number}", 1))
    assert [order.client_order_id for order in broker.open_orders()] == [f"o{number}" for number in range(11)]
