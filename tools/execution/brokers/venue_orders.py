"""An order at the simulated venue: what was asked, what is reported, and what the venue keeps for itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tools.canonical import stable_id
from tools.data.types import CorporateAction
from tools.execution.brackets import EXITS, Exit, on_new_basis
from tools.execution.matching import Decision, Resting
from tools.execution.positions import AVERAGE_STEP, CENT, adjust_resting
from tools.execution.types import TERMINAL, Bracket, BrokerOrder, OrderRequest, OrderState
from tools.types import Frozen


class Working(Frozen):
    """The venue's own notes. `arrives` is the number of the first tick that the order can meet.

    `bracket` holds the exits in the share basis of today, where the request keeps the one it was sent in.
    """

    arrives: int = 0
    triggered: bool = False
    bracket: Bracket | None = None


@dataclass(frozen=True)
class VenueOrder:
    """What was asked, and the order as it stands."""

    request: OrderRequest
    report: BrokerOrder
    working: Working

    @property
    def resting(self) -> Resting:
        order = self.report
        return Resting(
            client_order_id=order.client_order_id, side=order.side, remaining=order.quantity - order.filled_quantity,
            filled=order.filled_quantity, order_type=order.order_type, time_in_force=self.request.time_in_force,
            limit_price=order.limit_price, stop_price=order.stop_price, reduce_only=self.request.reduce_only,
            trail_price=order.trail_price, trail_percent=order.trail_percent, triggered=self.working.triggered,
        )  # fmt: skip

    @property
    def is_open(self) -> bool:
        return self.report.state not in TERMINAL

    @property
    def in_bracket(self) -> bool:
        return self.working.bracket is not None or self.report.parent_client_order_id is not None

    def reporting(self, **changes: object) -> VenueOrder:
        """The same order with changes in its report."""
        return replace(self, report=self.report.model_copy(update=changes))


def received(
    account: str, request: OrderRequest, *, refusal: str | None = None, arrives: int = 0, parent: str | None = None
) -> VenueOrder:
    """A request as the venue books it: new, or rejected for `refusal`."""
    report = BrokerOrder(
        client_order_id=request.client_order_id,
        broker_order_id=stable_id("bo", account, request.client_order_id),
        symbol=request.symbol, side=request.side, quantity=request.quantity, order_type=request.order_type,
        stop_price=request.stop_price, limit_price=request.limit_price, trail_price=request.trail_price,
        trail_percent=request.trail_percent, state=OrderState.NEW if refusal is None else OrderState.REJECTED,
        reason=refusal, parent_client_order_id=parent,
    )  # fmt: skip
    return VenueOrder(request, report, Working(arrives=arrives, bracket=request.bracket))


def exits_of(account: str, client_order_id: str) -> tuple[Exit, ...]:
    """The ids that the venue gives to the exits of an entry."""
    return tuple(Exit(name, stable_id("leg", account, client_order_id, name)) for name in EXITS)


def decided(item: VenueOrder, decision: Decision) -> VenueOrder:
    """The order after matching."""
    order = item.report
    filled, average = order.filled_quantity, order.average_price
    if decision.execution is not None:
        total = (average or Decimal(0)) * filled + decision.execution.price * decision.execution.quantity
        filled += decision.execution.quantity
        average = (total / filled).quantize(AVERAGE_STEP)
    update = {
        "state": decision.state, "filled_quantity": filled, "average_price": average, "reason": decision.reason,
        "stop_price": order.stop_price if decision.stop_price is None else decision.stop_price,
    }  # fmt: skip
    triggered = item.working.triggered or decision.triggered
    working = item.working.model_copy(update={"triggered": triggered})
    return replace(item, report=order.model_copy(update=update), working=working)


def adjusted(item: VenueOrder, action: CorporateAction) -> VenueOrder:
    """An open order after a corporate action in its symbol."""
    order = item.report
    remaining = order.quantity - order.filled_quantity
    stop = adjust_resting(remaining, order.stop_price, action)
    update: dict[str, object] = {
        "quantity": order.filled_quantity + stop.quantity,
        "stop_price": stop.stop_price,
        "limit_price": adjust_resting(remaining, order.limit_price, action).stop_price,
    }
    if order.trail_price is not None:
        update["trail_price"] = max(CENT, (order.trail_price / action.ratio).quantize(CENT))
    if stop.quantity == 0:
        update |= {"state": OrderState.CANCELLED, "reason": "corporate_action", "quantity": order.quantity}
    bracket = item.working.bracket
    if bracket is not None:
        bracket = on_new_basis(bracket, action.ratio, action.cash, CENT)
    working = item.working.model_copy(update={"bracket": bracket})
    return replace(item, report=order.model_copy(update=update), working=working)
