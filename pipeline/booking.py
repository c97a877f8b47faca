"""Our book takes what the broker says: states by the table of the order life, fills by execution id.

What the table excludes is never taken and never ends the loop: it becomes a break with its finding.
"""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session

from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.tables import AmendmentRow, CaseRow, FillRow, OrderRow, RunRow
from pipeline import amendments, breaks, parents
from pipeline.book import book_fill
from pipeline.cases import advance
from pipeline.findings import raise_finding
from pipeline.order_ends import end_order
from pipeline.store import now
from tools.data.types import MarketData
from tools.errors import ExecutionError
from tools.execution.orders import after_fill, follow
from tools.execution.positions import AVERAGE_STEP
from tools.execution.reconciliation.types import Break
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderState
from tools.types import CaseState, Tick


def apply_report(session: Session, reported: BrokerOrder, tick: Tick) -> None:
    """Take the broker's word on an order's state; fills come separately, by execution id."""
    order = session.get(OrderRow, reported.client_order_id)
    if order is None:
        return
    if OrderState(order.state) not in TERMINAL:
        order.broker_order_id = reported.broker_order_id
        session.add(order)
    hear_state(session, order, reported.state, reported.filled_quantity, reported.reason, tick, reported)


def hear_state(
    session: Session,
    order: OrderRow,
    reported: OrderState,
    filled: int,
    reason: str | None,
    tick: Tick,
    words: BrokerOrder | None = None,
) -> None:
    """Move an order to a reported state; an end waits until the fills that came before it are booked."""
    before = OrderState(order.state)
    live = before not in TERMINAL
    if live and (reported is OrderState.FILLED or (reported in TERMINAL and filled > order.filled_quantity)):
        return
    if reported is OrderState.NEW and order.filled_quantity:
        reported = OrderState.PARTIALLY_FILLED
    try:
        after = follow(before, reported)
    except ExecutionError as error:
        _disagree(session, order, reported, error.message, tick, words)
        return
    if after is before:
        return
    if after in TERMINAL:
        end_order(session, order, after, reason, tick)
    else:
        order.state, order.updated_wall = after.value, now()
        session.add(order)


def _disagree(
    session: Session, order: OrderRow, reported: OrderState, why: str, tick: Tick, words: BrokerOrder | None
) -> None:
    breaks.note(
        session, session.get_one(RunRow, order.run_id),
        Break(
            kind="order_state", subject=order.client_order_id, symbol=order.symbol, ours=order.state,
            theirs=reported.value, order=words,
            message=f"{order.client_order_id} in {order.symbol} is {order.state} here and {reported.value} at the "
            f"broker: {why}",
            remedy="See the order at the broker; adopt its state or explain the difference.",
        ),
        tick.as_of,
    )  # fmt: skip


def book(session: Session, market: MarketData, run_id: str, fill: Fill, tick: Tick) -> int:
    """Book one execution, once for ever; 0 when it was known or its order is not ours."""
    run = session.get_one(RunRow, run_id)
    run.broker_sequence = max(run.broker_sequence, fill.sequence)
    session.add(run)
    order = session.get(OrderRow, fill.client_order_id)
    values = {
        "execution_id": fill.execution_id, "run_id": run_id, "case_id": order.case_id if order else None,
        "client_order_id": fill.client_order_id, "symbol": fill.symbol, "side": fill.side, "quantity": fill.quantity,
        "price": fill.price, "commission": fill.commission, "session": fill.session, "at": fill.at, "body": fill,
    }  # fmt: skip
    if not insert_if_absent(session, FillRow, values):
        return 0
    if order is None:
        raise_finding(
            session, run, code="unknown_fill", severity="critical", component="execution", symbol=fill.symbol,
            message=f"the broker filled {fill.quantity} {fill.symbol} for {fill.client_order_id}, which is not ours",
            recommendation="Find who placed the order; then adopt or close the position.", as_of=tick.as_of,
        )  # fmt: skip
        return 0
    book_on(session, market, run, order, fill, tick)
    return 1


def book_on(session: Session, market: MarketData, run: RunRow, order: OrderRow, fill: Fill, tick: Tick) -> None:
    """Move position, cash, order and case for an execution whose row is there."""
    position = book_fill(session, run, fill, order, market.instrument(fill.symbol).sector)
    total = order.filled_quantity + fill.quantity
    spent = (order.average_price or Decimal(0)) * order.filled_quantity + fill.price * fill.quantity
    before = OrderState(order.state)
    order.filled_quantity, order.average_price = total, (spent / total).quantize(AVERAGE_STEP)
    order.state, order.updated_wall = after_fill(before, total, order.quantity).value, now()
    session.add(order)
    append(
        session,
        Entry(
            kind="fill.booked", step=f"fill:{fill.execution_id}", case_id=order.case_id, run_id=run.id,
            desk_time=fill.at, stage=Stage.FILL,
            content={"fill": fill, "leg": order.leg, "position": position.quantity, "cash": run.cash},
        ),
    )  # fmt: skip
    if before in TERMINAL or total > order.quantity:
        _report_excess(session, run, order, before, fill, tick)
    if before in TERMINAL:
        lives = OrderState(order.state) not in TERMINAL
        parents.redraw(session, order, order.quantity - total + fill.quantity if lives else fill.quantity)
    _finish_case(session, order, total, fill)
    amended = session.get(AmendmentRow, fill.execution_id)
    if amended is not None:
        amendments.carry_out(session, run, amended, tick)


def _finish_case(session: Session, order: OrderRow, total: int, fill: Fill) -> None:
    case = session.get(CaseRow, order.case_id)
    if case is None or order.leg not in ("entry", "exit") or total < order.quantity or case.state != "submitted":
        return
    if parents.has_more(session, order):
        return
    filled, average = parents.filled(session, order)
    advance(
        session, case, CaseState.DONE, content={"filled": filled, "average_price": average}, desk_time=fill.at,
        stage=Stage.FILL,
    )  # fmt: skip
    parents.close(session, order)


def _report_excess(session: Session, run: RunRow, order: OrderRow, before: OrderState, fill: Fill, tick: Tick) -> None:
    over = order.filled_quantity - order.quantity
    told = f"{over} shares more than ordered" if over > 0 else f"after the order was {before.value}"
    raise_finding(
        session, run, code="overfilled" if over > 0 else "late_fill", component="execution", symbol=fill.symbol,
        severity="critical" if over > 0 or before in (OrderState.DENIED, OrderState.REJECTED) else "warning",
        message=f"execution {fill.execution_id} of {order.client_order_id} came {told}; it is booked",
        recommendation="Compare the order with the broker's; ask for a bust if it should not have traded.",
        as_of=tick.as_of,
    )  # fmt: skip
