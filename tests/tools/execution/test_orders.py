"""The order state table: closed, final at the end, and deaf to nothing it does not hold."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import ExecutionError
from tools.execution.orders import TRANSITIONS, OrderEvent, observe, transition
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
