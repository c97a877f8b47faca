"""The outbox and the books: say each thing to the broker once, ask when in doubt, book what it reports.

Only this module, the halt program and their wiring talk to a broker.
"""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session, col, select

from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, FillRow, GrantRow, OrderRow, OutboxRow, RunRow
from pipeline import halt
from pipeline.book import LIVE_ORDER_STATES, book_fill, live_orders, open_positions
from pipeline.cases import advance
from pipeline.faults import reach
from pipeline.findings import raise_finding
from pipeline.order_ends import end_order
from pipeline.store import Store, now
from pipeline.submission import add_order, order_id
from tools.data.types import MarketData
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.types import Broker, BrokerOrder, Fill, OrderRequest, OrderState
from tools.types import CaseState, Tick


def dispatch(store: Store, broker: Broker, run_id: str, tick: Tick, only: frozenset[str] | None = None) -> int:
    """Say everything pending to the broker, in order, or `only` these orders.

    A doubt leaves the row for the next round, as unknown.
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
            reported = _say(store, broker, row)
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


def _say(store: Store, broker: Broker, row: OutboxRow) -> BrokerOrder | None:
    known = broker.find(row.client_order_id)
    if row.action == "cancel":
        if known is None:
            raise ExecutionError(f"{row.client_order_id} is not known to the broker", code="unknown_order")
        return broker.cancel(row.client_order_id)
    if known is not None:
        return known
    order = _claim(store, row)
    return None if order is None else broker.submit(order.body)


def _claim(store: Store, row: OutboxRow) -> OrderRow | None:
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
    """Book every fill the broker has that we have not, one transaction each; then take order states."""
    with store.db.read() as session:
        cursor = session.get_one(RunRow, run_id).broker_sequence
    booked = 0
    for fill in broker.fills(cursor):
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


def protect(store: Store, broker: Broker, run_id: str, tick: Tick) -> int:
    """Give every open position its planned stop, and cancel stops of positions that are gone or changed."""
    with store.db.write() as session:
        run = session.get_one(RunRow, run_id)
        held = {row.symbol: row for row in open_positions(session, run_id)}
        stops: dict[str, OrderRow] = {}
        exits: set[str] = set()
        for order in live_orders(session, run_id):
            if order.leg in ("exit", "flatten"):
                exits.add(order.symbol)
            if order.leg != "stop":
                continue
            position = held.get(order.symbol)
            good = position is not None and (position.quantity, position.stop_price) == (
                order.quantity - order.filled_quantity, order.stop_price,
            )  # fmt: skip
            if good:
                stops[order.symbol] = order
            else:
                cancel = {"run_id": run_id, "client_order_id": order.client_order_id, "action": "cancel"}
                insert_if_absent(
                    session, OutboxRow, {**cancel, "status": "pending", "attempts": 0, "created_wall": now()}
                )
        placed = 0
        for symbol, position in held.items():
            if position.stop_price is None or symbol in stops or symbol in exits or position.quantity < 0:
                continue
            placed += _place_stop(session, run, symbol, position.case_id, position.quantity, position.stop_price, tick)
    dispatch(store, broker, run_id, tick)
    return placed


def _place_stop(
    session: Session, run: RunRow, symbol: str, case_id: str, quantity: int, stop_price: Decimal, tick: Tick
) -> int:
    """A stop lives under the grant of its entry: reduce-only, at most what is held."""
    grant = session.exec(select(GrantRow).where(GrantRow.case_id == case_id)).first()
    if grant is None:
        return 0
    earlier = session.exec(select(OrderRow).where(OrderRow.case_id == case_id, OrderRow.leg == "stop")).all()
    attempt = len(earlier) + 1
    request = OrderRequest(
        client_order_id=order_id(run.id, case_id, "stop", attempt), symbol=symbol, side="sell", quantity=quantity,
        order_type="stop", time_in_force="gtc", stop_price=stop_price, reduce_only=True,
    )  # fmt: skip
    add_order(session, run, request, case_id=case_id, grant_id=grant.id, leg="stop", attempt=attempt, at=tick)
    append(
        session,
        Entry(
            kind="order.protective_stop", step=f"stop:{attempt}", case_id=case_id, run_id=run.id, desk_time=tick.as_of,
            stage=Stage.ORDER, content={"client_order_id": request.client_order_id, "order": request},
        ),
    )  # fmt: skip
    return 1
