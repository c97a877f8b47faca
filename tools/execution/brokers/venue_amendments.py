"""Trades that the simulated venue takes back or states anew, in the words of `tools.execution.messages`.

`fills` keeps what was executed, as a drop copy does; an amendment names the execution and says how it stands now. The
commission stays as it was charged. A busted share comes back to an order that is still open; a filled order that lost
shares ends as cancelled. Message ids rise, so that two amendments of one moment have an order.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tools.errors import ExecutionError
from tools.execution.brokers import venue_brackets
from tools.execution.brokers.venue_account import VenueAccount
from tools.execution.brokers.venue_orders import VenueOrder
from tools.execution.messages import Amendment, Execution, OrderMessage
from tools.execution.positions import AVERAGE_STEP
from tools.execution.types import Fill, OrderState


def amend(account: VenueAccount, execution_id: str, quantity: int | None, price: Decimal | None) -> OrderMessage:
    """State an execution anew (None: as it stands; a quantity of 0 busts it) and restate order, position and cash.

    Raises ExecutionError `unknown_execution`, `too_late` after a corporate action changed the share basis, and
    `invalid_correction` for terms that cannot stand.
    """
    fill = account.fill(execution_id)
    if fill is None:
        raise ExecutionError(f"the venue has no execution {execution_id}", code="unknown_execution")
    if account.has_action_after(fill.symbol, fill.session):
        raise ExecutionError(
            f"execution {execution_id} of {fill.session} lies before a corporate action in {fill.symbol}: it stands",
            code="too_late",
        )
    order = account.order(fill.client_order_id)
    assert order is not None
    standing = {item.execution_id: item for item in _standing(account, order)}
    before = standing[execution_id]
    shares = before.quantity if quantity is None else quantity
    paid = before.price if price is None else price
    room = order.report.quantity - order.report.filled_quantity + before.quantity
    unchanged = (shares, paid) == (before.quantity, before.price)
    if not 0 <= shares <= room or paid <= 0 or unchanged or before.quantity == 0:
        raise ExecutionError(
            f"execution {execution_id} stands at {before.quantity} for {before.price} and cannot become {shares} for "
            f"{paid}: give 0 to {room} shares and a price above 0, not the same again, and nothing after a bust",
            code="invalid_correction",
        )
    after = Execution(execution_id=execution_id, quantity=shares, price=paid)
    standing[execution_id] = after
    _restate(account, order, tuple(standing.values()), shares - before.quantity)
    for execution, sign in ((before, -1), (after, 1)):
        _move(account, fill, execution, sign)
    return _tell(account, order, after)


def amendments(account: VenueAccount, after_sequence: int) -> tuple[OrderMessage, ...]:
    """Busts and corrections after the first `after_sequence` of them, in the order in which they were made."""
    rows = account.db.execute(
        "SELECT message FROM amendments WHERE account = ? AND sequence > ? ORDER BY sequence",
        (account.name, after_sequence),
    ).fetchall()
    return tuple(OrderMessage.model_validate_json(row[0]) for row in rows)


def _standing(account: VenueAccount, order: VenueOrder) -> tuple[Execution, ...]:
    amended = {item.execution.execution_id: item.execution for item in amendments(account, 0) if item.execution}
    name = order.request.client_order_id
    own = (item for item in account.fills(0) if item.client_order_id == name)
    executions = (Execution(execution_id=one.execution_id, quantity=one.quantity, price=one.price) for one in own)
    return tuple(amended.get(item.execution_id, item) for item in executions)


def _restate(account: VenueAccount, order: VenueOrder, trades: tuple[Execution, ...], change: int) -> None:
    filled = sum(item.quantity for item in trades)
    spent = sum((item.price * item.quantity for item in trades), Decimal(0))
    update: dict[str, object] = {
        "filled_quantity": filled, "average_price": (spent / filled).quantize(AVERAGE_STEP) if filled else None,
    }  # fmt: skip
    if order.report.state is OrderState.FILLED and change < 0:
        update |= {"state": OrderState.CANCELLED, "reason": "trade_amended"}
    elif order.is_open and filled == order.report.quantity:
        update["state"] = OrderState.FILLED
    elif order.is_open:
        update["state"] = OrderState.PARTIALLY_FILLED if filled else OrderState.NEW
    restated = order.reporting(**update)
    account.save_order(restated)
    if change:
        venue_brackets.follow(account, restated, change)


def _move(account: VenueAccount, fill: Fill, execution: Execution, sign: int) -> None:
    """Book an execution (sign 1) or the opposite of it (-1), without commission."""
    if not execution.quantity:
        return
    side = fill.side if sign == 1 else "sell" if fill.side == "buy" else "buy"
    update = {"side": side, "quantity": execution.quantity, "price": execution.price, "commission": Decimal(0)}
    account.book(fill.model_copy(update=update))


def _tell(account: VenueAccount, order: VenueOrder, execution: Execution) -> OrderMessage:
    (last,) = account.db.execute(
        "SELECT COALESCE(MAX(sequence), 0) FROM amendments WHERE account = ?", (account.name,)
    ).fetchone()
    bust = execution.quantity == 0
    message = OrderMessage(
        id=f"amend_{last + 1:08d}_{execution.execution_id}",
        client_order_id=order.request.client_order_id,
        event=Amendment.BUST if bust else Amendment.CORRECT,
        at=_now(account),
        execution=execution,
    )
    account.db.execute(
        "INSERT INTO amendments VALUES (?, ?, ?, ?)",
        (account.name, last + 1, execution.execution_id, message.model_dump_json()),
    )
    return message


def _now(account: VenueAccount) -> datetime:
    (at,) = account.db.execute("SELECT MAX(as_of) FROM ticks WHERE account = ?", (account.name,)).fetchone()
    return datetime.fromisoformat(at)
