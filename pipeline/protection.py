"""Protective stops: every position has one at the venue, under the grant of its entry, and it only ever tightens.

A stop is moved by cancel and replace: the new attempt is written only after the broker confirmed that the last one
ended, so that there are never two, and the position is without one for no longer than that one exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import GrantRow, OrderRow, PositionRow, RunRow
from pipeline.book import live_orders, open_positions
from pipeline.execution import dispatch
from pipeline.faults import reach
from pipeline.findings import stands, watch
from pipeline.store import Store
from pipeline.submission import add_order, cancel_order, order_id
from tools.canonical import stable_id
from tools.execution.types import Broker, OrderRequest, OrderState
from tools.risk.exit_policy import ExitPolicy, tightened_stop
from tools.strategy.evidence import ATR_STEP, money
from tools.strategy.types import Features
from tools.types import Finding, Tick

UNPROTECTED = "unprotected"
LEAVING = ("exit", "flatten")


@dataclass(frozen=True)
class Closed:
    """What a close made known: features by symbol, and the policy by which stops tighten."""

    features: Mapping[str, Features]
    policy: ExitPolicy


def protect(store: Store, broker: Broker, run_id: str, tick: Tick, closed: Closed | None = None) -> int:
    """Give every open position its planned stop; returns how many were placed. A repeat places nothing.

    With `closed` stops are tightened first. A stop that no longer fits is cancelled and said to the broker before
    its successor is written; one whose end is in doubt keeps its place.
    """
    with store.db.write() as session:
        run = session.get_one(RunRow, run_id)
        if closed is not None:
            _tighten(session, run, closed, tick)
        held = {row.symbol: row for row in open_positions(session, run_id)}
        for order in live_orders(session, run_id):
            if order.leg == "stop" and not _fits(order, held.get(order.symbol)):
                cancel_order(session, order)
    dispatch(store, broker, run_id, tick)
    reach("after_stop_cancel")
    with store.db.write() as session:
        run = session.get_one(RunRow, run_id)
        covered = _covered(session, run_id)
        bare = [row for row in open_positions(session, run_id) if row.symbol not in covered]
        placed = sum(_place(session, run, position, tick) for position in bare)
    if placed:
        dispatch(store, broker, run_id, tick)
    _report_bare(store, run_id, tick)
    return placed


def unprotected(session: Session, run_id: str) -> tuple[str, ...]:
    """Symbols held with neither a stop nor an order that leaves the position, by name."""
    covered = _covered(session, run_id)
    return tuple(row.symbol for row in open_positions(session, run_id) if row.symbol not in covered)


def _covered(session: Session, run_id: str) -> set[str]:
    """Symbols with a live stop, or a live exit that is known to be at the broker: one in doubt protects nothing."""
    return {
        order.symbol
        for order in live_orders(session, run_id)
        if order.leg == "stop" or (order.leg in LEAVING and order.state != OrderState.UNKNOWN.value)
    }


def _fits(order: OrderRow, position: PositionRow | None) -> bool:
    return position is not None and (abs(position.quantity), position.stop_price) == (
        order.quantity - order.filled_quantity, order.stop_price,
    )  # fmt: skip


def _tighten(session: Session, run: RunRow, closed: Closed, tick: Tick) -> None:
    """Move planned stops by the policy and record every move of this close in one entry."""
    moves: list[dict[str, Any]] = []
    for position in open_positions(session, run.id):
        item = closed.features.get(position.symbol)
        if item is None:
            continue
        close, atr = money(item.close), Decimal(repr(item.atr_14)).quantize(ATR_STEP)
        move = tightened_stop(
            closed.policy, quantity=position.quantity, average_price=position.average_price,
            stop=position.stop_price, close=close, atr=atr,
        )  # fmt: skip
        if move is None:
            continue
        moves.append(
            {"symbol": position.symbol, "old": position.stop_price, "new": move.price, "reason": move.reason,
             "close": close, "atr": atr}
        )  # fmt: skip
        position.stop_price, position.stop_why = move.price, move.reason
        session.add(position)
    if moves:
        append(
            session,
            Entry(
                kind="stops.tightened", step=f"tighten:{tick.session}", run_id=run.id, desk_time=tick.as_of,
                stage=Stage.MARK, content={"moves": moves},
            ),
        )  # fmt: skip


def _place(session: Session, run: RunRow, position: PositionRow, tick: Tick) -> int:
    """Write the next attempt of a position's stop: reduce-only, exactly what is held. 0 when nothing allows one."""
    grant = session.exec(select(GrantRow).where(GrantRow.case_id == position.case_id)).first()
    if grant is None or position.stop_price is None:
        return 0
    case_id = position.case_id
    earlier = session.exec(
        select(OrderRow).where(OrderRow.case_id == case_id, OrderRow.leg == "stop").order_by(col(OrderRow.attempt))
    ).all()
    attempt = len(earlier) + 1
    request = OrderRequest(
        client_order_id=order_id(run.id, case_id, "stop", attempt), symbol=position.symbol,
        side="sell" if position.quantity > 0 else "buy", quantity=abs(position.quantity), order_type="stop",
        time_in_force="gtc", stop_price=position.stop_price, reduce_only=True,
    )  # fmt: skip
    add_order(session, run, request, case_id=case_id, grant_id=grant.id, leg="stop", attempt=attempt, at=tick)
    content: dict[str, Any] = {"client_order_id": request.client_order_id, "order": request}
    if earlier:
        last = earlier[-1]
        content |= {
            "old": {"client_order_id": last.client_order_id, "stop_price": last.stop_price, "quantity": last.quantity},
            "new": {"stop_price": position.stop_price, "quantity": request.quantity},
            "reason": _reason(last, position),
        }  # fmt: skip
    append(
        session,
        Entry(
            kind="order.stop_moved" if earlier else "order.protective_stop", step=f"stop:{attempt}", case_id=case_id,
            run_id=run.id, desk_time=tick.as_of, stage=Stage.ORDER, content=content,
        ),
    )  # fmt: skip
    return 1


def _reason(last: OrderRow, position: PositionRow) -> str:
    """Why a stop has a successor: what moved its price, else its quantity, else an exit that did not happen."""
    if last.stop_price != position.stop_price:
        return position.stop_why or "entry"
    return "quantity" if last.quantity != abs(position.quantity) else "restored"


def _report_bare(store: Store, run_id: str, tick: Tick) -> None:
    """Keep one finding for every symbol held without a stop; it is cleared once there is one."""
    with store.db.read() as session:
        if not unprotected(session, run_id) and not stands(session, run_id, UNPROTECTED):
            return
    with store.db.write() as session:
        run = session.get_one(RunRow, run_id)
        said = [
            Finding(
                id=stable_id("find", run_id, UNPROTECTED, symbol, tick.as_of), code=UNPROTECTED, severity="critical",
                component="execution", symbol=symbol, as_of=tick.as_of,
                message=f"{symbol} is held without a protective stop at the broker",
                recommendation="See why the broker refused it; close the position or place a stop by hand.",
            )
            for symbol in unprotected(session, run_id)
        ]  # fmt: skip
        watch(session, run, (UNPROTECTED,), said, tick.as_of)
