"""Busts and corrections: the venue takes an execution back or restates it, and our book follows.

They may come before the execution they amend, twice, or in the wrong order: the last word by the venue's time stands.
"""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import AmendmentRow, FillRow, OrderRow, PositionRow, RunRow
from pipeline.findings import raise_finding
from pipeline.store import now
from tools.errors import ExecutionError
from tools.execution.messages import Amendment, OrderMessage
from tools.execution.orders import after_amendment
from tools.execution.positions import AVERAGE_STEP, apply_fill, cash_effect, undo_fill
from tools.execution.types import Fill, OrderState, Position
from tools.types import Tick


def take(session: Session, run_id: str, message: OrderMessage, tick: Tick) -> bool:
    """Keep an amendment and carry it out where its execution is booked; False for one that was heard or outlived."""
    if not isinstance(message.event, Amendment) or message.execution is None:
        raise ExecutionError(f"message {message.id} is {message.event.value}, no amendment", code="not_an_amendment")
    bust = message.event is Amendment.BUST
    row = session.get(AmendmentRow, message.execution.execution_id)
    if row is not None and (row.at, row.message_id) >= (message.at, message.id):
        return False
    row = row or AmendmentRow(
        execution_id=message.execution.execution_id, run_id=run_id, message_id="", kind="", quantity=0, price=Decimal(0)
    )
    row.message_id, row.kind, row.at = message.id, message.event.value, message.at
    row.quantity = 0 if bust else message.execution.quantity
    row.price = Decimal(0) if bust else message.execution.price
    session.add(row)
    session.flush()
    carry_out(session, session.get_one(RunRow, run_id), row, tick)
    return True


def carry_out(session: Session, run: RunRow, amended: AmendmentRow, tick: Tick) -> None:
    """Restate fill, order, position and cash; nothing where the execution is not booked (yet)."""
    row = session.get(FillRow, amended.execution_id)
    order = None if row is None else session.get(OrderRow, row.client_order_id)
    if row is None or row.case_id is None or order is None:
        return
    before, after = standing_fill(row), _fill(row, amended.quantity, amended.price)
    if before == after:
        return
    position = _restate(session, run, row.symbol, before, after)
    row.quantity, row.price = amended.quantity, amended.price
    row.commission = after.commission if after else Decimal(0)
    session.add(row)
    session.flush()
    _restate_order(session, order)
    bust = after is None
    append(
        session,
        Entry(
            kind="fill.busted" if bust else "fill.corrected", case_id=row.case_id, run_id=run.id,
            step=f"{amended.kind}:{row.execution_id}:{amended.message_id}", desk_time=tick.as_of, stage=Stage.FILL,
            content={
                "execution": row.execution_id, "before": before, "after": after, "position": position.quantity,
                "cash": run.cash, "order_state": order.state,
            },
        ),
    )  # fmt: skip
    told = "took back" if bust else f"corrected to {row.quantity} at {row.price}"
    was = "nothing" if before is None else f"{before.side} {before.quantity} {row.symbol} at {before.price}"
    raise_finding(
        session, run, code="fill_busted" if bust else "fill_corrected", severity="critical", component="execution",
        symbol=row.symbol, message=f"the venue {told} execution {row.execution_id} ({was}); position and cash follow",
        recommendation="Look at the position and its stop; the order may have to be sent again.", as_of=tick.as_of,
    )  # fmt: skip


def standing_fill(row: FillRow) -> Fill | None:
    """An execution as it stands after amendments; None when it was busted."""
    return _fill(row, row.quantity, row.price)


def _fill(row: FillRow, quantity: int, price: Decimal) -> Fill | None:
    return row.body.model_copy(update={"quantity": quantity, "price": price}) if quantity else None


def _restate(session: Session, run: RunRow, symbol: str, before: Fill | None, after: Fill | None) -> PositionRow:
    row = session.get_one(PositionRow, (run.id, symbol))
    position = Position(
        symbol=symbol, quantity=row.quantity, average_price=row.average_price, realised=row.realised
    )  # fmt: skip
    if before is not None:
        position, run.cash = undo_fill(position, before), run.cash - cash_effect(before)
    if after is not None:
        position, run.cash = apply_fill(position, after), run.cash + cash_effect(after)
    row.quantity, row.average_price, row.realised = position.quantity, position.average_price, position.realised
    if row.quantity == 0:
        row.stop_price = None
    session.add(row)
    session.add(run)
    return row


def _restate_order(session: Session, order: OrderRow) -> None:
    rows = session.exec(select(FillRow).where(col(FillRow.client_order_id) == order.client_order_id)).all()
    total = sum(row.quantity for row in rows)
    spent = sum((row.price * row.quantity for row in rows), Decimal(0))
    order.filled_quantity = total
    order.average_price = (spent / total).quantize(AVERAGE_STEP) if total else None
    order.state = after_amendment(OrderState(order.state), total, order.quantity).value
    order.updated_wall = now()
    session.add(order)
