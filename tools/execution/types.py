"""Orders, fills, positions and the one Protocol through which a broker is reached."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Literal, Protocol, Self, runtime_checkable

from pydantic import Field, model_validator

from tools.data.types import Bar, CorporateAction
from tools.types import Frozen, Instant, Side, Symbol, Tick


class OrderState(StrEnum):
    """FIX order states, plus `denied` (refused locally) and `unknown` (nobody knows yet).

    `replaced` ends an order whose place another one took; its fills stay its own.
    """

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    REJECTED = "rejected"
    DENIED = "denied"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


TERMINAL = frozenset(
    {
        OrderState.FILLED, OrderState.CANCELLED, OrderState.REPLACED, OrderState.REJECTED, OrderState.DENIED,
        OrderState.EXPIRED,
    }
)  # fmt: skip

Leg = Literal["entry", "stop", "exit", "flatten"]


OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["opg", "day", "gtc", "cls", "ioc", "fok"]

_PRICES: dict[OrderType, tuple[str, ...]] = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("stop_price", "limit_price"),
    "trailing_stop": (),
}
_STOPS = ("stop", "stop_limit", "trailing_stop")


class Bracket(Frozen):
    """Exits sent with an entry, one cancelling the other: a limit at `take_profit`, a stop at `stop_loss`.

    Either may be missing, not both. With `stop_loss_limit` the stop becomes a stop-limit.
    """

    take_profit: Decimal | None = Field(default=None, gt=0)
    stop_loss: Decimal | None = Field(default=None, gt=0)
    stop_loss_limit: Decimal | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _has_a_leg(self) -> Self:
        if self.take_profit is None and self.stop_loss is None:
            raise ValueError("a bracket has neither take_profit nor stop_loss: give one, or leave the bracket out")
        if self.stop_loss_limit is not None and self.stop_loss is None:
            raise ValueError(f"stop_loss_limit {self.stop_loss_limit} has no stop_loss: give the stop price too")
        return self


class OrderRequest(Frozen):
    """What is sent to a broker. `client_order_id` is deterministic: run, case, leg, attempt.

    `time_in_force`: `opg` and `cls` fill in the opening or closing auction only, `ioc` at once and in part, `fok` at
    once and whole or not at all, `day` ends with its session, `gtc` rests until cancelled. A trailing stop trails by
    `trail_price` (money) or `trail_percent` (percent of the price). ValueError for terms that contradict each other.
    """

    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int = Field(gt=0)
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)
    trail_price: Decimal | None = Field(default=None, gt=0)
    trail_percent: Decimal | None = Field(default=None, gt=0, lt=100)
    bracket: Bracket | None = None
    reduce_only: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kind, wanted = self.order_type, _PRICES[self.order_type]
        for name in ("limit_price", "stop_price"):
            given = getattr(self, name)
            if given is None and name in wanted:
                raise ValueError(f"a {kind} order needs a {name}")
            if given is not None and name not in wanted:
                raise ValueError(f"a {kind} order takes no {name}, got {given}: remove it or change order_type")
        trails = [name for name in ("trail_price", "trail_percent") if getattr(self, name) is not None]
        if kind == "trailing_stop" and len(trails) != 1:
            raise ValueError(f"a trailing_stop needs trail_price or trail_percent, exactly one; got {len(trails)}")
        if kind != "trailing_stop" and trails:
            raise ValueError(f"a {kind} order takes no {trails[0]}: remove it or make it a trailing_stop")
        if kind in _STOPS and self.time_in_force not in ("day", "gtc"):
            raise ValueError(f"a {kind} order waits for its price, so {self.time_in_force} cannot hold: use day or gtc")
        if self.bracket is not None:
            self._check_bracket(self.bracket)
        return self

    def _check_bracket(self, bracket: Bracket) -> None:
        if self.reduce_only:
            raise ValueError("a bracket protects an entry; a reduce_only order has nothing to protect")
        if self.order_type not in ("market", "limit") or self.time_in_force not in ("day", "gtc"):
            given = f"{self.order_type} {self.time_in_force}"
            raise ValueError(f"a bracket goes with a market or limit entry for day or gtc, not {given}")
        ladder = [bracket.stop_loss, self.limit_price, bracket.take_profit]
        known = [price for price in (ladder if self.side == "buy" else ladder[::-1]) if price is not None]
        if any(low >= high for low, high in pairwise(known)):
            order = "stop_loss < limit_price < take_profit"
            raise ValueError(
                f"bracket of a {self.side}: {order if self.side == 'buy' else order.replace('<', '>')} must hold, got "
                + ", ".join(str(price) for price in ladder if price is not None)
            )


class BrokerOrder(Frozen):
    """An order as the broker reports it. `parent_client_order_id` names the entry that a bracket leg belongs to."""

    client_order_id: str
    broker_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    order_type: OrderType
    stop_price: Decimal | None = None
    limit_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    state: OrderState
    filled_quantity: int = 0
    average_price: Decimal | None = None
    reason: str | None = None
    parent_client_order_id: str | None = None


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


class Charge(Frozen):
    """Money a venue took for holding: `borrow` for a short, `interest` for credit (`symbol` is None then)."""

    charge_id: str
    sequence: int
    kind: Literal["borrow", "interest"]
    symbol: Symbol | None
    amount: Decimal = Field(gt=0)
    session: date
    at: Instant


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


@runtime_checkable
class PlayedVenue(Broker, Protocol):
    """A broker whose sessions the desk itself plays: what a replay needs and no real broker can do."""

    def is_past(self, tick: Tick) -> bool:
        """True when a later tick was matched already."""
        ...

    def match_open(self, tick: Tick, opens: Mapping[str, Decimal], volumes: Mapping[str, float]) -> None: ...

    def match_close(self, tick: Tick, bars: Mapping[str, Bar]) -> None: ...

    def apply_action(self, action: CorporateAction) -> None:
        """Move position, cash and resting orders to the new share basis, once."""
        ...

    def close(self) -> None:
        """Let go of its files."""
        ...
