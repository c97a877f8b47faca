"""The outbox and the books: say each thing to the broker once, ask when in doubt, book what it reports.

Only this module, the halt program and their wiring talk to a broker.
"""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session, col, select

from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, FillRow, OrderRow, OutboxRow, RunRow
from pipeline import halt
from pipeline.book import LIVE_ORDER_STATES, book_fill, live_orders
from pipeline.cases import advance
from pipeline.faults import reach
from pipeline.findings import raise_finding
from pipeline.order_ends import end_order
from pipeline.store import Store, now
from tools.data.types import MarketData
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.types import Broker, BrokerOrder, Fill, OrderState
from tools.types import CaseState, Tick


def dispatch(
    store: Store, broker: Broker, run_id: str, tick: Tick, only: frozenset[str] | None = None, *, missed: bool = False
) -> int:
    """Say everything pending to the broker, in order, or `only` these orders.

    A doubt leaves the row for the next round, as unknown. What adds risk is said in the tick it was written for and
    never after it; with `missed` that tick is over.
    """
    with store.db.read() as session:
        found = session.exec(
            select(OutboxRow)
            .where(OutboxRow.run_id == run_id, col(OutboxRow.status).in_(["pending", "sent"]))
            .order_by(col(OutboxRow.id))
        ).all()
    rows = [row for row in found if only is None or row.client_order_id in only]
    said = 0
    for row in rows:
        reach("before_broker_submit")
        try:
            reported = _say(store, broker, row, tick, missed=missed)
        except RetryableToolError as error:
            _doubt(store, row, str(error))
            continue
        except ExecutionError as error:
            reported = None
            _refused(store, row, error, tick)
        reach("after_broker_submit")
        if reported is not None:
            with store.db.write() as session:
                _done(session, row)
                apply_report(session, reported, tick)
        said += 1
    return said


def _say(store: Store, broker: Broker, row: OutboxRow, tick: Tick, *, missed: bool) -> BrokerOrder | None:
    known = broker.find(row.client_order_id)
    if row.action == "cancel":
        if known is None:
            raise ExecutionError(f"{row.client_order_id} is not known to the broker", code="unknown_order")
        return broker.cancel(row.client_order_id)
    if known is not None:
        return known
    order = _claim(store, row, tick, missed=missed)
    return None if order is None else broker.submit(order.body)


def _claim(store: Store, row: OutboxRow, tick: Tick, *, missed: bool) -> OrderRow | None:
    """Mark an order as being sent and look at the halts, in one transaction; None when it was ended meanwhile.

    From here on a halt knows that the broker may have it, and asks the broker until it is found and cancelled.
    """
    with store.db.write() as session:
        stored = session.get_one(OutboxRow, row.id)
        order = session.get_one(OrderRow, row.client_order_id)
        if stored.status == "done":
            return None
        case = session.get(CaseRow, order.case_id)
        if (
            case is not None
            and not order.body.reduce_only
            and halt.stopped_since(store, session, case, row.created_wall)
        ):
            raise ExecutionError(f"{row.client_order_id} was not sent: a halt came before it", code="halted")
        if not order.body.reduce_only and (missed or order.created < tick.as_of):
            raise ExecutionError(f"{row.client_order_id} was not sent: its session's open has passed", code="too_late")
        stored.status = "sent"
        session.add(stored)
    return order


def _done(session: Session, row: OutboxRow) -> None:
    stored = session.get_one(OutboxRow, row.id)
    stored.status, stored.attempts = "done", stored.attempts + 1
    session.add(stored)


def _doubt(store: Store, row: OutboxRow, error: str) -> None:
    with store.db.write() as session:
        stored = session.get_one(OutboxRow, row.id)
        stored.attempts, stored.last_error = stored.attempts + 1, error
        session.add(stored)
        order = session.get_one(OrderRow, row.client_order_id)
        if order.state in LIVE_ORDER_STATES:
            order.state, order.reason = OrderState.UNKNOWN.value, error
            session.add(order)


def _refused(store: Store, row: OutboxRow, error: ExecutionError, tick: Tick) -> None:
    with store.db.write() as session:
        stored = session.get_one(OutboxRow, row.id)
        stored.status, stored.last_error = "done", error.message
        session.add(stored)
        order = session.get_one(OrderRow, row.client_order_id)
        run = session.get_one(RunRow, row.run_id)
        if row.action == "submit" and order.state in LIVE_ORDER_STATES:
            end_order(session, order, OrderState.DENIED, error.message, tick)
        raise_finding(
            session, run, code=error.code, severity="warning", component="execution", symbol=order.symbol,
            message=error.message, recommendation="Look at the order and the broker's book before going on.",
            as_of=tick.as_of,
        )  # fmt: skip


def apply_report(session: Session, reported: BrokerOrder, tick: Tick) -> None:
    """Take the broker's word on an order's state; fills come separately, by execution id."""
    order = session.get(OrderRow, reported.client_order_id)
    if order is None or order.state not in LIVE_ORDER_STATES:
        return
    order.broker_order_id = reported.broker_order_id
    if reported.state in (OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.DENIED):
        if reported.filled_quantity <= order.filled_quantity:
            end_order(session, order, reported.state, reported.reason, tick)
    elif reported.state in (OrderState.NEW, OrderState.PENDING_CANCEL):
        order.state, order.updated_wall = reported.state.value, now()
    session.add(order)


def book_fills(store: Store, broker: Broker, market: MarketData, run_id: str, tick: Tick) -> int:
    """Book every fill the broker has that we have not, one transaction each; then take order states.

    What happened after `tick` waits for its own tick: a desk that was down catches up session by session.
    """
    with store.db.read() as session:
        cursor = session.get_one(RunRow, run_id).broker_sequence
    booked = 0
    for fill in broker.fills(cursor):
        if fill.at > tick.as_of:
            break
        with store.db.write() as session:
            booked += _book(session, market, run_id, fill, tick)
            reach("before_fill_commit")
        reach("after_fill_commit")
    with store.db.read() as session:
        live = live_orders(session, run_id)
    for order in live:
        reported = broker.find(order.client_order_id)
        if reported is not None:
            with store.db.write() as session:
                apply_report(session, reported, tick)
    return booked


def _book(session: Session, market: MarketData, run_id: str, fill: Fill, tick: Tick) -> int:
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
    position = book_fill(session, run, fill, order, market.instrument(fill.symbol).sector)
    total = order.filled_quantity + fill.quantity
    spent = (order.average_price or Decimal(0)) * order.filled_quantity + fill.price * fill.quantity
    order.filled_quantity, order.average_price = total, (spent / total).quantize(Decimal("0.000001"))
    order.state = (OrderState.FILLED if total >= order.quantity else OrderState.PARTIALLY_FILLED).value
    order.updated_wall = now()
    session.add(order)
    append(
        session,
        Entry(
            kind="fill.booked", step=f"fill:{fill.execution_id}", case_id=order.case_id, run_id=run_id,
            desk_time=fill.at, stage=Stage.FILL,
            content={"fill": fill, "leg": order.leg, "position": position.quantity, "cash": run.cash},
        ),
    )  # fmt: skip
    case = session.get(CaseRow, order.case_id)
    if case is not None and order.leg in ("entry", "exit") and total >= order.quantity and case.state == "submitted":
        advance(
            session, case, CaseState.DONE, content={"filled": total, "average_price": order.average_price},
            desk_time=fill.at, stage=Stage.FILL,
        )  # fmt: skip
    return 1
