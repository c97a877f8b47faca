"""What a venue says of one order, folded into a view that does not depend on how often or in which order it is heard.

The view is a join of facts: executions by the venue's id, the latest amendment of each, the latest word on a pending
cancel or replace, the earliest end, the highest cumulative quantity claimed. Joins commute and repeat without effect,
so late, repeated and out-of-order messages are harmless; the state is derived from the facts, never stepped.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable

from pydantic import Field, model_validator

from tools.errors import ExecutionError
from tools.execution.orders import OrderEvent
from tools.execution.types import OrderState
from tools.types import Frozen, Instant

AVERAGE_STEP = Decimal("0.000001")


class Amendment(StrEnum):
    """A venue takes an execution back, or states it anew."""

    BUST = "bust"
    CORRECT = "correct"


class Execution(Frozen):
    """One trade by the venue's id. `quantity` is 0 only in the amendment that busts it."""

    execution_id: str
    quantity: int = Field(ge=0)
    price: Decimal = Field(ge=0)


class Mark(Frozen):
    """When and in which message something was said; marks of one order sort by the venue's time."""

    at: Instant
    message_id: str
    event: OrderEvent | Amendment

    @property
    def key(self) -> tuple[Instant, str]:
        return (self.at, self.message_id)


class OrderMessage(Frozen):
    """One message of a venue. `at` is the venue's time, `id` the same whenever the same thing is said again.

    `execution` comes with fills, and with bust and correct, where its id names the trade that is amended.
    `cumulative` is what the venue says is filled in all, where it says so.
    """

    id: str
    client_order_id: str
    event: OrderEvent | Amendment
    at: Instant
    execution: Execution | None = None
    cumulative: int | None = Field(default=None, ge=0)
    reason: str | None = None

    @model_validator(mode="after")
    def _amendment_names_its_trade(self) -> Self:
        if isinstance(self.event, Amendment) and self.execution is None:
            raise ValueError(f"message {self.id}: a {self.event.value} without the execution that it amends")
        return self


class Gap(Frozen):
    """Messages may have been missed before this point: reconcile orders, fills, positions and cash."""

    reason: str
    listening: bool = False
    """What comes from now on is heard."""


@runtime_checkable
class TellingVenue(Protocol):
    """A broker that tells of its orders by itself."""

    def messages(self) -> AsyncGenerator[OrderMessage | Gap, None]:
        """The account's order messages, for ever; a Gap for each stretch that may have been missed."""
        ...


class Amended(Frozen):
    """The last word on an execution."""

    mark: Mark
    execution: Execution


class OrderView(Frozen):
    """What is known of an order of `quantity` shares from the messages heard so far."""

    client_order_id: str
    quantity: int = Field(gt=0)
    accepted: bool = False
    completed: bool = False
    """The venue said that nothing is left to fill."""
    executions: tuple[Execution, ...] = ()
    amendments: tuple[Amended, ...] = ()
    pending: Mark | None = None
    end: Mark | None = None
    reason: str | None = None
    reported: int = 0
    """The highest cumulative quantity the venue ever claimed."""

    @property
    def trades(self) -> tuple[Execution, ...]:
        """Executions as they stand after busts and corrections."""
        amended = {item.execution.execution_id: item.execution for item in self.amendments}
        standing = (amended.get(item.execution_id, item) for item in self.executions)
        return tuple(item for item in standing if item.quantity)

    @property
    def filled(self) -> int:
        """Shares of the executions heard, net of busts and corrections."""
        return sum(item.quantity for item in self.trades)

    @property
    def missing(self) -> int:
        """Shares that the venue claims and whose executions were not heard yet: ask it for fills."""
        return max(0, self.reported - sum(item.quantity for item in self.executions))

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Amended execution ids that no execution heard so far has: ask the venue."""
        known = {item.execution_id for item in self.executions}
        return tuple(
            item.execution.execution_id for item in self.amendments if item.execution.execution_id not in known
        )

    @property
    def average_price(self) -> Decimal | None:
        """Average price of the standing executions, to 1e-6."""
        if not self.filled:
            return None
        spent = sum((item.price * item.quantity for item in self.trades), Decimal(0))
        return (spent / self.filled).quantize(AVERAGE_STEP)

    @property
    def overfilled(self) -> int:
        """Shares beyond the order's quantity; more than zero is a break."""
        return max(0, self.filled - self.quantity)

    @property
    def state(self) -> OrderState:
        """The FIX state. `unknown` where the facts contradict each other, or a complete order lost an execution."""
        done = self.filled + self.missing
        if self.end is not None and self.end.event is OrderEvent.REJECTED:
            return OrderState.UNKNOWN if done else OrderState.REJECTED
        if done >= self.quantity:
            return OrderState.FILLED
        if self.end is not None:
            return _ENDS[self.end.event]
        if self.completed:
            return OrderState.UNKNOWN
        if self.pending is not None and self.pending.event in _PENDING:
            return _PENDING[self.pending.event]
        if done:
            return OrderState.PARTIALLY_FILLED
        return OrderState.NEW if self.accepted else OrderState.PENDING_NEW


_ENDS: dict[OrderEvent | Amendment, OrderState] = {
    OrderEvent.CANCELLED: OrderState.CANCELLED,
    OrderEvent.EXPIRED: OrderState.EXPIRED,
    OrderEvent.REPLACED: OrderState.REPLACED,
    OrderEvent.REJECTED: OrderState.REJECTED,
}
_PENDING: dict[OrderEvent | Amendment, OrderState] = {
    OrderEvent.CANCEL_REQUESTED: OrderState.PENDING_CANCEL,
    OrderEvent.REPLACE_REQUESTED: OrderState.PENDING_REPLACE,
}
_REFUSALS = (OrderEvent.CANCEL_REFUSED, OrderEvent.REPLACE_REFUSED)
_OURS = (OrderEvent.DENIED, OrderEvent.LOST)


def apply_message(view: OrderView, message: OrderMessage) -> OrderView:
    """Return the view with one message heard. Idempotent, and the same for every order of the same messages.

    Raises ExecutionError `wrong_order` for another order's message, `not_a_message` for what no venue says, and
    `execution_conflict` when one execution id comes with two contents that no correction explains.
    """
    if message.client_order_id != view.client_order_id:
        raise ExecutionError(
            f"a message of {message.client_order_id} cannot be applied to {view.client_order_id}", code="wrong_order"
        )
    if message.event in _OURS:
        raise ExecutionError(
            f"{message.event.value} is the desk's own word, no venue sends it; use transition()", code="not_a_message"
        )
    mark = Mark(at=message.at, message_id=message.id, event=message.event)
    changes: dict[str, object] = {"accepted": view.accepted or message.event is not OrderEvent.REJECTED}
    if message.cumulative is not None:
        changes["reported"] = max(view.reported, message.cumulative)
    if isinstance(message.event, Amendment):
        changes["amendments"] = _amended(view, mark, message)
    elif message.execution is not None:
        changes["executions"] = _executed(view, message.execution)
    if message.event is OrderEvent.FILL:
        changes["completed"] = True
        if message.execution is None:
            changes["reported"] = max(view.reported, view.quantity)
    if message.event in _ENDS and (view.end is None or mark.key < view.end.key):
        changes |= {"end": mark, "reason": message.reason}
    if message.event in (*_PENDING, *_REFUSALS) and (view.pending is None or mark.key > view.pending.key):
        changes["pending"] = mark
    return view.model_copy(update=changes)


def _executed(view: OrderView, execution: Execution) -> tuple[Execution, ...]:
    known = {item.execution_id: item for item in view.executions}
    before = known.setdefault(execution.execution_id, execution)
    if before != execution:
        raise ExecutionError(
            f"execution {execution.execution_id} was {before.quantity} at {before.price} and is now "
            f"{execution.quantity} at {execution.price}, without a correction; reconcile with the broker",
            code="execution_conflict",
        )
    return tuple(known[name] for name in sorted(known))


def _amended(view: OrderView, mark: Mark, message: OrderMessage) -> tuple[Amended, ...]:
    assert message.execution is not None
    execution = message.execution
    if message.event is Amendment.BUST:
        execution = execution.model_copy(update={"quantity": 0, "price": Decimal(0)})
    known = {item.execution.execution_id: item for item in view.amendments}
    before = known.get(execution.execution_id)
    if before is None or mark.key > before.mark.key:
        known[execution.execution_id] = Amended(mark=mark, execution=execution)
    return tuple(known[name] for name in sorted(known))
