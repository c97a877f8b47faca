"""The Alpaca adapter against a loopback Alpaca: what is sent, what is believed, what is asked again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.peers.alpaca_peer import FAULTS, KEY, SECRET, AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect, posts, sell
from tools.errors import ConfigError, ExecutionError, RetryableToolError
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.types import Broker, BrokerOrder, OrderRequest, OrderState

D = Decimal
DONE = ("timeout_after", "die_after", "error_after", "gateway_after", "garbage_after", "cut_after")
NOT_DONE = ("busy", "error", "unavailable", "timeout_before", "die_before")


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


def found(broker: Broker, name: str) -> BrokerOrder:
    order = broker.find(name)
    assert order is not None
    return order


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
    assert (peer.book.attempts["o1"], peer.duplicates()) == (2, {})


@pytest.mark.parametrize("fault", NOT_DONE)
def test_no_answer_before_acceptance_is_unknown_and_asking_finds_nothing(peer: AlpacaPeer, fault: str) -> None:
    broker = connect(peer, timeout_s=(2.0, 0.15))
    peer.script.append(fault)
    with pytest.raises(RetryableToolError):
        broker.submit(buy())
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
    assert broker.find("o1") is None
    peer.calm()
    assert broker.submit(buy()).client_order_id == "o1"
    assert (len(peer.book.orders), peer.duplicates()) == (1, {})


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
    with pytest.raises(RetryableToolError, match="insufficient buying power"):
        broker.submit(buy())
    now[0] = 121.0
    with pytest.raises(ExecutionError, match="insufficient buying power") as error:
        broker.submit(buy())
    assert error.value.code == "rejected"


def test_a_doubt_survives_the_process(peer: AlpacaPeer, tmp_path: Path) -> None:
    peer.script.append("late")
    with pytest.raises(RetryableToolError):
        connect(peer, tmp_path / "journal.sqlite").submit(buy())
    again = connect(peer, tmp_path / "journal.sqlite")
    assert again.find("o1") is None
    with pytest.raises(RetryableToolError, match="may still arrive"):
        again.cancel("o1")
    peer.calm()
    assert again.cancel("o1").state == OrderState.PENDING_CANCEL


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


def test_fills_are_read_beyond_one_page_and_numbered_once(
    peer: AlpacaPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.execution.brokers.alpaca.PAGE", 3)
    broker = connect(peer, tmp_path / "fills.sqlite")
    broker.submit(buy(quantity=8))
    for _ in range(8):
        peer.book.fill("o1", 1)
    first = broker.fills(0)
    assert [fill.sequence for fill in first] == list(range(1, 9))
    again = connect(peer, tmp_path / "fills.sqlite")
    assert again.fills(0) == first
    assert again.fills(6) == first[6:]


def test_a_fill_that_shows_late_is_read_once_and_after_the_others(peer: AlpacaPeer, tmp_path: Path) -> None:
    broker = connect(peer, tmp_path / "fills.sqlite")
    broker.submit(buy())
    hidden = peer.book.fill("o1", 3)
    peer.hide_fill(hidden["id"], 2)
    peer.book.fill("o1", 7)
    (early,) = broker.fills(0)
    assert (early.quantity, early.sequence) == (7, 1)
    assert broker.fills(1) == ()
    again = connect(peer, tmp_path / "fills.sqlite")
    (late,) = again.fills(1)
    assert (late.quantity, late.sequence, late.execution_id) == (3, 2, hidden["id"])


def test_a_page_that_fails_loses_nothing(
    peer: AlpacaPeer, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.execution.brokers.alpaca.PAGE", 2)
    broker.submit(buy(quantity=5))
    for _ in range(5):
        peer.book.fill("o1", 1)
    peer.script.extend(["ok", "ok", "ok", "error"])
    with pytest.raises(RetryableToolError):
        broker.fills(0)
    assert [fill.sequence for fill in broker.fills(0)] == [1, 2, 3, 4, 5]


def test_fills_before_the_desks_start_are_not_its_own(peer: AlpacaPeer) -> None:
    broker = connect(peer)
    broker.submit(buy())
    peer.book.fill("o1", 4)
    later = connect(peer, since=peer.book.now)
    peer.book.fill("o1", 6)
    assert [fill.quantity for fill in later.fills(0)] == [6]


def test_a_journal_belongs_to_one_account(peer: AlpacaPeer, tmp_path: Path) -> None:
    connect(peer, tmp_path / "fills.sqlite").fills(0)
    peer.book.account_number = "PA999"
    with pytest.raises(ExecutionError, match="another Alpaca account") as error:
        connect(peer, tmp_path / "fills.sqlite").fills(0)
    assert error.value.code == "account_mismatch"


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


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_is_ever_evidence_of_absence(peer: AlpacaPeer, fault: str) -> None:
    broker = connect(peer, timeout_s=(2.0, 0.15))
    broker.submit(buy())
    peer.script.append(fault)
    if fault in ("late", "blind"):  # faults of writes: a read under them is an ordinary read
        assert found(broker, "o1").state == OrderState.NEW
        return
    with pytest.raises(RetryableToolError):
        broker.find("o1")


def test_a_404_that_is_not_alpacas_own_is_no_absence(peer: AlpacaPeer) -> None:
    broker = connect(peer, base_url=f"{peer.base_url}/wrong")
    with pytest.raises(RetryableToolError):
        broker.submit(buy())


def test_a_dead_venue_is_unknown(peer: AlpacaPeer) -> None:
    broker = connect(peer, base_url="http://127.0.0.1:9")
    for ask in (lambda: broker.submit(buy()), lambda: broker.find("o1"), broker.positions, lambda: broker.fills(0)):
        with pytest.raises(RetryableToolError) as error:
            ask()
        assert error.value.code == "broker_unreachable"


def test_keys_appear_in_no_error_repr_or_log(
    peer: AlpacaPeer, broker: AlpacaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = connect(peer, secret_key="another-secret-that-must-not-show")
    with pytest.raises(RetryableToolError) as error:
        wrong.submit(buy())
    assert error.value.code == "broker_unauthorized"
    peer.script.append("error")
    with pytest.raises(RetryableToolError) as failed:
        broker.cash()
    for raised in (error.value, failed.value):
        assert (raised.__cause__, raised.__suppress_context__) == (None, True)
    told = " ".join(
        [str(error.value), repr(broker), repr(wrong), str(failed.value), caplog.text, repr(broker.account())]
    )
    for secret in (KEY, SECRET, "another-secret-that-must-not-show", peer.book.account_number):
        assert secret not in told


@pytest.mark.parametrize("typed", [None, "", "PA000000000"])
def test_live_needs_the_accounts_own_number(peer: AlpacaPeer, typed: str | None) -> None:
    with pytest.raises(ConfigError, match="account number") as error:
        connect(peer, live=True, account_number=typed)
    assert error.value.code == "live_not_confirmed"
    assert peer.book.account_number not in error.value.message
    assert connect(peer, live=True, account_number=peer.book.account_number).live


@pytest.mark.parametrize("url", ["https://api.alpaca.markets", "https://API.alpaca.markets:443/"])
def test_the_live_address_needs_the_live_switch(url: str) -> None:
    with pytest.raises(ConfigError, match="ask for live explicitly"):
        AlpacaBroker(key_id=KEY, secret_key=SECRET, base_url=url)


def test_a_key_has_two_halves() -> None:
    with pytest.raises(ConfigError) as error:
        AlpacaBroker(key_id=KEY, secret_key="")
    assert error.value.code == "missing_key"


def test_paper_is_the_default_address() -> None:
    broker = AlpacaBroker(key_id=KEY, secret_key=SECRET)
    assert getattr(broker._client._client._base_url, "value", None) == "https://paper-api.alpaca.markets"
