"""Opening cases: every proposal of a cycle gets its case and its outcome row, in one transaction."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from agents.coordinator.output import CoordinatorPlan
from memory.ledger import Entry, Stage, append
from memory.tables import OPEN_CASE_STATES, CaseRow, OutcomeRow, RunRow
from pipeline import canaries, halt
from pipeline.desk import Desk
from pipeline.faults import reach
from pipeline.halt_scope import Candidate
from pipeline.planting import Cycle, Planted
from pipeline.store import now
from pipeline.voiding import supersede
from pipeline.work import CycleWork
from tools.canonical import plain, stable_id
from tools.strategy.drafting import rescale
from tools.types import CaseState, Outcome, Proposal, Review

BLOCKED_BY_HALT = "halted"


def case_id_of(proposal: Proposal) -> str:
    return stable_id("case", proposal.run_id, proposal.id)


def open_all(desk: Desk, work: CycleWork, cycle: Cycle, planted: Planted | None = None) -> list[str]:
    """Write all cases of a cycle; returns the ids of those to be asked, by rank. The second time it only reads."""
    with desk.db.write() as session:
        known = session.exec(select(CaseRow).where(CaseRow.cycle_id == work.cycle_id)).all()
        if not known:
            _write(session, desk, work, cycle, planted)
    reach("after_open_cases")
    with desk.db.read() as session:
        drafted = session.exec(
            select(CaseRow.id)
            .where(CaseRow.cycle_id == work.cycle_id, CaseRow.state == CaseState.DRAFTED.value)
            .order_by(col(CaseRow.rank))
        ).all()
    return list(drafted)


def _write(session: Session, desk: Desk, work: CycleWork, cycle: Cycle, planted: Planted | None) -> None:
    run = session.get_one(RunRow, desk.run_id)
    index_close = desk.market.index_close(work.tick.session, work.tick.as_of)
    reviews = {review.proposal_id: review for review in cycle.reviews}
    dispositions: list[dict[str, Any]] = []
    for position, drafted in enumerate(cycle.proposals):
        state, reason = _disposition(session, desk, drafted, cycle.plan, reviews[drafted.id])
        proposal = drafted
        if state is CaseState.DRAFTED:
            scaled = rescale(drafted, cycle.plan.factors.get(drafted.id, Decimal(1)))
            if scaled is None:
                state, reason = CaseState.BLOCKED, "scaled_to_zero"
            else:
                proposal = _worked(scaled, desk, work)
                supersede(session, proposal, work.tick.as_of)
        case = CaseRow(
            id=case_id_of(proposal), run_id=run.id, cycle_id=work.cycle_id, strategy=proposal.strategy,
            symbol=proposal.symbol, side=proposal.side, kind=proposal.kind, state=state.value, reason=reason,
            rank=position, risk_effect=proposal.risk_effect, digest=proposal.digest, opened=work.tick.session,
            opened_index=work.index, review=plain(reviews[proposal.id]), body=proposal, updated_wall=now(),
        )  # fmt: skip
        session.add(case)
        session.flush()
        if planted is not None and planted.proposal.id == drafted.id:
            canaries.plant(session, planted.plan, case.id)
        else:
            session.add(_outcome(case, proposal, work, index_close))
        if state is not CaseState.NOT_SELECTED:
            _remember(session, case, work)
        dispositions.append({"proposal": proposal.id, "digest": proposal.digest, "state": state, "reason": reason})
    append(
        session,
        Entry(
            kind="cycle.reviewed", step=f"cycle:{work.cycle_id}", run_id=run.id, desk_time=work.tick.as_of,
            stage=Stage.REVIEW, content={"cycle": work.cycle_id, "cases": dispositions},
        ),
    )  # fmt: skip


def _worked(proposal: Proposal, desk: Desk, work: CycleWork) -> Proposal:
    """The proposal as the limits file wants entries of its size worked."""
    rule, item = desk.law.limits.working, work.features.get(proposal.symbol)
    if rule is None or item is None:
        return proposal
    return rule.worked(proposal, Decimal(str(round(item.adv_20, 2))))


def _disposition(
    session: Session, desk: Desk, proposal: Proposal, plan: CoordinatorPlan, review: Review
) -> tuple[CaseState, str | None]:
    """Where a case starts: asked, blocked with a reason, or not selected with a reason."""
    if proposal.id in plan.blocked:
        return CaseState.BLOCKED, plan.blocked[proposal.id]
    if proposal.id not in plan.asked:
        return CaseState.NOT_SELECTED, plan.not_selected.get(proposal.id, "capacity")
    if proposal.risk_effect != "reduces" and desk.store.reduce_only:
        return CaseState.BLOCKED, "safe_mode"
    named = Candidate(case_id_of(proposal), proposal.strategy, proposal.symbol, plain(review))
    if proposal.risk_effect != "reduces" and halt.blocks_increase(desk.store, session, named):
        return CaseState.BLOCKED, BLOCKED_BY_HALT
    held_open = [state.value for state in OPEN_CASE_STATES if state is not CaseState.AWAITING]
    rival = session.exec(
        select(CaseRow).where(
            CaseRow.run_id == proposal.run_id, CaseRow.strategy == proposal.strategy, CaseRow.symbol == proposal.symbol,
            CaseRow.side == proposal.side, col(CaseRow.state).in_(held_open),
        )
    ).first()  # fmt: skip
    return (CaseState.NOT_SELECTED, "open_case") if rival else (CaseState.DRAFTED, None)


def _remember(session: Session, case: CaseRow, work: CycleWork) -> None:
    append(
        session,
        Entry(
            kind=f"case.{case.state}", step=case.state, case_id=case.id, run_id=case.run_id, rank=case.rank,
            desk_time=work.tick.as_of, stage=Stage.CASE,
            content={"proposal": case.order, "digest": case.digest, "review": case.review, "reason": case.reason},
        ),
    )  # fmt: skip


def _outcome(case: CaseRow, proposal: Proposal, work: CycleWork, index_close: float) -> OutcomeRow:
    due_index = work.index + proposal.horizon_sessions
    sessions = work.desk.market.sessions
    body = Outcome(
        id=stable_id("out", case.id), proposal_id=proposal.id, case_id=case.id, strategy=proposal.strategy,
        symbol=proposal.symbol, side=proposal.side, disposition="not_selected", opened=work.tick.session,
        due=sessions[min(due_index, len(sessions) - 1)], horizon_sessions=proposal.horizon_sessions,
        entry_price=proposal.reference_price,
    )  # fmt: skip
    return OutcomeRow(
        id=body.id, run_id=case.run_id, case_id=case.id, strategy=body.strategy, symbol=body.symbol,
        disposition=body.disposition, opened_index=work.index, due_index=due_index, index_entry=index_close, body=body,
    )  # fmt: skip
