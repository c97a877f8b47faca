"""Orders, fills, positions and the one Protocol through which a broker is reached."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import Field

from tools.types import Frozen, Instant, Side, Symbol


class OrderState(StrEnum):
    """FIX order states, plus `denied` (refused locally) and `unknown` (nobody knows yet)."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    DENIED = "denied"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.DENIED, OrderState.EXPIRED}
)

Leg = Literal["entry", "stop", "exit", "flatten"]


class OrderRequest(Frozen):
    """What is sent to a broker. `client_order_id` is deterministic: run, case, leg, attempt.

    `time_in_force`: `opg` fills at the session's open only, `gtc` rests until cancelled.
    """

    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int = Field(gt=0)
    order_type: Literal["market", "limit", "stop"]
    time_in_force: Literal["opg", "day", "gtc"]
    limit_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)
    reduce_only: bool = False


class BrokerOrder(Frozen):
    """An order as the broker reports it."""

    client_order_id: str
    broker_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    order_type: Literal["market", "limit", "stop"]
    stop_price: Decimal | None = None
    limit_price: Decimal | None = None
    state: OrderState
    filled_quantity: int = 0
    average_price: Decimal | None = None
    reason: str | None = None


class Fill(Frozen):
    """One execution, keyed by the venue's execution id; `sequence` rises by one per fill at the venue."""

    execution_id: str
    sequence: int
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int = Field(gt=0)
    price: Decimal = Field(gt=0)
    commission: Decimal = Field(ge=0)
    reference_price: Decimal
    session: date
    at: Instant

    @property
    def slippage(self) -> Decimal:
        """Money paid beyond `reference_price` (positive is a cost)."""
        sign = 1 if self.side == "buy" else -1
        return (self.price - self.reference_price) * self.quantity * sign


class Position(Frozen):
    """A book position. `quantity` may be zero; `realised` is net of nothing but price."""

    symbol: Symbol
    quantity: int
    average_price: Decimal
    realised: Decimal = Decimal(0)


class VenueFacts(Frozen):
    """What the engine saw of its broker and its data when it last looked. `cash` is None when the broker was silent.

    `session` is the newest session begun, `next_session` the one after it (None at the end of the market); `issues`
    counts data-quality issues of the newest close by severity.
    """

    broker: str
    error: str | None = None
    session: date
    session_index: int
    next_session: date | None
    as_of: Instant
    cash: Decimal | None = None
    positions: dict[str, int] = Field(default_factory=dict)
    orders: tuple[BrokerOrder, ...] = ()
    unbooked: int = Field(default=0, ge=0, description="fills of the broker that our book lacks")
    data_known_at: Instant | None = None
    issues: dict[str, int] = Field(default_factory=dict)


class Broker(Protocol):
    """A venue that accepts orders. `submit` is idempotent by `client_order_id`.

    A raised RetryableToolError means *unknown*: ask with `find` before anything else.
    """

    @property
    def name(self) -> str: ...

    def submit(self, request: OrderRequest) -> BrokerOrder: ...

    def find(self, client_order_id: str) -> BrokerOrder | None: ...

    def cancel(self, client_order_id: str) -> BrokerOrder: ...

    def open_orders(self) -> tuple[BrokerOrder, ...]: ...

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        """Fills with a higher sequence, ascending."""
        ...

    def positions(self) -> dict[str, int]: ...

    def cash(self) -> Decimal: ...
