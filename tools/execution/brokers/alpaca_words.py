"""Alpaca's words and ours: orders, fills, positions and states, in both directions. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tools.canonical import decimal_text
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.types import BrokerOrder, Fill, OrderRequest, OrderState
from tools.types import Frozen

EXCHANGE = ZoneInfo("America/New_York")
CLIENT_ID_LENGTH = 128
T = TypeVar("T")

_S = OrderState
STATES: dict[str, OrderState] = {
    "accepted": _S.NEW,
    "pending_new": _S.NEW,
    "accepted_for_bidding": _S.NEW,
    "pending_review": _S.NEW,
    "new": _S.NEW,
    "held": _S.NEW,
    "suspended": _S.NEW,
    "stopped": _S.NEW,
    "calculated": _S.NEW,
    "done_for_day": _S.NEW,
    "partially_filled": _S.PARTIALLY_FILLED,
    "filled": _S.FILLED,
    "pending_cancel": _S.PENDING_CANCEL,
    "pending_replace": _S.PENDING_REPLACE,
    "canceled": _S.CANCELLED,
    "replaced": _S.REPLACED,
    "expired": _S.EXPIRED,
    "rejected": _S.REJECTED,
}
"""Alpaca's order statuses. What Alpaca holds and may still fill is `new`, or `partially_filled` once it has a fill;
a status that is not here is `unknown`."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class WireOrder(_Wire):
    """An order as Alpaca writes it; money and quantities as text."""

    id: str
    client_order_id: str
    symbol: str | None = None
    side: str | None = None
    qty: Decimal | None = None
    filled_qty: Decimal = Decimal(0)
    filled_avg_price: Decimal | None = None
    type: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    status: str
    submitted_at: AwareDatetime | None = None
    legs: tuple[WireOrder, ...] | None = None


class WireFill(_Wire):
    """A FILL activity. `id` is unique for ever and sorts by time."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    transaction_time: AwareDatetime


class WirePosition(_Wire):
    symbol: str
    qty: Decimal
    side: str
    asset_class: str = "us_equity"


class BrokerAccount(Frozen):
    """The account at the broker. Money in `currency`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    account_number: str = Field(repr=False)
    status: str
    currency: str
    cash: Decimal
    buying_power: Decimal
    trading_blocked: bool
    account_blocked: bool

    @property
    def tradable(self) -> bool:
        return self.status == "ACTIVE" and not self.trading_blocked and not self.account_blocked


class MarketClock(Frozen):
    """The venue's own clock."""

    timestamp: AwareDatetime
    is_open: bool
    next_open: AwareDatetime
    next_close: AwareDatetime


def read(kind: type[T] | Any, answer: Any, what: str) -> Any:
    """Parse an answer; RetryableToolError `broker_garbled` when it is not what the protocol says."""
    try:
        return TypeAdapter(kind).validate_python(answer)
    except ValidationError as error:
        where = ", ".join(".".join(str(part) for part in item["loc"]) or item["type"] for item in error.errors())
        raise RetryableToolError(
            f"Alpaca's answer for {what} cannot be read ({where}): ask again, nothing is known from it",
            code="broker_garbled",
        ) from None


def order_body(request: OrderRequest) -> dict[str, Any]:
    """The JSON of POST /v2/orders. Raises ExecutionError `invalid_order` for what Alpaca would not take."""
    if not 0 < len(request.client_order_id) <= CLIENT_ID_LENGTH:
        raise ExecutionError(
            f"client_order_id has {len(request.client_order_id)} characters; Alpaca takes 1 to {CLIENT_ID_LENGTH}",
            code="invalid_order",
        )
    body: dict[str, Any] = {
        "symbol": request.symbol, "qty": str(request.quantity), "side": request.side, "type": request.order_type,
        "time_in_force": request.time_in_force, "client_order_id": request.client_order_id, **terms(request),
    }  # fmt: skip
    if (bracket := request.bracket) is not None:
        both = bracket.take_profit is not None and bracket.stop_loss is not None
        body["order_class"] = "bracket" if both else "oto"
        if bracket.take_profit is not None:
            body["take_profit"] = {"limit_price": price_text(bracket.take_profit)}
        if bracket.stop_loss is not None:
            body["stop_loss"] = {"stop_price": price_text(bracket.stop_loss)}
        if bracket.stop_loss_limit is not None:
            body["stop_loss"]["limit_price"] = price_text(bracket.stop_loss_limit)
    return body


def terms(request: OrderRequest) -> dict[str, str]:
    """The prices of an order as text."""
    prices = {
        "limit_price": request.limit_price, "stop_price": request.stop_price, "trail_price": request.trail_price,
    }  # fmt: skip
    made = {name: price_text(price) for name, price in prices.items() if price is not None}
    if request.trail_percent is not None:
        made["trail_percent"] = decimal_text(request.trail_percent)
    return made


def price_text(price: Decimal) -> str:
    """A price on the tick of US equities: 0.01 from one dollar, 0.0001 below (SEC Rule 612)."""
    step = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if price % step:
        raise ExecutionError(f"price {price} is not a multiple of {step}; round it first", code="invalid_order")
    return decimal_text(price)


def order_of(wire: WireOrder, *, parent: str | None = None) -> BrokerOrder:
    """Our words for an order. Raises ExecutionError `unsupported_order` for one the desk has no words for."""
    if wire.qty is None or wire.symbol is None:
        raise ExecutionError(
            f"order {wire.client_order_id} at Alpaca has no share quantity: it is not the desk's, end it there",
            code="unsupported_order",
        )
    state = STATES.get(wire.status, _S.UNKNOWN)
    filled = shares(wire.filled_qty, f"order {wire.client_order_id}")
    if state is _S.NEW and filled:
        state = _S.PARTIALLY_FILLED
    reason = wire.status if state in (_S.REJECTED, _S.NEW) and wire.status != "new" else None
    if state is _S.UNKNOWN:
        reason = f"Alpaca reports the status {wire.status!r}, which this version does not know"
    try:
        return BrokerOrder.model_validate(
            {
                "client_order_id": wire.client_order_id, "broker_order_id": wire.id, "symbol": wire.symbol,
                "side": side_of(wire.side), "quantity": shares(wire.qty, f"order {wire.client_order_id}"),
                "order_type": wire.type, "stop_price": wire.stop_price, "limit_price": wire.limit_price,
                "trail_price": wire.trail_price, "trail_percent": wire.trail_percent, "state": state,
                "filled_quantity": filled, "average_price": wire.filled_avg_price or None, "reason": reason,
                "parent_client_order_id": parent,
            }
        )  # fmt: skip
    except ValidationError as error:
        fields = ", ".join(str(item["loc"][0]) for item in error.errors())
        raise ExecutionError(
            f"order {wire.client_order_id} at Alpaca has terms the desk has no words for: {fields}",
            code="unsupported_order",
        ) from None


def fill_of(wire: WireFill, sequence: int, client_order_id: str) -> Fill:
    """Our words for a FILL activity, keyed by the activity's id.

    Alpaca charges no commission per execution (fees come as activities of their own) and reports no reference
    price: `reference_price` is the fill's price, cost against arrival is the cost report's work.
    """
    at = wire.transaction_time.astimezone(UTC)
    return Fill.model_validate(
        {
            "execution_id": wire.id, "sequence": sequence, "client_order_id": client_order_id, "symbol": wire.symbol,
            "side": side_of(wire.side), "quantity": shares(wire.qty, f"fill {wire.id}"), "price": wire.price,
            "commission": Decimal(0), "reference_price": wire.price, "session": at.astimezone(EXCHANGE).date(),
            "at": at,
        }
    )  # fmt: skip


def side_of(side: str | None) -> str | None:
    return "sell" if side == "sell_short" else side


def shares(quantity: Decimal, what: str) -> int:
    """Whole shares; ExecutionError `fractional_quantity` for a fraction."""
    if quantity != int(quantity):
        raise ExecutionError(
            f"{what} has {quantity} shares: the desk works in whole shares, close the fraction at Alpaca first",
            code="fractional_quantity",
        )
    return int(quantity)


class Held(NamedTuple):
    symbol: str
    quantity: int


def held_of(wire: WirePosition) -> Held:
    """A signed position. Raises ExecutionError `unsupported_asset` for options and crypto."""
    if wire.asset_class != "us_equity":
        raise ExecutionError(
            f"the account holds {wire.symbol} ({wire.asset_class}): the desk runs accounts of US equities only",
            code="unsupported_asset",
        )
    quantity = abs(shares(wire.qty, f"position {wire.symbol}"))
    return Held(wire.symbol, -quantity if wire.side == "short" else quantity)


def text_of(moment: datetime) -> str:
    """RFC 3339 in UTC, as Alpaca's queries take it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
