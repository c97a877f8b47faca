"""The outbox and the broker: say each thing once, ask when in doubt, and hand what it reports to our book.

Only this module, the halt program and their wiring talk to a broker.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from memory.tables import CaseRow, OrderRow, OutboxRow, RunRow
from pipeline import halt
from pipeline.book import LIVE_ORDER_STATES, live_orders
from pipeline.booking import apply_report, book
from pipeline.faults import reach
from pipeline.findings import raise_finding
from pipeline.order_ends import end_order
from pipeline.store import Store
from tools.data.types import MarketData
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.types import Broker, BrokerOrder, OrderState
from tools.types import Tick

DEFINITE = frozenset({"rejected", "invalid_order", "no_position", "halted", "too_late"})
"""What surely keeps an order from the market. Every other failure of a submit leaves it unknown until it is found."""

HOLDS_SHARES = "broker_holds_shares"


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
            _doubt(store, row, error, tick)
            continue
        except ExecutionError as error:
            reported = None
            if row.action == "submit" and error.code not in DEFINITE:
                _doubt(store, row, error, tick)
                continue
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
        if known is None and _never_send(store, row, tick):
            return None
        if known is None:
            raise ExecutionError(f"{row.client_order_id} is not known to the broker", code="unknown_order")
        return broker.cancel(row.client_order_id)
    if known is not None:
        return known
    order = _claim(store, row, tick, missed=missed)
    return None if order is None else broker.submit(order.body)


def _never_send(store: Store, row: OutboxRow, tick: Tick) -> bool:
    """End an order that is to be cancelled and that the broker does not have; False where nothing was left to say."""
    with store.db.write() as session:
        if session.get_one(OutboxRow, row.id).status == "done":
            return True
        submit = _unsaid(session, row, "submit")
        if submit is None:
            return False
        _end_unsent(session, (row, submit), tick)
    return True


def _unsaid(session: Session, row: OutboxRow, action: str) -> OutboxRow | None:
    """The other thing that is still to be said of the same order."""
    query = select(OutboxRow).where(
        OutboxRow.client_order_id == row.client_order_id, OutboxRow.action == action, OutboxRow.status != "done"
    )
    return session.exec(query).first()


def _end_unsent(session: Session, rows: tuple[OutboxRow, OutboxRow], tick: Tick) -> None:
    for row in rows:
        _done(session, row)
    order = session.get_one(OrderRow, rows[0].client_order_id)
    if order.state in LIVE_ORDER_STATES:
        end_order(session, order, OrderState.DENIED, "cancelled before the broker had it", tick)


def _claim(store: Store, row: OutboxRow, tick: Tick, *, missed: bool) -> OrderRow | None:
    """Mark an order as being sent and look at the halts, in one transaction; None when it was ended meanwhile.

    One that is to be cancelled ends here, unsent: the broker was asked and does not have it.
    From here on a halt knows that the broker may have it, and asks the broker until it is found and cancelled.
    """
    with store.db.write() as session:
        stored = session.get_one(OutboxRow, row.id)
        order = session.get_one(OrderRow, row.client_order_id)
        if stored.status == "done":
            return None
        cancel = _unsaid(session, row, "cancel")
        if cancel is not None:
            _end_unsent(session, (stored, cancel), tick)
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


def _doubt(store: Store, row: OutboxRow, error: RetryableToolError | ExecutionError, tick: Tick) -> None:
    """Leave a row for the next round and its order unknown; what is no mere silence is also a finding.

    An order that waits for shares which another one holds is not in doubt: the broker does not have it.
    """
    with store.db.write() as session:
        stored = session.get_one(OutboxRow, row.id)
        if isinstance(error, ExecutionError) and stored.last_error != error.message:
            _find(session, stored, error.code, error.message, tick)
        stored.attempts, stored.last_error = stored.attempts + 1, error.message
        session.add(stored)
        order = session.get_one(OrderRow, row.client_order_id)
        if order.state in LIVE_ORDER_STATES:
            waits = error.code == HOLDS_SHARES
            order.state = OrderState.PENDING_NEW.value if waits else OrderState.UNKNOWN.value
            order.reason = error.message
            session.add(order)


def _refused(store: Store, row: OutboxRow, error: ExecutionError, tick: Tick) -> None:
    with store.db.write() as session:
        stored = session.get_one(OutboxRow, row.id)
        stored.status, stored.last_error = "done", error.message
        session.add(stored)
        order = session.get_one(OrderRow, row.client_order_id)
        if row.action == "submit" and order.state in LIVE_ORDER_STATES:
            end_order(session, order, OrderState.DENIED, error.message, tick)
        _find(session, row, error.code, error.message, tick)


def _find(session: Session, row: OutboxRow, code: str, message: str, tick: Tick) -> None:
    raise_finding(
        session, session.get_one(RunRow, row.run_id), code=code, severity="warning", component="execution",
        symbol=session.get_one(OrderRow, row.client_order_id).symbol, message=message,
        recommendation="Look at the order and the broker's book before going on.", as_of=tick.as_of,
    )  # fmt: skip


def book_fills(store: Store, broker: Broker, market: MarketData, run_id: str, tick: Tick) -> int:
    """Book every fill the broker has that we have not, one transaction each; then take order states.

    What happened after `tick` waits for its own tick: a desk that was down catches up session by session. Where the
    account holds an order that the desk has no words for, ours are asked for one by one.
    """
    with store.db.read() as session:
        cursor = session.get_one(RunRow, run_id).broker_sequence
    booked = 0
    for fill in broker.fills(cursor):
        if fill.at > tick.as_of:
            break
        with store.db.write() as session:
            booked += book(session, market, run_id, fill, tick)
            reach("before_fill_commit")
        reach("after_fill_commit")
    with store.db.read() as session:
        live = live_orders(session, run_id)
    try:
        there = {item.client_order_id: item for item in broker.open_orders()} if live else {}
    except RetryableToolError:
        return booked
    except ExecutionError:
        there = {}
    heard = []
    for order in live:
        try:
            reported = there.get(order.client_order_id) or broker.find(order.client_order_id)
        except RetryableToolError:
            continue
        if reported is not None:
            heard.append(reported)
    if heard:
        with store.db.write() as session:
            for reported in heard:
                apply_report(session, reported, tick)
    return booked
