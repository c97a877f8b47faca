"""How the simulated venue matches one order at a moment. Pure: an order and a market in, a decision out.

Conventions: market orders fill at the open (`opg`, and whatever else still rests then) or, if sent after the
open, at the close (`day`, `gtc`). A stop triggers in any bar it rests through, also in the bar of its entry, and
fills at the worse of the bar's open and its stop price. Slippage moves every market and stop fill against the
trader; a limit fill is never worse than its limit. At most a tenth of a session's volume is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tools.data.types import Bar
from tools.execution import costs
from tools.execution.types import OrderState, OrderType, TimeInForce
from tools.types import Side

PARTICIPATION = Decimal("0.10")


@dataclass(frozen=True)
class Resting:
    """An order as it rests at the venue; `remaining` shares are not filled yet."""

    client_order_id: str
    side: Side
    remaining: int
    filled: int
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    reduce_only: bool


@dataclass(frozen=True)
class Venue:
    """What the venue knows when it matches: the session's volume, what of it is ours, and the account."""

    volume: int
    traded: int
    held: int
    cash: Decimal
    seed: int

    @property
    def available(self) -> int:
        """Shares the participation cap leaves in this session."""
        return max(0, int(PARTICIPATION * self.volume) - self.traded)


@dataclass(frozen=True)
class Execution:
    quantity: int
    price: Decimal
    reference_price: Decimal
    commission: Decimal


@dataclass(frozen=True)
class Decision:
    """The state after matching, an execution if there was one, and why an order ended unfilled."""

    state: OrderState
    execution: Execution | None = None
    reason: str | None = None


def at_open(order: Resting, open_price: Decimal | None, venue: Venue) -> Decision:
    """Match at the opening price; stops wait for the bar. `opg` orders end here, filled or not."""
    if order.order_type == "stop":
        return _rest(order)
    if open_price is None:
        if order.time_in_force == "opg":
            return Decision(OrderState.REJECTED, reason="no_price")
        return _rest(order)
    reference = open_price if _marketable(order, open_price) else None
    return _match(order, reference, venue, ends=order.time_in_force == "opg")


def at_close(order: Resting, bar: Bar | None, venue: Venue) -> Decision:
    """Match through the bar; `opg` and `day` orders end here, `gtc` orders rest on."""
    ends = order.time_in_force != "gtc"
    if bar is None or order.time_in_force == "opg":
        return Decision(OrderState.EXPIRED, reason="not_matched_in_its_session") if ends else _rest(order)
    return _match(order, _reference_in_bar(order, bar), venue, ends=ends)


def _reference_in_bar(order: Resting, bar: Bar) -> Decimal | None:
    if order.order_type == "market":
        return bar.close
    if order.order_type == "stop" and order.stop_price is not None:
        if order.side == "sell":
            return min(bar.open, order.stop_price) if bar.low <= order.stop_price else None
        return max(bar.open, order.stop_price) if bar.high >= order.stop_price else None
    if order.order_type == "limit" and order.limit_price is not None:
        if order.side == "sell":
            return max(bar.open, order.limit_price) if bar.high >= order.limit_price else None
        return min(bar.open, order.limit_price) if bar.low <= order.limit_price else None
    return None


def _marketable(order: Resting, price: Decimal) -> bool:
    if order.order_type == "market":
        return True
    if order.limit_price is None:
        return False
    return price <= order.limit_price if order.side == "buy" else price >= order.limit_price


def _match(order: Resting, reference: Decimal | None, venue: Venue, *, ends: bool) -> Decision:
    wanted = order.remaining
    if order.reduce_only:
        reducible = max(0, venue.held if order.side == "sell" else -venue.held)
        if reducible == 0:
            return Decision(OrderState.CANCELLED, reason="no_position")
        wanted = min(wanted, reducible)
    elif order.side == "sell" and wanted > venue.held:
        return Decision(OrderState.REJECTED if order.filled == 0 else OrderState.CANCELLED, reason="no_position")
    if reference is None:
        return Decision(OrderState.EXPIRED, reason="limit_not_reached") if ends else _rest(order)
    quantity = min(wanted, venue.available)
    if quantity == 0:
        return Decision(OrderState.EXPIRED, reason="participation_cap") if ends else _rest(order)
    price = _price(order, reference, quantity, venue)
    fee = costs.commission(quantity)
    if order.side == "buy" and price * quantity + fee > venue.cash:
        return Decision(OrderState.REJECTED if order.filled == 0 else OrderState.CANCELLED, reason="no_cash")
    execution = Execution(quantity, price, reference, fee)
    if quantity == order.remaining:
        return Decision(OrderState.FILLED, execution)
    if quantity == wanted:
        return Decision(OrderState.CANCELLED, execution, "capped_at_position")
    if ends:
        return Decision(OrderState.EXPIRED, execution, "participation_cap")
    return Decision(OrderState.PARTIALLY_FILLED, execution)


def _price(order: Resting, reference: Decimal, quantity: int, venue: Venue) -> Decimal:
    factor = costs.noise_factor(venue.seed, order.client_order_id)
    price = costs.slipped(order.side, reference, costs.slippage_bps(quantity, venue.volume, factor))
    if order.order_type == "limit" and order.limit_price is not None:
        return min(price, order.limit_price) if order.side == "buy" else max(price, order.limit_price)
    return price


def _rest(order: Resting) -> Decision:
    return Decision(OrderState.PARTIALLY_FILLED if order.filled else OrderState.NEW)
