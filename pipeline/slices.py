"""Working a parent over several opens: an algorithm's plan says which child is due, the parent's budget bounds it.

Each child is checked like a new order at the open it is written for: what the approval bound, halts, safe mode, the
band and every limit. One that may not go is held back with the reason on record, and what it leaves is the next one's
to catch up with. The plan ends where the position is no longer what its own children made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CaseRow, GrantRow, LedgerRow, OrderRow, ParentRow, PositionRow, RunRow
from pipeline import activation, halt, parents
from pipeline.activation import InForce
from pipeline.binding import tampered
from pipeline.book import live_orders, market_view
from pipeline.day_life import signed
from pipeline.faults import reach
from pipeline.findings import raise_finding
from pipeline.flow import checked_view
from pipeline.overrides import overrides_of
from pipeline.store import Store
from pipeline.submission import OpenMarket, add_child, note_disabled
from pipeline.working import ALGORITHMS
from tools.data.types import MarketData
from tools.errors import ExecutionError
from tools.execution.algorithms.types import Child, Plan, Slice
from tools.execution.types import TERMINAL, OrderState
from tools.risk.controls import check_order

HELD = "order.held_back"
LEAVING = ("exit", "flatten")


def send_due(store: Store, market: MarketData, law: InForce, run_id: str, now_open: OpenMarket) -> int:
    """Write the child that each planned parent owes to this open; returns how many. A repeat writes none."""
    with store.db.read() as session:
        working = [parent.id for parent in parents.working(session, run_id)]
    return sum(_send(store, market, law, parent_id, now_open) for parent_id in working)


def _send(store: Store, market: MarketData, law: InForce, parent_id: str, now_open: OpenMarket) -> int:
    try:
        with store.db.write() as session:
            sent = _next_child(store, session, market, activation.newest(session, law), parent_id, now_open)
            reach("before_submit_commit")
        reach("after_submit_commit")
    except ExecutionError as error:
        with store.db.read() as session:
            refused = session.get_one(ParentRow, parent_id)
        parents.report_refusal(store, refused, error, now_open.tick)
        return 0
    return sent


def _next_child(
    store: Store, session: Session, market: MarketData, law: InForce, parent_id: str, now_open: OpenMarket
) -> int:
    parent, at = session.get_one(ParentRow, parent_id), now_open.tick.as_of
    if parent.status != parents.OPEN:
        return 0
    plan, rows = Plan.model_validate(parent.plan), parents.children(session, parent.id)
    run, case = session.get_one(RunRow, parent.run_id), session.get_one(CaseRow, parent.case_id)
    approval = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case.id)).one()
    over = _over(store, session, run, parent, case, approval, rows, now_open)
    if over is not None:
        parents.end_plan(session, parent, over, at)
        return 0
    due = ALGORITHMS[plan.algorithm].next(plan, _children(rows), at)
    if due is None:
        if at >= plan.slices[-1].window.end:
            parents.end_plan(session, parent, "the plan is over", at, status=parents.DONE)
        return 0
    quantity = due.quantity
    if case.risk_effect == "reduces":
        quantity = min(quantity, abs(_held(session, run.id, case.symbol)) - _leaving(session, run.id, case.symbol))
    why = _held_back(store, session, market, law, case, approval, due, now_open)
    if why is None and quantity <= 0:
        why = "other orders leave the position already"
    if why is not None:
        _note_held(session, case, due, why, now_open)
        return 0
    request = add_child(session, run, case, parent, quantity, due.number + 1, now_open.tick)
    if not rows and case.kind == "order.entry":
        note_disabled(session, run, case, law, now_open.tick)
    content = {
        "slice": due.number, "slices": len(plan.slices), "drawn": parent.drawn,
        "of": parent.quantity, "client_order_id": request.client_order_id, "order": request,
    }  # fmt: skip
    _remember(session, case, "order.child", f"child:{due.number}", content, now_open)
    return 1


def _over(
    store: Store,
    session: Session,
    run: RunRow,
    parent: ParentRow,
    case: CaseRow,
    approval: ApprovalRow,
    rows: Sequence[OrderRow],
    now_open: OpenMarket,
) -> str | None:
    """Why no further child may follow whatever comes; None while more may."""
    wrong = tampered(store, session, case, approval, session.get_one(GrantRow, parent.grant_id))
    if wrong is not None:
        raise_finding(
            session, run, code="tampered", severity="critical", component="approvals", symbol=case.symbol,
            message=f"case {case.id}: {wrong}; no further child is sent",
            recommendation="Halt, verify the ledger and compare the database with a backup.", as_of=now_open.tick.as_of,
        )  # fmt: skip
        return wrong
    held = _held(session, run.id, case.symbol)
    if case.risk_effect == "reduces":
        return None if held else f"no {case.symbol} is left to leave"
    sign = 1 if case.order.side == "buy" else -1
    expected = approval.exposure + sign * sum(row.filled_quantity for row in rows)
    if held != expected:
        return f"exposure in {case.symbol} is {held} instead of the {expected} that its children made it"
    return f"{case.symbol} is being left" if _leaving(session, run.id, case.symbol) else None


def _held(session: Session, run_id: str, symbol: str) -> int:
    row = session.get(PositionRow, (run_id, symbol))
    return row.quantity if row else 0


def _leaving(session: Session, run_id: str, symbol: str) -> int:
    """Shares of the symbol that live orders are about to take out of the book, stops aside."""
    return sum(
        order.quantity - order.filled_quantity
        for order in live_orders(session, run_id)
        if order.symbol == symbol and order.leg in LEAVING
    )


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
    approval: ApprovalRow,
    due: Slice,
    now_open: OpenMarket,
) -> str | None:
    """Why this child may not go now; None when it may. What reduces is never held back."""
    if case.risk_effect == "reduces":
        return None
    run, tick, band = session.get_one(RunRow, case.run_id), now_open.tick, case.order.band
    if store.reduce_only:
        return "the desk is in safe mode"
    if halt.blocks_increase(store, session, case):
        return "a halt is in force"
    if law.policy.require_sign_off and not signed(session, run, tick):
        return f"the start of {tick.session} is not signed off"
    price = now_open.opens.get(case.symbol)
    if price is None:
        return "there is no opening price"
    if not band.holds(price):
        return f"the open at {price} is outside the band {band.low} to {band.high}"
    if _beyond_stop(session, case, price):
        return f"the open at {price} is beyond the stop of what is held"
    view = checked_view(session, run, market, tick, law.limits, without=case.id)
    seen = market_view(
        session, run, market, tick, case.symbol, price=price, atr=case.order.atr,
        adv=now_open.adv.get(case.symbol), known_at=tick.as_of, groups=now_open.groups,
    )  # fmt: skip
    part = case.order.model_copy(update={"quantity": due.quantity})
    checks = check_order(part, view, seen, law.limits, overrides_of(approval))
    return next((f"{check.control} blocks now: {check.message}" for check in checks if check.verdict == "block"), None)


def _beyond_stop(session: Session, case: CaseRow, price: Decimal) -> bool:
    """True when this open triggers the protective stop of what earlier children filled."""
    row = session.get(PositionRow, (case.run_id, case.symbol))
    if row is None or row.quantity == 0 or row.stop_price is None:
        return False
    return price <= row.stop_price if row.quantity > 0 else price >= row.stop_price


def _note_held(session: Session, case: CaseRow, due: Slice, why: str, now_open: OpenMarket) -> None:
    step = f"held:{due.number}"
    known = select(LedgerRow.seq).where(LedgerRow.case_id == case.id, LedgerRow.step == step)
    if session.exec(known).first() is None:
        content = {"slice": due.number, "quantity": due.quantity, "reason": why}
        _remember(session, case, HELD, step, content, now_open)


def _remember(
    session: Session, case: CaseRow, kind: str, step: str, content: dict[str, Any], now_open: OpenMarket
) -> None:
    append(
        session,
        Entry(
            kind=kind, step=step, case_id=case.id, run_id=case.run_id, desk_time=now_open.tick.as_of,
            stage=Stage.ORDER, rank=case.rank, content=content,
        ),
    )  # fmt: skip
