"""Two books of one account, and the differences between them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from tools.execution.types import BrokerOrder, Fill, OrderState
from tools.types import Frozen, Instant, Side, Symbol

BreakKind = Literal[
    "order_missing_at_broker", "foreign_order", "order_state", "order_terms", "order_filled", "fill_unbooked",
    "fill_missing_at_broker", "fill_differs", "position", "cash",
]  # fmt: skip
Decision = Literal["explain", "adopt", "leave"]


class Break(Frozen):
    """One difference. `subject` is the order, execution or symbol that it is about; `remedy` is what to do.

    `order` and `fill` are the broker's own words, where there are any: what an adoption takes over.
    """

    kind: BreakKind
    subject: str
    symbol: str | None
    ours: str
    theirs: str
    message: str
    remedy: str
    order: BrokerOrder | None = None
    fill: Fill | None = None


class OwnOrder(Frozen):
    """An order as our book has it. `in_flight`: something about it is still to be said to the broker."""

    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    filled: int
    state: OrderState
    in_flight: bool = False


class OwnFill(Frozen):
    """An execution as our book has it. `amended` after a bust (`quantity` is then 0) or a correction by the venue."""

    execution_id: str
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    commission: Decimal
    amended: bool = False


class OwnBook(Frozen):
    """Our book. `strange` are fills that were heard of and not booked, because their order is not ours."""

    orders: Mapping[str, OwnOrder]
    fills: Mapping[str, OwnFill]
    strange: tuple[Fill, ...] = ()
    positions: Mapping[str, int]
    cash: Decimal


class BrokerBook(Frozen):
    """What the broker said: open orders and those it was asked for, `absent` ids it does not know, and fills.

    `fills` are all of the account when `whole`, else those that our book lacked when it asked.
    """

    orders: tuple[BrokerOrder, ...]
    absent: frozenset[str] = frozenset()
    fills: tuple[Fill, ...]
    whole: bool
    positions: Mapping[str, int]
    cash: Decimal


class Report(Frozen):
    """One reconciliation: when, of what, and what it found. `error` says why nothing could be compared."""

    run: str
    broker: str
    occasion: str
    as_of: Instant
    at_wall: Instant
    orders: int = 0
    fills: int = 0
    positions: int = 0
    whole: bool = False
    found: int = 0
    error: str | None = None
