"""Worked orders as the API shows them: plan, children, what was held back and why, and what the fills cost."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Query
from pydantic import TypeAdapter
from sqlmodel import Session, col, select

from api.paging import Order, Page, select_page
from api.parent_schemas import ChildCostBody, CostBody, ParentBody, ParentDetail, ParentStatus, SliceBody, SliceState
from api.queries.book import SymbolQuery
from api.queries.runs import run_filter
from memory.tables import CaseRow, FillRow, LedgerRow, OrderRow, ParentRow, RunRow
from pipeline import parents, stopping
from pipeline.amendments import standing_fill
from pipeline.feed import market_of
from pipeline.parent_costs import INTERVAL, cost_of
from pipeline.slices import HELD
from pipeline.store import Store
from tools.errors import QuarterdeckError
from tools.execution.algorithms.cost_report import CostReport
from tools.execution.algorithms.types import Plan, Slice
from tools.execution.types import TERMINAL, Fill, OrderState

_STATUS: TypeAdapter[ParentStatus] = TypeAdapter(ParentStatus)


class ParentQuery(SymbolQuery):
    """Filters of /parents."""

    status: Annotated[ParentStatus | None, Query()] = None


def list_parents(store: Store, query: ParentQuery) -> Page[ParentBody]:
    """Worked orders, newest first."""
    with store.db.read() as session:
        where = [*run_filter(session, query, ParentRow.run_id), col(ParentRow.plan).is_not(None)]
        if query.symbol is not None:
            where.append(col(ParentRow.symbol) == query.symbol)
        if query.status is not None:
            where.append(col(ParentRow.status) == query.status)
        order = (Order("opened", descending=True), Order("id"))
        found = select_page(session, ParentRow, query, where=where, order=order)
        items = [parent_body(session, row) for row in found.rows]
    return Page[ParentBody](items=items, next=found.next, total=found.total)


def get_parent(store: Store, key: str) -> ParentDetail:
    """One worked order by its own or its case's id, with its cost; ApprovalError(unknown) for no such id."""
    with store.db.read() as session:
        row = stopping.find(session, key)
        run, body, plan = session.get_one(RunRow, row.run_id), parent_body(session, row), Plan.model_validate(row.plan)
        fills = _fills(session, row)
    try:
        cost = cost_of(market_of(store, run), run, plan, fills)
    except QuarterdeckError as error:
        return ParentDetail(**dict(body), cost=None, cost_unknown=error.message)
    return ParentDetail(**dict(body), cost=None if cost is None else _cost(cost))


def parent_body(session: Session, row: ParentRow) -> ParentBody:
    """A parent row, its plan and its children."""
    plan, rows = Plan.model_validate(row.plan), parents.children(session, row.id)
    case = session.get_one(CaseRow, row.case_id)
    how = case.order.working
    children, held = {order.attempt - 1: order for order in rows}, _held(session, row.case_id)
    past = max([*children, *held], default=-1) if row.status == parents.OPEN else len(plan.slices)
    total = parents.filled(session, rows[0]) if rows else parents.Filled(0, None)
    return ParentBody(
        id=row.id, case_id=row.case_id, run_id=row.run_id, symbol=row.symbol, side=row.side,
        risk_effect=case.risk_effect, strategy=case.strategy, algorithm=plan.algorithm, basis=plan.basis,
        sessions=len(plan.slices), participation=how.participation if how else None, quantity=row.quantity,
        sent=sum(order.quantity for order in rows), filled=total.quantity, remaining=row.quantity - total.quantity,
        average_price=total.average_price, status=_STATUS.validate_python(row.status), reason=row.reason,
        role_to_stop=stopping.role_needed(case), opened=row.opened,
        slices=[_slice(item, children.get(item.number), held.get(item.number), past) for item in plan.slices],
    )  # fmt: skip


def _slice(item: Slice, order: OrderRow | None, held: str | None, past: int) -> SliceBody:
    base = {
        "number": item.number, "session": item.window.session, "planned": item.quantity, "capacity": item.capacity,
    }  # fmt: skip
    if order is None:
        state: SliceState = "held_back" if held else "left_out" if item.number <= past else "planned"
        return SliceBody.model_validate({**base, "state": state, "reason": held})
    return SliceBody.model_validate(
        {
            **base, "state": _state(order), "sent": order.quantity, "filled": order.filled_quantity,
            "average_price": order.average_price, "client_order_id": order.client_order_id, "reason": order.reason,
        }
    )  # fmt: skip


def _state(order: OrderRow) -> SliceState:
    if order.filled_quantity >= order.quantity:
        return "filled"
    if OrderState(order.state) not in TERMINAL:
        return "working"
    return "partly_filled" if order.filled_quantity else "not_filled"


def _held(session: Session, case_id: str) -> dict[int, str]:
    """By slice number, why its child was held back."""
    rows = session.exec(select(LedgerRow.content).where(LedgerRow.case_id == case_id, LedgerRow.kind == HELD))
    bodies = [json.loads(content)["body"] for content in rows]
    return {body["slice"]: body["reason"] for body in bodies}


def _fills(session: Session, row: ParentRow) -> dict[int, list[Fill]]:
    """Executions by slice number, as they stand after busts and corrections."""
    numbers = {order.client_order_id: order.attempt - 1 for order in parents.children(session, row.id)}
    query = select(FillRow).where(col(FillRow.client_order_id).in_(list(numbers))).order_by(col(FillRow.at))
    found: dict[int, list[Fill]] = {}
    for fill in session.exec(query):
        if (stands := standing_fill(fill)) is not None:
            found.setdefault(numbers[fill.client_order_id], []).append(stands)
    return found


def _cost(found: CostReport) -> CostBody:
    names = set(CostBody.model_fields) - {"children", "interval"}
    children = [
        ChildCostBody(**item.model_dump(include=set(ChildCostBody.model_fields))) for item in found.children
    ]  # fmt: skip
    return CostBody(**found.model_dump(include=names), interval=INTERVAL, children=children)
