"""Working a parent over several opens: an algorithm's plan says which child is due, the parent's budget bounds it.

Each child is checked like a new order at the open it is written for: halts, safe mode, the approved band and every
limit. One that may not go is left out, and what it leaves is the next one's to catch up with; the plan may be stopped
at any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlmodel import Session, col, select

from memory.ledger import Stage
from memory.tables import CaseRow, OrderRow, ParentRow, RunRow
from pipeline import activation, halt, parents
from pipeline.activation import InForce
from pipeline.book import market_view
from pipeline.cases import advance
from pipeline.flow import checked_view
from pipeline.store import Store
from pipeline.submission import OpenMarket, add_order, at_open, order_id
from tools.data.types import MarketData
from tools.errors import ExecutionError
from tools.execution.algorithms.twap import Twap
from tools.execution.algorithms.types import Algorithm, Child, Context, Parent, Plan, Slice
from tools.execution.algorithms.vwap import Vwap
from tools.execution.types import TERMINAL, Leg, OrderRequest, OrderState
from tools.risk.controls import check_order, verdict
from tools.types import CaseState

ALGORITHMS: dict[str, Algorithm] = {"twap": Twap(), "vwap": Vwap()}


def plan(session: Session, parent: ParentRow, algorithm: str, context: Context) -> Plan:
    """Give a parent without children a plan. ExecutionError unknown_algorithm, parent_working, or the planner's."""
    if algorithm not in ALGORITHMS:
        raise ExecutionError(
            f"there is no algorithm {algorithm!r}: use {' or '.join(ALGORITHMS)}", code="unknown_algorithm"
        )
    if parent.drawn or parents.children(session, parent.id):
        raise ExecutionError(f"parent {parent.id} has orders already: plan a new one", code="parent_working")
    whole = Parent.model_validate(
        {"parent_id": parent.id, "symbol": parent.symbol, "side": parent.side, "quantity": parent.quantity}
    )
    made = ALGORITHMS[algorithm].plan(whole, context)
    parent.plan = made.model_dump(mode="json")
    session.add(parent)
    return made


def send_due(store: Store, market: MarketData, law: InForce, run_id: str, now_open: OpenMarket) -> int:
    """Write the child that each planned parent owes to this open; returns how many. A repeat writes none."""
    with store.db.read() as session:
        query = select(ParentRow.id).where(
            ParentRow.run_id == run_id, ParentRow.status == parents.OPEN, col(ParentRow.plan).is_not(None)
        )
        working = session.exec(query.order_by(col(ParentRow.id))).all()
    return sum(_send(store, market, law, parent_id, now_open) for parent_id in working)


def _send(store: Store, market: MarketData, law: InForce, parent_id: str, now_open: OpenMarket) -> int:
    try:
        with store.db.write() as session:
            parent = session.get_one(ParentRow, parent_id)
            made = Plan.model_validate(parent.plan)
            rows = parents.children(session, parent.id)
            due = ALGORITHMS[made.algorithm].next(made, _children(rows), now_open.tick.as_of)
            if due is None:
                if now_open.tick.as_of >= made.slices[-1].window.end:
                    finish(session, parent, "the plan is over", now_open)
                return 0
            case = session.get_one(CaseRow, parent.case_id)
            if _held_back(store, session, market, activation.newest(session, law), case, due, now_open):
                return 0
            _write(session, parent, case, due, now_open)
            return 1
    except ExecutionError as error:
        with store.db.read() as session:
            refused = session.get_one(ParentRow, parent_id)
        parents.report_refusal(store, refused, error, now_open.tick)
        return 0


def finish(session: Session, parent: ParentRow, reason: str, now_open: OpenMarket) -> None:
    """Write no further child; the case ends with the last one that still lives."""
    parents.stop(session, parent, reason)
    rows = parents.children(session, parent.id)
    case = session.get_one(CaseRow, parent.case_id)
    if case.state != CaseState.SUBMITTED.value or any(OrderState(row.state) not in TERMINAL for row in rows):
        return
    filled = sum(row.filled_quantity for row in rows)
    advance(
        session, case, CaseState.DONE if filled else CaseState.CANCELLED, content={"filled": filled},
        desk_time=now_open.tick.as_of, stage=Stage.ORDER, reason=None if filled else reason,
    )  # fmt: skip


def _children(rows: Sequence[OrderRow]) -> list[Child]:
    return [
        Child(
            number=row.attempt - 1, sent=row.quantity, filled=row.filled_quantity,
            ended=OrderState(row.state) in TERMINAL,
        )
        for row in rows
    ]  # fmt: skip


def _held_back(
    store: Store,
    session: Session,
    market: MarketData,
    law: InForce,
    case: CaseRow,
    due: Slice,
    now_open: OpenMarket,
) -> bool:
    """Whether this child may not go now; what reduces is never held back."""
    if case.risk_effect == "reduces":
        return False
    price: Decimal | None = now_open.opens.get(case.symbol)
    if store.reduce_only or halt.blocks_increase(store, session, case):
        return True
    if price is None or not case.order.band.holds(price):
        return True
    run = session.get_one(RunRow, case.run_id)
    view = checked_view(session, run, market, now_open.tick, law.limits, without=case.id)
    seen = market_view(
        session, run, market, now_open.tick, case.symbol, price=price, atr=case.order.atr,
        adv=now_open.adv.get(case.symbol), known_at=now_open.tick.as_of, groups=now_open.groups,
    )  # fmt: skip
    part = case.order.model_copy(update={"quantity": due.quantity})
    return verdict(check_order(part, view, seen, law.limits)) == "block"


def _write(session: Session, parent: ParentRow, case: CaseRow, due: Slice, now_open: OpenMarket) -> None:
    leg: Leg = "exit" if case.kind == "order.exit" else "entry"
    attempt, run = due.number + 1, session.get_one(RunRow, parent.run_id)
    request = OrderRequest(
        client_order_id=order_id(parent.run_id, case.id, leg, attempt), symbol=case.symbol, side=case.order.side,
        quantity=due.quantity, order_type="market", time_in_force=at_open(run), reduce_only=leg == "exit",
    )  # fmt: skip
    add_order(
        session, run, request, case_id=case.id, grant_id=parent.grant_id, leg=leg,
        attempt=attempt, at=now_open.tick, parent=parent,
    )  # fmt: skip
