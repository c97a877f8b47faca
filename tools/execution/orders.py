"""The order life cycle as one explicit table. What is not in it cannot happen."""

from __future__ import annotations

from enum import StrEnum

from tools.errors import ExecutionError
from tools.execution.types import TERMINAL, OrderState


class OrderEvent(StrEnum):
    """What can be learned of an order. `denied` is our own refusal before sending; `lost` means nobody knows."""

    ACCEPTED = "accepted"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    CANCEL_REQUESTED = "cancel_requested"
    CANCEL_REFUSED = "cancel_refused"
    CANCELLED = "cancelled"
    REPLACE_REQUESTED = "replace_requested"
    REPLACE_REFUSED = "replace_refused"
    REPLACED = "replaced"
    REJECTED = "rejected"
    DENIED = "denied"
    EXPIRED = "expired"
    LOST = "lost"


_S, _E = OrderState, OrderEvent

TRANSITIONS: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.PENDING_NEW, _E.ACCEPTED): _S.NEW,
    (_S.PENDING_NEW, _E.PARTIAL_FILL): _S.PARTIALLY_FILLED,
    (_S.PENDING_NEW, _E.FILL): _S.FILLED,
    (_S.PENDING_NEW, _E.CANCEL_REQUESTED): _S.PENDING_CANCEL,
    (_S.PENDING_NEW, _E.CANCELLED): _S.CANCELLED,
    (_S.PENDING_NEW, _E.REJECTED): _S.REJECTED,
    (_S.PENDING_NEW, _E.DENIED): _S.DENIED,
    (_S.PENDING_NEW, _E.EXPIRED): _S.EXPIRED,
    (_S.PENDING_NEW, _E.LOST): _S.UNKNOWN,
    (_S.NEW, _E.PARTIAL_FILL): _S.PARTIALLY_FILLED,
    (_S.NEW, _E.FILL): _S.FILLED,
    (_S.NEW, _E.CANCEL_REQUESTED): _S.PENDING_CANCEL,
    (_S.NEW, _E.CANCELLED): _S.CANCELLED,
    (_S.NEW, _E.REJECTED): _S.REJECTED,
    (_S.NEW, _E.EXPIRED): _S.EXPIRED,
    (_S.NEW, _E.LOST): _S.UNKNOWN,
    (_S.PARTIALLY_FILLED, _E.PARTIAL_FILL): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.FILL): _S.FILLED,
    (_S.PARTIALLY_FILLED, _E.CANCEL_REQUESTED): _S.PENDING_CANCEL,
    (_S.PARTIALLY_FILLED, _E.CANCELLED): _S.CANCELLED,
    (_S.PARTIALLY_FILLED, _E.EXPIRED): _S.EXPIRED,
    (_S.PARTIALLY_FILLED, _E.LOST): _S.UNKNOWN,
    (_S.PENDING_CANCEL, _E.PARTIAL_FILL): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, _E.FILL): _S.FILLED,
    (_S.PENDING_CANCEL, _E.CANCEL_REFUSED): _S.UNKNOWN,
    (_S.PENDING_CANCEL, _E.CANCELLED): _S.CANCELLED,
    (_S.PENDING_CANCEL, _E.REJECTED): _S.REJECTED,
    (_S.PENDING_CANCEL, _E.EXPIRED): _S.EXPIRED,
    (_S.PENDING_CANCEL, _E.LOST): _S.UNKNOWN,
    (_S.NEW, _E.REPLACE_REQUESTED): _S.PENDING_REPLACE,
    (_S.NEW, _E.REPLACED): _S.REPLACED,
    (_S.PARTIALLY_FILLED, _E.REPLACE_REQUESTED): _S.PENDING_REPLACE,
    (_S.PARTIALLY_FILLED, _E.REPLACED): _S.REPLACED,
    (_S.PENDING_CANCEL, _E.REPLACED): _S.REPLACED,
    (_S.PENDING_REPLACE, _E.PARTIAL_FILL): _S.PENDING_REPLACE,
    (_S.PENDING_REPLACE, _E.FILL): _S.FILLED,
    (_S.PENDING_REPLACE, _E.REPLACE_REFUSED): _S.UNKNOWN,
    (_S.PENDING_REPLACE, _E.REPLACED): _S.REPLACED,
    (_S.PENDING_REPLACE, _E.CANCEL_REQUESTED): _S.PENDING_CANCEL,
    (_S.PENDING_REPLACE, _E.CANCELLED): _S.CANCELLED,
    (_S.PENDING_REPLACE, _E.EXPIRED): _S.EXPIRED,
    (_S.PENDING_REPLACE, _E.LOST): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ACCEPTED): _S.NEW,
    (_S.UNKNOWN, _E.PARTIAL_FILL): _S.PARTIALLY_FILLED,
    (_S.UNKNOWN, _E.FILL): _S.FILLED,
    (_S.UNKNOWN, _E.CANCEL_REQUESTED): _S.PENDING_CANCEL,
    (_S.UNKNOWN, _E.CANCELLED): _S.CANCELLED,
    (_S.UNKNOWN, _E.REPLACE_REQUESTED): _S.PENDING_REPLACE,
    (_S.UNKNOWN, _E.REPLACED): _S.REPLACED,
    (_S.UNKNOWN, _E.REJECTED): _S.REJECTED,
    (_S.UNKNOWN, _E.EXPIRED): _S.EXPIRED,
    (_S.UNKNOWN, _E.LOST): _S.UNKNOWN,
}
"""A refused cancel or replace leaves the order unknown: a state alone cannot say whether it is new or partly filled.
`tools.execution.messages` can, because it knows the executions."""

_REPORTED: dict[OrderState, OrderEvent] = {
    _S.NEW: _E.ACCEPTED,
    _S.PARTIALLY_FILLED: _E.PARTIAL_FILL,
    _S.FILLED: _E.FILL,
    _S.CANCELLED: _E.CANCELLED,
    _S.REJECTED: _E.REJECTED,
    _S.EXPIRED: _E.EXPIRED,
    _S.PENDING_CANCEL: _E.CANCEL_REQUESTED,
    _S.PENDING_REPLACE: _E.REPLACE_REQUESTED,
    _S.REPLACED: _E.REPLACED,
    _S.UNKNOWN: _E.LOST,
}


def transition(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the next state; ExecutionError `illegal_transition` for what the table does not hold."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        ended = " (the order has ended)" if state in TERMINAL else ""
        raise ExecutionError(
            f"an order in state {state.value}{ended} cannot take the event {event.value}; reconcile with the broker",
            code="illegal_transition",
        )
    return following


def observe(state: OrderState, reported: OrderState) -> OrderState:
    """Move `state` to what a broker reports. Hearing the same again changes nothing.

    Raises ExecutionError `illegal_transition` for a report that the present state excludes.
    """
    if state == reported:
        return state
    event = _REPORTED.get(reported)
    if event is None:
        raise ExecutionError(f"a broker cannot report the state {reported.value}", code="illegal_transition")
    return transition(state, event)


def follow(state: OrderState, reported: OrderState) -> OrderState:
    """Move `state` to what a broker's snapshot says, however late it is and whatever was missed before it.

    That an ended order lives, and a live state that the table does not hold, is old news and changes nothing; a
    snapshot may come after an acceptance that nobody heard. Raises ExecutionError `illegal_transition` for what
    neither explains: two different ends, or an order at the broker that was denied before it was sent.
    """
    if state in TERMINAL:
        if state is not OrderState.DENIED and reported not in TERMINAL:
            return state
        return observe(state, reported)
    try:
        return observe(state, reported)
    except ExecutionError:
        if state is OrderState.PENDING_NEW and reported in _AFTER_ACCEPTANCE:
            return observe(OrderState.NEW, reported)
        if reported in TERMINAL:
            raise
        return state


_AFTER_ACCEPTANCE = (OrderState.PENDING_REPLACE, OrderState.REPLACED)


def after_fill(state: OrderState, filled: int, quantity: int) -> OrderState:
    """The state once `filled` of `quantity` shares are booked.

    An order that had ended keeps its end when a late execution leaves it incomplete; one that was never to fill
    (rejected, denied) is then unknown.
    """
    if filled >= quantity:
        return OrderState.FILLED
    if state in (OrderState.REJECTED, OrderState.DENIED):
        return OrderState.UNKNOWN
    return state if state in TERMINAL else transition(state, OrderEvent.PARTIAL_FILL)


def after_amendment(state: OrderState, filled: int, quantity: int) -> OrderState:
    """The state once an execution was taken back or restated: what was complete and no longer is, is unknown."""
    if filled >= quantity:
        return OrderState.FILLED
    if state is OrderState.FILLED:
        return OrderState.UNKNOWN
    if state is OrderState.PARTIALLY_FILLED and not filled:
        return OrderState.NEW
    return state
