"""How the simulated venue matches one order at a moment. Pure: an order and a market in, a decision out.

Conventions: market orders fill at the open (`opg`, and whatever else still rests then) or, if sent after the
open, at the close (`day`, `gtc`). `cls` meets the close alone; `ioc` and `fok` meet one price, the open or the close
of the first tick after they arrive. A stop triggers in any bar it rests through, also in the bar of its entry, and
fills at the worse of the bar's open and its stop price; what the cap leaves of it waits for the stop price again. A
triggered stop-limit is a limit order for ever, a triggered trailing stop a market order (`triggers` says where in a
bar). Slippage moves every market and stop fill against the trader; a limit is never filled worse than its limit.
At most a part of a session's volume is ours. In a halted symbol nothing is matched and no trail moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tools.data.types import Bar
from tools.execution import costs, triggers
from tools.execution.triggers import Touch
from tools.execution.types import OrderState, OrderType, TimeInForce
from tools.execution.venue_terms import VenueTerms
from tools.types import Phase, Side

TERMS = VenueTerms()
AT_ONCE = ("opg", "ioc", "fok")
ONE_PRICE = ("cls", "ioc", "fok")


@dataclass(frozen=True)
class Resting:
    """An order as it rests at the venue; `remaining` shares are not filled yet.

    The `stop_price` of a trailing stop is its level so far, None before the first price it saw.
    """

    client_order_id: str
    side: Side
    remaining: int
    filled: int
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    reduce_only: bool
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    triggered: bool = False

    @property
    def works_as(self) -> OrderType:
        """What the order is by now: a triggered stop-limit is a limit order, a triggered trailing stop a market one."""
        if not self.triggered:
            return self.order_type
        return "limit" if self.order_type == "stop_limit" else "market"


@dataclass(frozen=True)
class Venue:
    """What the venue knows when it matches: the session's volume, what of it is ours, the account and its terms.

    `borrowable` shares may be short. `net` and `gross` are the market values of the account's other positions.
    """

    volume: int
    traded: int
    held: int
    cash: Decimal
    seed: int
    terms: VenueTerms = TERMS
    borrowable: int = 0
    net: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)

    @property
    def available(self) -> int:
        """Shares the participation cap leaves in this session."""
        return max(0, int(self.terms.participation * self.volume) - self.traded)

    def affords(self, delta: int, price: Decimal, fee: Decimal) -> bool:
        """Whether equity covers the margin after a trade of `delta` shares; what only closes is always affordable."""
        after = self.held + delta
        if self.held * delta < 0 and self.held * after >= 0:
            return True
        equity = self.cash - delta * price - fee + self.net + after * price
        return equity >= self.terms.initial_margin * (self.gross + abs(after) * price)


@dataclass(frozen=True)
class Execution:
    quantity: int
    price: Decimal
    reference_price: Decimal
    commission: Decimal


@dataclass(frozen=True)
class Decision:
    """The state after matching, an execution if there was one, and why an order ended unfilled.

    `triggered` says that the order was triggered now, `stop_price` where a trailing stop stands, None for every other.
    """

    state: OrderState
    execution: Execution | None = None
    reason: str | None = None
    triggered: bool = False
    stop_price: Decimal | None = None


def at_open(order: Resting, open_price: Decimal | None, venue: Venue) -> Decision:
    """Match at the opening price; stops wait for the bar. `opg`, `ioc` and `fok` orders end here, filled or not."""
    if order.works_as not in ("market", "limit") or order.time_in_force == "cls":
        return _rest(order)
    if open_price is None:
        if order.time_in_force in AT_ONCE:
            return Decision(OrderState.REJECTED, reason="no_price")
        return _rest(order)
    return _match(order, _marketable(order, open_price), venue, ends=order.time_in_force in AT_ONCE)


def at_close(order: Resting, bar: Bar | None, venue: Venue) -> Decision:
    """Match through the bar, or at its close alone; only `gtc` orders rest on."""
    ends = order.time_in_force != "gtc"
    if bar is None or order.time_in_force == "opg":
        return Decision(OrderState.EXPIRED, reason="not_matched_in_its_session") if ends else _rest(order)
    if order.time_in_force in ONE_PRICE:
        return _match(order, _marketable(order, bar.close), venue, ends=ends)
    touch = _through(order, bar)
    decision = _match(order, touch.reference, venue, ends=ends)
    level = touch.stop_price if order.order_type == "trailing_stop" else None
    return replace(decision, triggered=touch.triggered, stop_price=level)


def halted(order: Resting, phase: Phase) -> Decision:
    """What becomes of an order at a tick of a session in which its symbol does not trade."""
    ends = order.time_in_force in AT_ONCE or (phase == "close" and order.time_in_force != "gtc")
    return Decision(OrderState.EXPIRED, reason="symbol_halted") if ends else _rest(order)


def _through(order: Resting, bar: Bar) -> Touch:
    match order.works_as, order.limit_price, order.stop_price:
        case "market", _, level:
            return Touch(bar.close, stop_price=level)
        case "limit", Decimal() as limit, _:
            return Touch(triggers.limited(order.side, limit, bar))
        case "stop", _, Decimal() as stop:
            return Touch(triggers.stopped(order.side, stop, bar))
        case "stop_limit", Decimal() as limit, Decimal() as stop:
            return triggers.stop_limited(order.side, stop, limit, bar)
        case "trailing_stop", _, level:
            return triggers.trailed(
                order.side, level, bar, trail_price=order.trail_price, trail_percent=order.trail_percent
            )
    return Touch(None)


def _marketable(order: Resting, price: Decimal) -> Decimal | None:
    if order.works_as == "market":
        return price
    return price if order.limit_price is not None and triggers.satisfies(order.side, price, order.limit_price) else None


def _match(order: Resting, reference: Decimal | None, venue: Venue, *, ends: bool) -> Decision:
    wanted, dropped = order.remaining, OrderState.REJECTED if order.filled == 0 else OrderState.CANCELLED
    if order.reduce_only:
        reducible = max(0, venue.held if order.side == "sell" else -venue.held)
        if reducible == 0:
            return Decision(OrderState.CANCELLED, reason="no_position")
        wanted = min(wanted, reducible)
    elif order.side == "sell" and wanted > venue.held + venue.borrowable:
        return Decision(dropped, reason="borrow_limit" if venue.borrowable else "no_position")
    if reference is None:
        return Decision(OrderState.EXPIRED, reason="limit_not_reached") if ends else _rest(order)
    quantity = min(wanted, venue.available)
    if order.time_in_force == "fok" and quantity < order.remaining:
        return Decision(OrderState.EXPIRED, reason="not_filled_whole")
    if quantity == 0:
        return Decision(OrderState.EXPIRED, reason="participation_cap") if ends else _rest(order)
    price = _price(order, reference, quantity, venue)
    fee = costs.commission(quantity, price, venue.terms.costs)
    if not venue.affords(quantity if order.side == "buy" else -quantity, price, fee):
        return Decision(dropped, reason="no_cash" if order.side == "buy" else "no_margin")
    execution = Execution(quantity, price, reference, fee)
    if quantity == order.remaining:
        return Decision(OrderState.FILLED, execution)
    if quantity == wanted:
        return Decision(OrderState.CANCELLED, execution, "capped_at_position")
    if ends:
        return Decision(OrderState.EXPIRED, execution, "participation_cap")
    return Decision(OrderState.PARTIALLY_FILLED, execution)


def _price(order: Resting, reference: Decimal, quantity: int, venue: Venue) -> Decimal:
    model = venue.terms.costs
    factor = costs.noise_factor(venue.seed, order.client_order_id, model)
    price = costs.slipped(order.side, reference, costs.slippage_bps(quantity, venue.volume, factor, model))
    if order.limit_price is not None:
        return min(price, order.limit_price) if order.side == "buy" else max(price, order.limit_price)
    return price


def _rest(order: Resting) -> Decision:
    return Decision(OrderState.PARTIALLY_FILLED if order.filled else OrderState.NEW)
