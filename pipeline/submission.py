"""Submission: the table is read again, everything bound is checked again, the grant is consumed, the order and
its outbox row are written. One transaction; it happens or it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from memory.database import insert_if_absent
from memory.ledger import Stage
from memory.tables import ApprovalRow, CaseRow, GrantRow, OrderRow, OutboxRow, ParentRow, RunRow
from pipeline import activation, halt, parents
from pipeline.activation import InForce
from pipeline.binding import asks_more, people_of, tampered
from pipeline.book import live_orders, market_view, open_positions
from pipeline.cases import advance
from pipeline.day_life import signed
from pipeline.faults import reach
from pipeline.findings import raise_finding
from pipeline.flow import automatic_executions, checked_view
from pipeline.overrides import overrides_of
from pipeline.permissions import STAND_IN_PREFIX, require_stand_in_allowed
from pipeline.store import Store, now
from pipeline.voiding import void_case
from pipeline.working import plan_of
from tools.canonical import stable_id
from tools.data.types import MarketData
from tools.errors import ApprovalError, ExecutionError
from tools.execution.algorithms.types import Plan
from tools.execution.types import Leg, OrderRequest, TimeInForce
from tools.risk.controls import check_order, verdict
from tools.risk.groups import Groups
from tools.types import CaseState, Tick

_RANK = {"pass": 0, "warn": 1, "block": 2}


@dataclass(frozen=True)
class OpenMarket:
    """What submission may know: the tick and the session's opening prices."""

    tick: Tick
    opens: dict[str, Decimal]
    adv: dict[str, Decimal]
    groups: Groups | None = None


def order_id(run_id: str, case_id: str, leg: Leg, attempt: int) -> str:
    """Deterministic client order id: the same intent always has the same name."""
    return stable_id(f"qd-{leg}", run_id, case_id, leg, attempt)


def submit_case(store: Store, market: MarketData, law: InForce, case_id: str, now_open: OpenMarket) -> CaseState:
    """Turn an approved case into exactly one order or one plan, or void it with the reason. Returns the case's state.

    Checks run on the law that stands in this transaction: `law`, or what replaced it meanwhile. A case that is to be
    worked is planned here; its children are written by `pipeline.slices`, each checked anew.
    """
    with store.db.write() as session:
        case = session.get_one(CaseRow, case_id)
        if case.state != CaseState.APPROVED.value:
            return CaseState(case.state)
        law = activation.newest(session, law)
        run = session.get_one(RunRow, case.run_id)
        approval = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).first()
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == case_id)).first()
        if approval is not None and approval.not_before_wall is not None and now() < approval.not_before_wall:
            return CaseState(case.state)
        wrong: str | None = "its approval or its grant is gone"
        why: str | None = None
        if approval is not None and grant is not None:
            wrong = tampered(store, session, case, approval, grant)
            why = None if wrong else _no_longer_good(store, session, market, law, run, case, approval, now_open)
        made: Plan | None = None
        if grant is not None and not wrong and not why:
            try:
                made = _planned(market, case, now_open)
            except ExecutionError as error:
                why = f"it cannot be worked as approved: {error.message}"
        if wrong:
            raise_finding(
                session, run, code="tampered", severity="critical", component="approvals", symbol=case.symbol,
                message=f"case {case.id}: {wrong}; nothing was sent",
                recommendation="Halt, verify the ledger and compare the database with a backup.",
                as_of=now_open.tick.as_of,
            )  # fmt: skip
        if wrong or why or grant is None:
            void_case(
                session, case, why=wrong or why or "", desk_time=now_open.tick.as_of, stage=Stage.SUBMIT,
                detail={"open": now_open.opens.get(case.symbol)},
            )  # fmt: skip
        else:
            _write_order(session, run, case, grant, now_open, law, made)
        reach("before_submit_commit")
        state = CaseState(case.state)
    reach("after_submit_commit")
    return state


def _no_longer_good(
    store: Store,
    session: Session,
    market: MarketData,
    law: InForce,
    run: RunRow,
    case: CaseRow,
    approval: ApprovalRow,
    now_open: OpenMarket,
) -> str | None:
    """The reason why an approved case may not be sent any more; None when it may (P4, P9)."""
    reduces = case.risk_effect == "reduces"
    if any(name.startswith(STAND_IN_PREFIX) for name in people_of(session, approval)):
        try:
            require_stand_in_allowed(run)
        except ApprovalError as error:
            return error.message
    if run.session_index > approval.expires_index:
        return "the approval is older than its time to live"
    if not reduces and (halt.blocks_increase(store, session, case) or store.reduce_only):
        return "a halt is in force" if not store.reduce_only else "the desk is in safe mode"
    if not reduces and law.policy.require_sign_off and not signed(session, run, now_open.tick):
        return f"the start of {now_open.tick.session} is not signed off"
    price = now_open.opens.get(case.symbol)
    if not reduces and price is None:
        return "there is no opening price"
    held = {row.symbol: row.quantity for row in open_positions(session, run.id)}.get(case.symbol, 0)
    if held != approval.exposure:
        return f"exposure in {case.symbol} changed from {approval.exposure} to {held}"
    if reduces:
        return None
    if price is not None and not case.order.band.holds(price):
        return f"the open at {price} left the band {case.order.band.low} to {case.order.band.high}"
    others = checked_view(session, run, market, now_open.tick, law.limits, without=case.id)
    seen = market_view(
        session, run, market, now_open.tick, case.symbol, price=price, atr=case.order.atr,
        adv=now_open.adv.get(case.symbol), known_at=now_open.tick.as_of, groups=now_open.groups,
    )  # fmt: skip
    checks = check_order(case.order, others, seen, law.limits, overrides_of(approval))
    if verdict(checks) == "block":
        blocking = next(check for check in checks if check.verdict == "block")
        return f"{blocking.control} blocks now: {blocking.message}"
    asked: dict[str, Any] = approval.worst_checks
    worse = [c.control for c in checks if _RANK[c.verdict] > _RANK[asked.get(c.control, "pass")]]
    if worse:
        return f"{worse[0]} turned worse since it was asked"
    return asks_more(law, approval, people_of(session, approval))


def _planned(market: MarketData, case: CaseRow, now_open: OpenMarket) -> Plan | None:
    how, tick = case.order.working, now_open.tick
    if how is None:
        return None
    return plan_of(
        market, case.order, how, case.id, tick.session, as_of=tick.as_of,
        arrival_price=now_open.opens.get(case.symbol),
    )  # fmt: skip


def _write_order(
    session: Session,
    run: RunRow,
    case: CaseRow,
    grant: GrantRow,
    now_open: OpenMarket,
    law: InForce,
    made: Plan | None,
) -> None:
    parent = parents.open_parent(
        session, run, grant, case_id=case.id, symbol=case.symbol, side=case.order.side, quantity=case.order.quantity,
        at=now_open.tick, plan=None if made is None else made.model_dump(mode="json"),
    )  # fmt: skip
    if made is None:
        request = add_child(session, run, case, parent, case.order.quantity, 1, now_open.tick)
        written: dict[str, Any] = {"client_order_id": request.client_order_id, "order": request}
        note_disabled(session, run, case, law, now_open.tick)
    else:
        written = {"plan": made}
    advance(
        session, case, CaseState.SUBMITTED, desk_time=now_open.tick.as_of, stage=Stage.SUBMIT,
        content={**written, **_newer(law, grant)}, envelope={"grant": grant.id, "parent": parent.id},
    )  # fmt: skip


def add_child(
    session: Session, run: RunRow, case: CaseRow, parent: ParentRow, quantity: int, attempt: int, at: Tick
) -> OrderRequest:
    """Write the market order of a case for this open; one that leaves takes the place of the protective stop."""
    leg: Leg = "exit" if case.kind == "order.exit" else "entry"
    if leg == "exit":
        for stop in live_orders(session, run.id):
            if stop.symbol == case.symbol and stop.leg == "stop":
                cancel_order(session, stop)
    request = OrderRequest(
        client_order_id=order_id(run.id, case.id, leg, attempt), symbol=case.symbol, side=case.order.side,
        quantity=quantity, order_type="market", time_in_force=at_open(run), reduce_only=leg == "exit",
    )  # fmt: skip
    add_order(
        session, run, request, case_id=case.id, grant_id=parent.grant_id, leg=leg, attempt=attempt, at=at,
        parent=parent,
    )  # fmt: skip
    return request


def note_disabled(session: Session, run: RunRow, case: CaseRow, law: InForce, tick: Tick) -> None:
    """Raise a finding with the order that uses up what a strategy may do without a person."""
    limit = law.limits.max_automatic_executions
    if automatic_executions(session, run.id).get(case.strategy, 0) != limit:
        return
    raise_finding(
        session, run, code="strategy_disabled", severity="warning", component=case.strategy,
        message=f"{case.strategy} disabled itself: it executed {limit} entries without a person",
        recommendation=f"Look at what it did, then `quarterdeck strategies enable {case.strategy} --reason ...`.",
        as_of=tick.as_of,
    )  # fmt: skip


def at_open(run: RunRow) -> TimeInForce:
    """How long an order for the open lives: in the opening match of a replay, else the day, sent once it has opened."""
    return "opg" if run.mode == "replay" else "day"


def _newer(law: InForce, grant: GrantRow) -> dict[str, Any]:
    """The law that the last checks ran on, where it is not the one that the grant names."""
    checked = {"policy": law.policy_sha256, "limits": law.limits_sha256}
    return {} if all(grant.body.get(name) == sha for name, sha in checked.items()) else {"checked_on": checked}


def add_order(
    session: Session,
    run: RunRow,
    request: OrderRequest,
    *,
    case_id: str,
    grant_id: str,
    leg: Leg,
    attempt: int,
    at: Tick,
    parent: ParentRow | None = None,
) -> OrderRow:
    """Write an order and what must be said about it, in the caller's transaction; a child draws from its `parent`."""
    if parent is not None:
        parents.draw(session, parent, request.quantity)
    row = OrderRow(
        client_order_id=request.client_order_id, run_id=run.id, case_id=case_id, grant_id=grant_id, leg=leg,
        attempt=attempt, symbol=request.symbol, side=request.side, quantity=request.quantity, state="pending_new",
        stop_price=request.stop_price, created=at.as_of, body=request, updated_wall=now(),
        parent_id=None if parent is None else parent.id,
    )  # fmt: skip
    session.add(row)
    session.add(OutboxRow(run_id=run.id, client_order_id=request.client_order_id, action="submit", created_wall=now()))
    session.flush()
    return row


def cancel_order(session: Session, order: OrderRow) -> None:
    """Write that an order is to be cancelled, once, in the caller's transaction."""
    wanted: dict[str, Any] = {
        "run_id": order.run_id, "client_order_id": order.client_order_id, "action": "cancel", "status": "pending",
        "attempts": 0, "created_wall": now(),
    }  # fmt: skip
    insert_if_absent(session, OutboxRow, wanted)
