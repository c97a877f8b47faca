"""Parent orders: what one grant allows in all, drawn down by child orders in the transaction that writes them.

A child on the parent's side draws its shares from the budget when it is written and gives back what did not fill when
it has ended. A protective stop lives under the same grant and draws nothing: it only takes off what the children
filled. The budget is guarded by a conditional UPDATE and a CHECK, so that two processes cannot pass it together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, GrantRow, OrderRow, ParentRow, RunRow
from pipeline import grants
from pipeline.cases import advance
from pipeline.findings import raise_finding
from pipeline.store import Store
from tools.canonical import stable_id
from tools.errors import ExecutionError
from tools.execution.positions import AVERAGE_STEP
from tools.execution.types import TERMINAL, OrderState
from tools.types import CaseState, Side, Tick

OPEN, STOPPED, DONE = "open", "stopped", "done"
"""A parent sends children while it is open. A plan that is over is done; whatever ends it before has stopped it."""


class Filled(NamedTuple):
    """Shares of all children of a parent and their average price."""

    quantity: int
    average_price: Decimal | None


def open_parent(
    session: Session,
    run: RunRow,
    grant: GrantRow,
    *,
    case_id: str,
    symbol: str,
    side: Side,
    quantity: int,
    at: Tick,
    plan: Mapping[str, Any] | None = None,
) -> ParentRow:
    """Take the grant, once, as a parent of `quantity` shares. ExecutionError grant_exceeded or grant_spent."""
    grants.consume(session, grant, quantity)
    row = ParentRow(
        id=stable_id("parent", run.id, case_id, grant.id), run_id=run.id, case_id=case_id, grant_id=grant.id,
        symbol=symbol, side=side, quantity=quantity, plan=None if plan is None else dict(plan), opened=at.as_of,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def draw(session: Session, parent: ParentRow, quantity: int) -> None:
    """Take `quantity` shares from the budget; ExecutionError budget_exceeded or parent_stopped takes nothing."""
    if quantity <= 0:
        raise ExecutionError(f"{quantity} shares cannot be drawn from {parent.id}", code="budget_exceeded")
    taken = session.connection().execute(
        update(ParentRow)
        .where(
            col(ParentRow.id) == parent.id, col(ParentRow.status) == OPEN,
            col(ParentRow.drawn) + quantity <= col(ParentRow.quantity),
        )
        .values(drawn=col(ParentRow.drawn) + quantity)
        .returning(col(ParentRow.drawn))
    )  # fmt: skip
    drawn = taken.first()
    session.refresh(parent)
    if drawn is not None:
        return
    if parent.status != OPEN:
        raise ExecutionError(f"parent {parent.id} is {parent.status}: it sends no more", code="parent_stopped")
    raise ExecutionError(
        f"parent {parent.id} allows {parent.quantity} {parent.symbol}, {parent.drawn} are drawn: "
        f"{quantity} more are refused",
        code="budget_exceeded",
    )


def give_back(session: Session, order: OrderRow) -> None:
    """Return what an ended child did not fill; called once, by the order's end."""
    unfilled = order.quantity - order.filled_quantity
    if order.parent_id is not None and unfilled > 0:
        session.connection().execute(
            update(ParentRow)
            .where(col(ParentRow.id) == order.parent_id, col(ParentRow.drawn) >= unfilled)
            .values(drawn=col(ParentRow.drawn) - unfilled)
        )


def redraw(session: Session, order: OrderRow, quantity: int) -> None:
    """Draw again what an ended child gave back and a late execution filled, or may fill still where it lives again.

    A full budget is not passed.
    """
    parent = None if order.parent_id is None else session.get_one(ParentRow, order.parent_id)
    if parent is None:
        return
    session.refresh(parent)
    parent.drawn = min(parent.quantity, parent.drawn + quantity)
    session.add(parent)


def stop(session: Session, parent: ParentRow, reason: str, status: str = STOPPED) -> bool:
    """Let no further child be written; those that were go on or are cancelled as orders. False when it had ended."""
    ended = session.connection().execute(
        update(ParentRow)
        .where(col(ParentRow.id) == parent.id, col(ParentRow.status) == OPEN)
        .values(status=status, reason=reason)
        .returning(col(ParentRow.id))
    )
    first = ended.first() is not None
    session.refresh(parent)
    return first


def end_plan(
    session: Session,
    parent: ParentRow,
    reason: str,
    desk_time: datetime,
    *,
    status: str = STOPPED,
    by: Mapping[str, Any] | None = None,
    envelope: Mapping[str, Any] | None = None,
) -> bool:
    """Write no further child and record why, once; the case ends here, or with the last child that still lives."""
    if not stop(session, parent, reason, status):
        return False
    rows = children(session, parent.id)
    case = session.get_one(CaseRow, parent.case_id)
    total = sum(row.filled_quantity for row in rows)
    append(
        session,
        Entry(
            kind=f"parent.{status}", step=f"plan:{status}", case_id=case.id, run_id=parent.run_id,
            desk_time=desk_time, stage=Stage.ORDER, envelope={"parent": parent.id, **(envelope or {})},
            content={"reason": reason, "filled": total, "of": parent.quantity, **(by or {})},
        ),
    )  # fmt: skip
    if case.state == CaseState.SUBMITTED.value and all(OrderState(row.state) in TERMINAL for row in rows):
        advance(
            session, case, CaseState.DONE if total else CaseState.CANCELLED, content={"filled": total},
            desk_time=desk_time, stage=Stage.ORDER, reason=None if total else reason,
        )  # fmt: skip
    return True


def close(session: Session, order: OrderRow) -> None:
    """Note that a plan is over, with the case that its last child just ended."""
    parent = None if order.parent_id is None else session.get_one(ParentRow, order.parent_id)
    if parent is not None and parent.plan is not None:
        stop(session, parent, "the plan is over", DONE)


def working(session: Session, run_id: str | None = None) -> tuple[ParentRow, ...]:
    """Planned parents of which more children may come, by case; of one run or of all.

    Not by their own id, which follows from a nonce: who comes first takes what the limits leave.
    """
    query = select(ParentRow).where(ParentRow.status == OPEN, col(ParentRow.plan).is_not(None))
    if run_id is not None:
        query = query.where(ParentRow.run_id == run_id)
    return tuple(session.exec(query.order_by(col(ParentRow.case_id))).all())


def children(session: Session, parent_id: str) -> tuple[OrderRow, ...]:
    """The child orders that draw from a parent, by attempt."""
    query = select(OrderRow).where(OrderRow.parent_id == parent_id)
    return tuple(session.exec(query.order_by(col(OrderRow.attempt))).all())


def has_more(session: Session, order: OrderRow) -> bool:
    """True while the order's parent works a plan of which more may come; a single order is all there is.

    Of a plan that has ended, or has sent its last child, more comes from the children that still live.
    """
    parent = None if order.parent_id is None else session.get_one(ParentRow, order.parent_id)
    if parent is None or parent.plan is None:
        return False
    rows = children(session, parent.id)
    if parent.status != OPEN or rows[-1].attempt >= len(parent.plan["slices"]):
        return any(OrderState(row.state) not in TERMINAL for row in rows)
    return filled(session, order).quantity < parent.quantity


def filled(session: Session, order: OrderRow) -> Filled:
    """What the order and its siblings filled."""
    rows = (order,) if order.parent_id is None else children(session, order.parent_id)
    if len(rows) == 1:
        return Filled(order.filled_quantity, order.average_price)
    total = sum(row.filled_quantity for row in rows)
    spent = sum(((row.average_price or Decimal(0)) * row.filled_quantity for row in rows), Decimal(0))
    return Filled(total, (spent / total).quantize(AVERAGE_STEP) if total else None)


def report_refusal(store: Store, parent: ParentRow, error: ExecutionError, tick: Tick) -> None:
    """Say in a finding that a child was refused, in a transaction of its own: the child's was rolled back."""
    with store.db.write() as session:
        raise_finding(
            session, session.get_one(RunRow, parent.run_id), code=error.code, severity="critical",
            component="execution", symbol=parent.symbol, message=error.message, as_of=tick.as_of,
            recommendation="Nothing was sent. See which orders drew the budget; a new case is needed for more.",
        )  # fmt: skip
