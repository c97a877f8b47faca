"""Reconciliation: our book of a run against the broker's, at a start, a reconnect, a session's end and on a timer.

A difference counts when a second look, after whatever the broker reports was taken, finds it again: what is on its way
is no break. Nothing is written into the record of a run that agrees with its broker.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from sqlmodel import Session, col, select

from memory.tables import AmendmentRow, BreakRow, FillRow, OrderRow, OutboxRow, ReconciliationRow, RunRow
from pipeline import breaks
from pipeline.book import live_orders, open_positions
from pipeline.desk import Desk
from pipeline.execution import book_fills
from pipeline.findings import raise_finding
from pipeline.store import Store, now
from pipeline.venue_time import VenueTime
from tools.data.types import MarketData
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.reconciliation.compare import compare
from tools.execution.reconciliation.types import Break, BrokerBook, OwnBook, OwnFill, OwnOrder, Report
from tools.execution.types import Broker, BrokerOrder, OrderState, PlayedVenue
from tools.types import Tick

Occasion = Literal["start", "reconnect", "timer", "session", "asked"]
CENT = Decimal("0.01")
"""Real brokers round cash; a played venue keeps it exactly."""
LAGGING = "broker_lagging"
"""What a broker says of an order sent a moment ago that it does not find: no word on it yet, and no silence."""
SAFE = "unexplained breaks between our book and the broker's: the desk only watches, cancels and reduces"


def reconcile(store: Store, broker: Broker, market: MarketData, run_id: str, tick: Tick, occasion: Occasion) -> Report:
    """Compare both books as of `tick`, keep what differs, and the report. A silent broker is a report, not a break."""
    whole = occasion in ("start", "asked")
    try:
        found, report = _look(store, broker, run_id, tick, occasion, whole=whole)
        if found:
            book_fills(store, broker, market, run_id, tick)
            again, report = _look(store, broker, run_id, tick, occasion, whole=whole)
            first = {(item.kind, item.subject) for item in found}
            found = tuple(item for item in again if (item.kind, item.subject) in first)
    except (RetryableToolError, ExecutionError) as error:
        report = Report(
            run=run_id, broker=broker.name, occasion=occasion, as_of=tick.as_of, at_wall=now(), error=error.message
        )
        with store.db.write() as session:
            _keep(session, report)
        return report
    with store.db.write() as session:
        run = session.get_one(RunRow, run_id)
        left = breaks.settle(session, run, found, tick.as_of, whole=whole)
        report = report.model_copy(update={"found": len(found)})
        _keep(session, report)
    if not left:
        keep_safe_mode(store, run_id)
    return report


def reconcile_desk(desk: Desk, occasion: Occasion) -> Report | None:
    """Reconcile a desk that stands at a close, or between the parts of a session at a real venue.

    None in the middle of a part, or where the venue went on without us: an interrupted session is finished first, and a
    venue that is ahead is caught up with. Both end with this.
    """
    run = desk.run()
    following = run.session_index + 1
    if run.stage == "traded" and not isinstance(desk.broker, PlayedVenue):
        seen = VenueTime(desk.broker).seen_at(desk.tick(run.session_index, "open"))
        return reconcile(desk.store, desk.broker, desk.market, desk.run_id, seen, occasion)
    if run.stage != "closed":
        return None
    if (
        isinstance(desk.broker, PlayedVenue)
        and following < len(desk.market.sessions)
        and desk.broker.is_past(desk.tick(following, "open"))
    ):
        return None
    tick = desk.tick(max(run.session_index, 0), "close")
    return reconcile(desk.store, desk.broker, desk.market, desk.run_id, tick, occasion)


def at_start(desk: Desk) -> None:
    """Reconcile everything; with a break that nobody explained the desk only watches, cancels and reduces."""
    reconcile_desk(desk, "start")
    if keep_safe_mode(desk.store, desk.run_id, starting=True):
        run = desk.run()
        with desk.db.write() as session:
            raise_finding(
                session, run, code="safe_mode", severity="critical", component="reconciliation", message=SAFE,
                recommendation="Decide the breaks with `quarterdeck breaks`; safe mode ends with the last one.",
                as_of=desk.tick(max(run.session_index, 0), "close").as_of,
            )  # fmt: skip


def keep_safe_mode(store: Store, run_id: str, *, starting: bool = False) -> bool:
    """At a start, reduce only while a break is open; later, end that once none is. True when the desk is held so."""
    with store.db.read() as session:
        unresolved = bool(breaks.open_breaks(session, run_id))
    if starting and unresolved and SAFE not in store.reduce_only:
        store.reduce_only.append(SAFE)
    elif not unresolved and SAFE in store.reduce_only:
        store.reduce_only.remove(SAFE)
    return SAFE in store.reduce_only


def _look(
    store: Store, broker: Broker, run_id: str, tick: Tick, occasion: Occasion, *, whole: bool
) -> tuple[tuple[Break, ...], Report]:
    """Ask the broker first and our book last, so that what moves meanwhile looks late here and never missing there."""
    with store.db.read() as session:
        cursor = session.get_one(RunRow, run_id).broker_sequence
        asked = _to_ask(session, run_id)
    theirs = _broker_book(broker, asked, 0 if whole else cursor, whole=whole)
    with store.db.read() as session:
        ours = own_book(session, run_id, theirs)
    tolerance = Decimal(0) if isinstance(broker, PlayedVenue) else CENT
    found = compare(ours, theirs, as_of=tick.as_of, cash_tolerance=tolerance)
    return found, Report(
        run=run_id, broker=broker.name, occasion=occasion, as_of=tick.as_of, at_wall=now(), whole=whole,
        orders=len(theirs.orders) + len(theirs.absent), fills=len(theirs.fills),
        positions=len(ours.positions.keys() | theirs.positions.keys()),
    )  # fmt: skip


def _to_ask(session: Session, run_id: str) -> set[str]:
    """Orders to ask the broker for by name: those that live here, and those of which a break is known."""
    broken = session.exec(
        select(BreakRow.subject).where(BreakRow.run_id == run_id, col(BreakRow.status).in_(breaks.STANDING))
    ).all()
    known = session.exec(select(OrderRow.client_order_id).where(col(OrderRow.client_order_id).in_(broken))).all()
    strange = {fill.client_order_id for fill in breaks.strange_fills(session, run_id)}
    return {order.client_order_id for order in live_orders(session, run_id)} | set(known) | strange


def _broker_book(broker: Broker, asked: set[str], cursor: int, *, whole: bool) -> BrokerBook:
    orders: dict[str, BrokerOrder] = {order.client_order_id: order for order in broker.open_orders()}
    absent = set()
    for name in sorted(asked - orders.keys()):
        try:
            order = broker.find(name)
        except RetryableToolError as error:
            if error.code != LAGGING:
                raise
            continue
        if order is None:
            absent.add(name)
        else:
            orders[name] = order
    return BrokerBook(
        orders=tuple(orders.values()), absent=frozenset(absent), fills=broker.fills(cursor), whole=whole,
        positions=broker.positions(), cash=broker.cash(),
    )  # fmt: skip


def own_book(session: Session, run_id: str, theirs: BrokerBook) -> OwnBook:
    """Our book, as far as the broker spoke of it."""
    run = session.get_one(RunRow, run_id)
    spoken = {order.client_order_id for order in theirs.orders} | theirs.absent
    rows = session.exec(select(OrderRow).where(col(OrderRow.client_order_id).in_(spoken))).all()
    unsaid = set(
        session.exec(
            select(OutboxRow.client_order_id).where(
                OutboxRow.run_id == run_id, col(OutboxRow.status).in_(["pending", "sent"])
            )
        ).all()
    )
    fills = select(FillRow).where(FillRow.run_id == run_id, col(FillRow.case_id).is_not(None))
    if not theirs.whole:
        fills = fills.where(col(FillRow.execution_id).in_([fill.execution_id for fill in theirs.fills]))
    amended = set(session.exec(select(AmendmentRow.execution_id).where(AmendmentRow.run_id == run_id)).all())
    return OwnBook(
        orders={row.client_order_id: _own_order(row, row.client_order_id in unsaid) for row in rows},
        fills={row.execution_id: _own_fill(row, row.execution_id in amended) for row in session.exec(fills).all()},
        strange=breaks.strange_fills(session, run_id),
        positions={row.symbol: row.quantity for row in open_positions(session, run_id)}, cash=run.cash,
    )  # fmt: skip


def _own_order(row: OrderRow, in_flight: bool) -> OwnOrder:
    return OwnOrder.model_validate(
        {
            "client_order_id": row.client_order_id, "symbol": row.symbol, "side": row.side, "quantity": row.quantity,
            "filled": row.filled_quantity, "state": OrderState(row.state), "in_flight": in_flight,
        }
    )  # fmt: skip


def _own_fill(row: FillRow, amended: bool) -> OwnFill:
    names = ("execution_id", "client_order_id", "symbol", "side", "quantity", "price", "commission")
    return OwnFill.model_validate({"amended": amended, **{name: getattr(row, name) for name in names}})


def _keep(session: Session, report: Report) -> None:
    row = session.get(ReconciliationRow, report.run) or ReconciliationRow(run_id=report.run, body=report)
    row.body = report
    session.add(row)
