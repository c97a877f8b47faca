"""What the broker says moves our book by the table, once; what the table excludes becomes a break and ends nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from memory.tables import OrderRow, PositionRow
from pipeline import execution
from pipeline.booking import apply_report
from pipeline.order_messages import take_message
from pipeline.store import Store
from tests.pipeline import life, scripted
from tests.pipeline.scripted import CLOSE, D, Scripted, breaks, order, recorded, run_row, word, write
from tools.errors import ExecutionError
from tools.execution.messages import Amendment, Execution, OrderMessage
from tools.execution.orders import OrderEvent
from tools.execution.types import BrokerOrder, OrderState

S = OrderState


def report(store: Store, reported: BrokerOrder) -> None:
    with store.db.write() as session:
        apply_report(session, reported, CLOSE)


def book(store: Store, broker: Scripted) -> int:
    return execution.book_fills(store, broker, life.MARKET, life.RUN, CLOSE)


def position(store: Store) -> PositionRow:
    with store.db.read() as session:
        return session.get_one(PositionRow, (life.RUN, "IBM"))


def amend(
    name: str, event: Amendment, quantity: int, price: str, message: str = "m1", minutes: int = 0
) -> OrderMessage:
    return OrderMessage(
        id=message, client_order_id="o1", event=event, at=life.AS_OF + timedelta(minutes=minutes),
        execution=Execution(execution_id=name, quantity=quantity, price=D(price)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "after"),
    [
        ("pending_new", S.NEW, "new"), ("unknown", S.NEW, "new"), ("new", S.PENDING_CANCEL, "pending_cancel"),
        ("new", S.PENDING_REPLACE, "pending_replace"), ("pending_replace", S.REPLACED, "replaced"),
        ("pending_new", S.REPLACED, "replaced"), ("new", S.UNKNOWN, "unknown"), ("unknown", S.REJECTED, "rejected"),
        ("pending_replace", S.PENDING_CANCEL, "pending_cancel"), ("pending_cancel", S.CANCELLED, "cancelled"),
        ("new", S.EXPIRED, "expired"), ("pending_cancel", S.NEW, "pending_cancel"), ("cancelled", S.NEW, "cancelled"),
        ("replaced", S.PENDING_REPLACE, "replaced"),
    ],
)  # fmt: skip
def test_a_report_moves_an_order_by_the_table_and_old_news_does_not(
    store: Store, ours: str, theirs: OrderState, after: str
) -> None:
    write(store, state=ours)
    report(store, word(state=theirs))
    report(store, word(state=theirs))
    assert order(store).state == after
    assert breaks(store) == []
    assert life.findings(store) == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("denied", S.NEW), ("cancelled", S.EXPIRED), ("filled", S.CANCELLED), ("new", S.DENIED)],
)  # fmt: skip
def test_what_the_table_excludes_is_a_break_with_a_finding_and_is_not_taken(
    store: Store, ours: str, theirs: OrderState
) -> None:
    write(store, state=ours)
    for _ in range(2):
        report(store, word(state=theirs))
    assert order(store).state == ours
    assert breaks(store) == [("order_state", "o1")]
    assert life.findings(store) == ["break"]
    assert recorded(store).count("break.opened") == 1


def test_an_end_waits_for_the_executions_that_came_before_it(store: Store) -> None:
    write(store)
    ended = word(state=S.CANCELLED, filled_quantity=40)
    report(store, ended)
    assert order(store).state == "new"
    broker = Scripted()
    broker.fill("o1", 40)
    broker.orders["o1"] = ended
    assert book(store, broker) == 1
    assert (order(store).state, order(store).filled_quantity) == ("cancelled", 40)


def test_a_partly_filled_order_that_is_to_be_cancelled_is_still_to_be_cancelled(store: Store) -> None:
    write(store, state="pending_cancel")
    broker = Scripted()
    broker.fill("o1", 40)
    book(store, broker)
    assert order(store).state == "pending_cancel"


def test_a_fill_is_booked_once_however_often_it_is_heard(store: Store) -> None:
    write(store)
    broker = Scripted()
    broker.fill("o1", 100)
    assert book(store, broker) == 1
    life.tamper(store, "UPDATE runs SET broker_sequence = 0")
    assert book(store, broker) == 0
    assert (position(store).quantity, run_row(store).cash, order(store).state) == (100, broker.money, "filled")


@pytest.mark.parametrize(
    ("ended", "quantity", "after", "code"),
    [("cancelled", 40, "cancelled", "late_fill"), ("expired", 100, "filled", "late_fill"),
     ("denied", 40, "unknown", "late_fill"), ("filled", 10, "filled", "late_fill"),
     ("new", 110, "filled", "overfilled")],
)  # fmt: skip
def test_a_fill_of_an_ended_order_or_beyond_it_is_booked_and_a_finding(
    store: Store, ended: str, quantity: int, after: str, code: str
) -> None:
    write(store, state=ended)
    broker = Scripted()
    broker.fill("o1", quantity)
    assert book(store, broker) == 1
    assert order(store).state == after
    assert position(store).quantity == quantity
    assert life.findings(store) == [code]


@pytest.mark.parametrize("code", ["duplicate_differs", "venue_corrupt", "unsupported_order", "something_new"])
def test_what_is_no_definite_refusal_leaves_the_order_unknown_and_it_is_asked_for_again(
    store: Store, code: str
) -> None:
    write(store, state="pending_new")
    life.tamper(store, "UPDATE outbox SET status = 'pending'")
    broker = Scripted()
    broker.raising = ExecutionError("strange", code=code)
    for _ in range(2):
        assert execution.dispatch(store, broker, life.RUN, CLOSE) == 0
    assert order(store).state == "unknown"
    assert life.findings(store) == [code]
    broker.raising = None
    assert execution.dispatch(store, broker, life.RUN, CLOSE) == 1
    assert order(store).state == "new"


@pytest.mark.parametrize("code", sorted(execution.DEFINITE))
def test_a_definite_refusal_denies_the_order(store: Store, code: str) -> None:
    write(store, state="pending_new")
    life.tamper(store, "UPDATE outbox SET status = 'pending'")
    broker = Scripted()
    broker.raising = ExecutionError("no", code=code)
    assert execution.dispatch(store, broker, life.RUN, CLOSE) == 1
    assert order(store).state == "denied"


def booked(store: Store, quantity: int = 100) -> Scripted:
    write(store)
    broker = Scripted()
    broker.fill("o1", quantity)
    book(store, broker)
    return broker


def take(store: Store, message: OrderMessage) -> bool:
    return take_message(store, life.RUN, message, CLOSE)


def test_a_bust_takes_the_execution_out_of_order_position_and_cash(store: Store) -> None:
    booked(store)
    bust = amend("exec-1", Amendment.BUST, 0, "0")
    for _ in range(2):
        take(store, bust)
    assert (position(store).quantity, run_row(store).cash) == (0, D(1_000_000))
    assert (order(store).state, order(store).filled_quantity, order(store).average_price) == ("unknown", 0, None)
    assert scripted.fills(store)[0].quantity == 0
    assert recorded(store).count("fill.busted") == 1
    assert life.findings(store) == ["fill_busted"]


def test_a_correction_restates_quantity_and_price_and_the_later_one_stands(store: Store) -> None:
    booked(store)
    second = amend("exec-1", Amendment.CORRECT, 90, "121", "m2", minutes=2)
    first = amend("exec-1", Amendment.CORRECT, 50, "119", "m1", minutes=1)
    for message in (second, first, second):
        take(store, message)
    assert (position(store).quantity, position(store).average_price) == (90, D(121))
    assert run_row(store).cash == D(1_000_000) - 90 * 121 - 1
    assert (order(store).state, order(store).filled_quantity) == ("unknown", 90)
    assert recorded(store).count("fill.corrected") == 1


def test_an_amendment_may_come_before_the_execution_it_amends(store: Store) -> None:
    write(store)
    take(store, amend("exec-1", Amendment.CORRECT, 60, "118"))
    broker = Scripted()
    broker.fill("o1", 100)
    book(store, broker)
    assert (position(store).quantity, order(store).filled_quantity) == (60, 60)
    assert run_row(store).cash == D(1_000_000) - 60 * 118 - 1
    assert [kind for kind in recorded(store) if kind.startswith("fill.")] == ["fill.booked", "fill.corrected"]


def test_a_bust_of_an_execution_sold_since_leaves_the_money_of_the_rest(store: Store) -> None:
    broker = booked(store)
    write(store, "o2", leg="exit", side="sell", quantity=40)
    broker.fill("o2", 40, "130", side="sell")
    book(store, broker)
    take(store, amend("exec-1", Amendment.BUST, 0, "0"))
    row = position(store)
    assert row.quantity == -40
    assert run_row(store).cash == D(1_000_000) + 40 * 130 - 1
    assert row.realised - row.average_price * row.quantity == 40 * 130


MESSAGES: list[tuple[OrderEvent, dict[str, Any], bool, str]] = [
    (OrderEvent.ACCEPTED, {}, False, "new"),
    (OrderEvent.CANCEL_REQUESTED, {}, False, "pending_cancel"),
    (OrderEvent.CANCELLED, {"cumulative": 0}, False, "cancelled"),
    (OrderEvent.CANCELLED, {"cumulative": 30}, True, "pending_new"),
    (OrderEvent.CANCEL_REFUSED, {}, True, "pending_new"),
    (OrderEvent.FILL, {"execution": Execution(execution_id="x", quantity=100, price=Decimal(1))}, True, "pending_new"),
]


@pytest.mark.parametrize(("event", "more", "ask", "after"), MESSAGES)
def test_a_message_of_the_stream_moves_the_order_or_says_that_the_broker_must_be_asked(
    store: Store, event: OrderEvent, more: dict[str, Any], ask: bool, after: str
) -> None:
    write(store, state="pending_new")
    message = OrderMessage(id="m", client_order_id="o1", event=event, at=life.AS_OF, **more)
    assert take(store, message) is ask
    assert take(store, message) is ask
    assert order(store).state == after


def test_a_message_of_an_order_that_is_not_ours_only_asks(store: Store) -> None:
    assert take(store, OrderMessage(id="m", client_order_id="theirs", event=OrderEvent.ACCEPTED, at=life.AS_OF))
    with store.db.read() as session:
        assert session.get(OrderRow, "theirs") is None


def test_an_order_of_somebody_else_that_has_no_words_here_does_not_hide_the_ends_of_ours(store: Store) -> None:
    class Crowded(Scripted):
        def open_orders(self) -> tuple[BrokerOrder, ...]:
            raise ExecutionError("order x has no share quantity", code="unsupported_order")

    write(store)
    broker = Crowded()
    broker.orders["o1"] = word(state=S.EXPIRED)
    assert book(store, broker) == 0
    assert order(store).state == "expired"
