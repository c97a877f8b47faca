"""The order state table: closed, final at the end, and deaf to nothing it does not hold."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import ExecutionError
from tools.execution.orders import TRANSITIONS, OrderEvent, after_amendment, after_fill, follow, observe, transition
from tools.execution.types import TERMINAL, OrderState

EVERY = tuple(itertools.product(OrderState, OrderEvent))


@pytest.mark.parametrize(("state", "event"), EVERY)
def test_what_the_table_does_not_hold_is_refused(state: OrderState, event: OrderEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert transition(state, event) == TRANSITIONS[state, event]
        return
    with pytest.raises(ExecutionError, match=state.value) as error:
        transition(state, event)
    assert error.value.code == "illegal_transition"


def test_an_ended_order_takes_nothing_more() -> None:
    assert not [state for state, _ in TRANSITIONS if state in TERMINAL]


def test_every_living_order_can_be_lost_and_found_again() -> None:
    for state in set(OrderState) - TERMINAL:
        assert transition(state, OrderEvent.LOST) == OrderState.UNKNOWN
    found = {
        TRANSITIONS[OrderState.UNKNOWN, event] for event in OrderEvent if (OrderState.UNKNOWN, event) in TRANSITIONS
    }
    assert found >= TERMINAL - {OrderState.DENIED}


def test_only_an_unsent_order_can_be_denied() -> None:
    assert [state for state, event in TRANSITIONS if event == OrderEvent.DENIED] == [OrderState.PENDING_NEW]


def test_a_partly_filled_order_is_never_rejected_nor_new_again() -> None:
    with pytest.raises(ExecutionError):
        transition(OrderState.PARTIALLY_FILLED, OrderEvent.REJECTED)
    with pytest.raises(ExecutionError):
        observe(OrderState.PARTIALLY_FILLED, OrderState.NEW)


@pytest.mark.parametrize("state", list(OrderState))
def test_hearing_the_same_again_changes_nothing(state: OrderState) -> None:
    assert observe(state, state) == state


@pytest.mark.parametrize("reported", [OrderState.PENDING_NEW, OrderState.DENIED])
def test_a_broker_cannot_report_what_is_only_ours(reported: OrderState) -> None:
    with pytest.raises(ExecutionError, match="cannot report"):
        observe(OrderState.NEW, reported)


@given(st.lists(st.sampled_from(list(OrderEvent)), max_size=12))
def test_no_path_leaves_an_end_state(events: list[OrderEvent]) -> None:
    state = OrderState.PENDING_NEW
    ended: OrderState | None = None
    for event in events:
        try:
            state = transition(state, event)
        except ExecutionError:
            continue
        assert ended is None
        ended = state if state in TERMINAL else None


@pytest.mark.parametrize("ended", sorted(TERMINAL - {OrderState.DENIED}))
@pytest.mark.parametrize("late", sorted(set(OrderState) - TERMINAL))
def test_that_an_ended_order_lives_is_old_news(ended: OrderState, late: OrderState) -> None:
    assert follow(ended, late) == ended


@pytest.mark.parametrize("reported", sorted(set(OrderState) - {OrderState.DENIED}))
def test_an_order_that_was_never_sent_cannot_be_at_the_broker(reported: OrderState) -> None:
    with pytest.raises(ExecutionError):
        follow(OrderState.DENIED, reported)


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(sorted(TERMINAL), 2)))
def test_an_order_ends_once(first: OrderState, second: OrderState) -> None:
    with pytest.raises(ExecutionError):
        follow(first, second)


def test_a_snapshot_may_come_after_an_acceptance_that_nobody_heard() -> None:
    assert follow(OrderState.PENDING_NEW, OrderState.REPLACED) == OrderState.REPLACED
    assert follow(OrderState.PENDING_NEW, OrderState.PENDING_REPLACE) == OrderState.PENDING_REPLACE
    with pytest.raises(ExecutionError):
        follow(OrderState.PARTIALLY_FILLED, OrderState.REJECTED)


LIFE = st.sampled_from([s for s in OrderState if s not in (OrderState.DENIED, OrderState.UNKNOWN)])


@given(st.lists(LIFE, max_size=12))
def test_however_late_snapshots_come_an_order_never_lives_again_and_the_first_end_stands(
    heard: list[OrderState],
) -> None:
    """The model: the state is the first end that was heard and could be; before it, something that lives."""
    state, end = OrderState.PENDING_NEW, None
    for reported in heard:
        try:
            state = follow(state, reported)
        except ExecutionError:
            assert reported in TERMINAL
            assert reported is not end
        if end is None and state in TERMINAL:
            end = reported
        assert state is end if end is not None else state not in TERMINAL
        assert follow(state, state) is state


@given(st.sampled_from(list(OrderState)), st.integers(1, 20), st.integers(1, 20))
def test_an_order_is_filled_when_its_shares_are_and_no_late_fill_opens_an_end(
    state: OrderState, filled: int, quantity: int
) -> None:
    after = after_fill(state, filled, quantity)
    assert (after is OrderState.FILLED) == (filled >= quantity or state is OrderState.FILLED)
    if state in TERMINAL - {OrderState.DENIED, OrderState.REJECTED} and filled < quantity:
        assert after is state


def test_an_order_that_loses_an_execution_is_unknown_unless_it_had_ended_otherwise() -> None:
    assert after_amendment(OrderState.FILLED, 5, 10) is OrderState.UNKNOWN
    assert after_amendment(OrderState.PARTIALLY_FILLED, 0, 10) is OrderState.NEW
    assert after_amendment(OrderState.CANCELLED, 0, 10) is OrderState.CANCELLED
    assert after_amendment(OrderState.PARTIALLY_FILLED, 10, 10) is OrderState.FILLED
