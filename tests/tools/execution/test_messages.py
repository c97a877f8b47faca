"""Messages of a venue: any order, any repetition, one view; and the view walks the table of orders."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tools.errors import ExecutionError
from tools.execution.messages import Amendment, Execution, OrderMessage, OrderView, apply_message
from tools.execution.orders import OrderEvent, transition
from tools.execution.types import TERMINAL, OrderState

D = Decimal
E, S = OrderEvent, OrderState
START = datetime(2009, 11, 17, 14, 30, tzinfo=UTC)
LIVE = (S.NEW, S.PARTIALLY_FILLED)


def message(number: int, event: OrderEvent | Amendment, **changes: Any) -> OrderMessage:
    base = {"id": f"m{number}", "client_order_id": "o1", "event": event, "at": START + timedelta(seconds=number)}
    return OrderMessage.model_validate({**base, **changes})


def fill(number: int, quantity: int, name: str, event: OrderEvent = E.PARTIAL_FILL, price: str = "10") -> OrderMessage:
    return message(number, event, execution=Execution(execution_id=name, quantity=quantity, price=D(price)))


def heard(*messages: OrderMessage, quantity: int = 100) -> OrderView:
    view = OrderView(client_order_id="o1", quantity=quantity)
    for item in messages:
        view = apply_message(view, item)
    return view


class Venue:
    """A plain venue of one order: does what is asked, in time order, and writes down each message."""

    def __init__(self, quantity: int) -> None:
        self.quantity = quantity
        self.state = S.PENDING_NEW
        self.trades: dict[str, tuple[int, Decimal]] = {}
        self.gross = 0
        self.busted_after_end = False
        self.messages: list[OrderMessage] = []

    @property
    def filled(self) -> int:
        return sum(quantity for quantity, _ in self.trades.values())

    @property
    def resting(self) -> OrderState:
        return S.PARTIALLY_FILLED if self.filled else S.NEW

    def say(self, event: OrderEvent | Amendment, **changes: Any) -> None:
        self.messages.append(message(len(self.messages), event, **changes))

    def accept(self) -> None:
        self.state = S.NEW
        self.say(E.ACCEPTED)

    def trade(self, quantity: int, price: Decimal) -> None:
        name = f"x{len(self.messages)}"
        self.trades[name] = (quantity, price)
        self.gross += quantity
        complete = self.filled == self.quantity
        if complete:
            self.state = S.FILLED
        elif self.state not in (S.PENDING_CANCEL, S.PENDING_REPLACE):
            self.state = S.PARTIALLY_FILLED
        self.say(
            E.FILL if complete else E.PARTIAL_FILL, cumulative=self.gross,
            execution=Execution(execution_id=name, quantity=quantity, price=price),
        )  # fmt: skip

    def amend(self, name: str, quantity: int, price: Decimal) -> None:
        kind = Amendment.CORRECT if quantity else Amendment.BUST
        self.trades[name] = (quantity, price)
        self.say(kind, execution=Execution(execution_id=name, quantity=quantity, price=price))

    def ask(self, event: OrderEvent) -> None:
        self.state = S.PENDING_CANCEL if event is E.CANCEL_REQUESTED else S.PENDING_REPLACE
        self.say(event)

    def refuse(self) -> None:
        self.say(E.CANCEL_REFUSED if self.state is S.PENDING_CANCEL else E.REPLACE_REFUSED)
        self.state = self.resting

    def finish(self, event: OrderEvent) -> None:
        self.state = {
            E.CANCELLED: S.CANCELLED, E.EXPIRED: S.EXPIRED, E.REPLACED: S.REPLACED, E.REJECTED: S.REJECTED,
        }[event]  # fmt: skip
        self.say(event, reason="why")


class Life(RuleBasedStateMachine):
    """The venue lives; the view hears in order, the shuffled view in any order with repetitions, the table steps."""

    def __init__(self) -> None:
        super().__init__()
        self.venue = Venue(100)
        self.table = S.PENDING_NEW

    def step(self) -> None:
        event = self.venue.messages[-1].event
        assert isinstance(event, OrderEvent)
        self.table = transition(self.table, event)
        if self.table is S.UNKNOWN:
            self.table = self.venue.state

    @precondition(lambda self: self.venue.state is S.PENDING_NEW)
    @rule(refused=st.booleans())
    def answer(self, refused: bool) -> None:
        if refused:
            self.venue.finish(E.REJECTED)
        else:
            self.venue.accept()
        self.step()

    @precondition(lambda self: self.venue.state not in (*TERMINAL, S.UNKNOWN))
    @rule(quantity=st.integers(1, 60), cents=st.integers(900, 1100))
    def trade(self, quantity: int, cents: int) -> None:
        left = 100 - self.venue.filled
        if left:
            self.venue.trade(min(quantity, left), D(cents) / 100)
            self.step()

    @precondition(lambda self: self.venue.state in LIVE)
    @rule(event=st.sampled_from([E.CANCEL_REQUESTED, E.REPLACE_REQUESTED]))
    def ask(self, event: OrderEvent) -> None:
        self.venue.ask(event)
        self.step()

    @precondition(lambda self: self.venue.state in (S.PENDING_CANCEL, S.PENDING_REPLACE))
    @rule()
    def refuse(self) -> None:
        self.venue.refuse()
        self.step()

    @precondition(lambda self: self.venue.state in (*LIVE, S.PENDING_CANCEL, S.PENDING_REPLACE))
    @rule(event=st.sampled_from([E.CANCELLED, E.EXPIRED]))
    def finish(self, event: OrderEvent) -> None:
        self.venue.finish(event)
        self.step()

    @precondition(lambda self: self.venue.state is S.PENDING_REPLACE)
    @rule()
    def replaced(self) -> None:
        self.venue.finish(E.REPLACED)
        self.step()

    @precondition(lambda self: self.venue.trades and self.venue.state is not S.FILLED)
    @rule(data=st.data(), quantity=st.integers(0, 20))
    def amend(self, data: st.DataObject, quantity: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.venue.trades)))
        before = self.venue.trades[name][0]
        self.venue.amend(name, min(quantity, before), D("9.50"))
        if self.venue.state in LIVE:
            self.venue.state = self.table = self.venue.resting

    @invariant()
    def the_view_is_the_venue(self) -> None:
        view = heard(*self.venue.messages)
        assert view.filled == self.venue.filled
        assert view.missing == 0
        assert view.state is self.venue.state is self.table

    @rule(data=st.data())
    def any_order_with_repetitions_is_the_same_view(self, data: st.DataObject) -> None:
        told = self.venue.messages
        if not told:
            return
        again = data.draw(st.lists(st.sampled_from(told), max_size=6))
        assert heard(*data.draw(st.permutations([*told, *again]))) == heard(*told)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


def test_the_whole_life_in_every_order_is_one_view() -> None:
    told = [
        message(0, E.ACCEPTED), fill(1, 40, "x1", price="10"), message(2, E.CANCEL_REQUESTED),
        fill(3, 10, "x2", price="11"), message(4, E.CANCELLED, reason="by client"),
        message(5, Amendment.BUST, execution=Execution(execution_id="x2", quantity=0, price=D(0))),
    ]  # fmt: skip
    views = {heard(*order).model_dump_json() for order in itertools.permutations(told)}
    assert len(views) == 1
    view = heard(*told)
    assert (view.state, view.filled, view.average_price, view.reason) == (S.CANCELLED, 40, D(10), "by client")


def test_a_fill_that_comes_after_the_end_is_counted_and_the_end_stays() -> None:
    view = heard(message(0, E.ACCEPTED), message(4, E.CANCELLED))
    assert view.state is S.CANCELLED
    later = apply_message(view, fill(2, 30, "x1"))
    assert (later.state, later.filled) == (S.CANCELLED, 30)
    complete = apply_message(later, fill(3, 70, "x2", E.FILL))
    assert (complete.state, complete.filled) == (S.FILLED, 100)


def test_a_claimed_quantity_without_its_execution_is_missing_until_it_comes() -> None:
    view = heard(message(1, E.PARTIAL_FILL, cumulative=60), fill(0, 20, "x1"))
    assert (view.state, view.filled, view.missing) == (S.PARTIALLY_FILLED, 20, 40)
    assert heard(message(0, E.FILL)).missing == 100
    assert heard(message(0, E.FILL)).state is S.FILLED
    assert apply_message(view, fill(1, 40, "x2")).missing == 0


def test_cumulative_never_goes_back() -> None:
    later, earlier = message(2, E.PARTIAL_FILL, cumulative=60), message(1, E.PARTIAL_FILL, cumulative=20)
    assert heard(later, earlier).reported == 60


def test_a_busted_execution_of_a_complete_order_leaves_it_unknown() -> None:
    bust = message(2, Amendment.BUST, execution=Execution(execution_id="x1", quantity=0, price=D(0)))
    view = heard(fill(1, 100, "x1", E.FILL), bust)
    assert (view.state, view.filled) == (S.UNKNOWN, 0)
    assert apply_message(view, message(3, E.CANCELLED)).state is S.CANCELLED


def test_a_correction_before_its_fill_waits_for_it_and_the_last_word_wins() -> None:
    first = message(2, Amendment.CORRECT, execution=Execution(execution_id="x1", quantity=30, price=D("9.99")))
    second = message(3, Amendment.CORRECT, execution=Execution(execution_id="x1", quantity=35, price=D("9.98")))
    early = heard(second, first)
    assert (early.filled, early.unmatched) == (0, ("x1",))
    view = heard(second, first, fill(1, 40, "x1"))
    assert (view.filled, view.average_price, view.missing, view.unmatched) == (35, D("9.98"), 0, ())


def test_a_rejected_order_with_an_execution_is_unknown_not_rejected() -> None:
    assert heard(message(1, E.REJECTED)).state is S.REJECTED
    assert heard(message(1, E.REJECTED), fill(0, 10, "x1")).state is S.UNKNOWN


def test_more_than_was_ordered_is_seen() -> None:
    view = heard(fill(0, 70, "x1"), fill(1, 70, "x2"))
    assert (view.state, view.overfilled) == (S.FILLED, 40)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (fill(9, 41, "x1"), "execution_conflict"),
        (message(9, E.ACCEPTED, client_order_id="o2"), "wrong_order"),
        (message(9, E.DENIED), "not_a_message"),
        (message(9, E.LOST), "not_a_message"),
    ],
)
def test_what_cannot_be_true_is_refused(told: OrderMessage, code: str) -> None:
    with pytest.raises(ExecutionError) as error:
        heard(fill(1, 40, "x1"), told)
    assert error.value.code == code


def test_an_amendment_names_its_trade() -> None:
    with pytest.raises(ValueError, match="without the execution"):
        message(1, Amendment.BUST)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_messages_at_all_commute(data: st.DataObject) -> None:
    """Also histories no venue would write: the same set gives the same view."""
    events = st.sampled_from([event for event in OrderEvent if event not in (E.DENIED, E.LOST)])
    told = [
        message(number, event, cumulative=cumulative)
        for number, (event, cumulative) in enumerate(
            data.draw(st.lists(st.tuples(events, st.none() | st.integers(0, 100)), min_size=1, max_size=8))
        )
    ]
    assert heard(*data.draw(st.permutations([*told, *told[:2]]))) == heard(*told)
