"""One message of a venue's stream into our book. The stream may repeat, delay and reorder; this may be called again."""

from __future__ import annotations

from memory.tables import OrderRow
from pipeline import amendments
from pipeline.booking import hear_state
from pipeline.store import Store
from tools.execution.messages import Amendment, OrderMessage
from tools.execution.orders import OrderEvent
from tools.execution.types import OrderState
from tools.types import Tick

STATES: dict[OrderEvent | Amendment, OrderState] = {
    OrderEvent.ACCEPTED: OrderState.NEW,
    OrderEvent.CANCEL_REQUESTED: OrderState.PENDING_CANCEL,
    OrderEvent.CANCELLED: OrderState.CANCELLED,
    OrderEvent.REPLACE_REQUESTED: OrderState.PENDING_REPLACE,
    OrderEvent.REPLACED: OrderState.REPLACED,
    OrderEvent.REJECTED: OrderState.REJECTED,
    OrderEvent.EXPIRED: OrderState.EXPIRED,
}


def take_message(store: Store, run_id: str, message: OrderMessage, tick: Tick) -> bool:
    """Take what the message says; True when the broker must be asked (`execution.book_fills`) for what it does not.

    Executions are booked from the broker's own list of fills only, by their id; a refused cancel or replace says
    nothing of the state, and a message of an order that is not ours is for the reconciliation to name.
    """
    with store.db.write() as session:
        if isinstance(message.event, Amendment):
            amendments.take(session, run_id, message, tick)
            return False
        order = session.get(OrderRow, message.client_order_id)
        state = STATES.get(message.event)
        if order is None or state is None or message.execution is not None:
            return True
        filled = order.filled_quantity if message.cumulative is None else message.cumulative
        hear_state(session, order, state, filled, message.reason, tick)
        return filled > order.filled_quantity
