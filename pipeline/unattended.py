"""Reductions with nobody there: an occasion holds, the limits file says what may go, a rule of the policy releases it.

Such an exit is a case like any other: drafted by tools, checked, explained, released by the policy and signed. It can
only reduce, never by more than is held, and each is a finding and a record that names the occasion and the rule.
Without a rule that names the occasion nothing happens.
"""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session, col, select

from memory import evidence as evidence_store
from memory.ledger import Entry, Stage, append
from memory.tables import OPEN_CASE_STATES, ApprovalRow, CaseRow, PositionRow, RunRow
from pipeline.book import live_orders, market_view, open_positions, portfolio_view
from pipeline.desk import Desk
from pipeline.findings import raise_finding
from pipeline.occasions import Halves, desk_halves, standings
from pipeline.opening import case_id_of
from pipeline.policy import Ruling, facts_of
from pipeline.store import now
from pipeline.voiding import supersede
from pipeline.work import CycleWork
from tools.canonical import plain
from tools.risk.types import PortfolioView
from tools.strategy import drafting
from tools.strategy.exit_planning import Planned, Standing, plan_reduction
from tools.strategy.types import Features
from tools.types import CaseState, Proposal, Review, ReviewReason


def open_cases(desk: Desk, work: CycleWork) -> list[str]:
    """Draft what may leave now with nobody there; returns the ids of cases whose threads must run. A repeat adds none.

    `work` stands at the open of a session, or in the night after one, where only questions whose minutes ran out count.
    """
    with desk.db.write() as session:
        run = session.get_one(RunRow, desk.run_id)
        _draft_all(session, desk, run, work)
    with desk.db.read() as session:
        query = select(CaseRow.id).where(
            CaseRow.run_id == desk.run_id, CaseRow.cycle_id == work.cycle_id, CaseRow.state == CaseState.DRAFTED.value
        )
        return list(session.exec(query.order_by(col(CaseRow.rank), col(CaseRow.id))).all())


def ran_out_of_minutes(session: Session, run: RunRow) -> frozenset[str]:
    """Exit questions of the last close that expired on the wall clock, before the next open."""
    query = (
        select(ApprovalRow.id)
        .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
        .where(
            ApprovalRow.run_id == run.id, ApprovalRow.status == "expired",
            ApprovalRow.expires_index > run.session_index, CaseRow.kind == "order.exit",
        )
    )  # fmt: skip
    return frozenset(session.exec(query).all())


def _draft_all(session: Session, desk: Desk, run: RunRow, work: CycleWork) -> None:
    policy = desk.law.limits.exits
    at_open = work.part == "open"
    coming = work.index if at_open else work.index + 1
    halves = desk_halves(session, run, coming) if at_open else Halves(0, 0, 0)
    view = portfolio_view(session, run, desk.market)
    leaving = {order.symbol for order in live_orders(session, run.id) if order.leg in ("exit", "flatten")}
    for rank, position in enumerate(open_positions(session, run.id)):
        item = work.features.get(position.symbol)
        if item is None or position.symbol in leaving or _has_exit(session, position):
            continue
        held = coming - 1 - position.opened_index
        for standing in standings(session, run, position, coming, policy, halves, at_open=at_open):
            planned = _plan(session, desk, work, view, position, item, standing, held)
            if planned is not None and _open(session, desk, work, view, planned, standing, item, rank):
                break


def _has_exit(session: Session, position: PositionRow) -> bool:
    """True when an exit of the position is already drafted, released or on its way; a waiting question is not."""
    held_open = [state.value for state in OPEN_CASE_STATES if state is not CaseState.AWAITING]
    query = select(CaseRow.id).where(
        CaseRow.run_id == position.run_id, CaseRow.symbol == position.symbol, CaseRow.kind == "order.exit",
        col(CaseRow.state).in_(held_open),
    )  # fmt: skip
    return session.exec(query).first() is not None


def _plan(
    session: Session,
    desk: Desk,
    work: CycleWork,
    view: PortfolioView,
    row: PositionRow,
    item: Features,
    on: Standing,
    held: int,
) -> Planned | None:
    position = view.position(row.symbol)
    if position is None:
        return None
    earlier = session.exec(
        select(CaseRow).where(
            CaseRow.run_id == row.run_id, CaseRow.symbol == row.symbol, CaseRow.opened_index >= row.opened_index,
            col(CaseRow.occasion).is_not(None),
        )
    ).all()  # fmt: skip
    return plan_reduction(
        position, item, held, desk.law.limits.exits, on, work.tick.as_of,
        tightened=row.stop_why in ("trailing", "breakeven"),
        reduced_before=any(case.review["reasons"][0]["code"] == "reduce" for case in earlier),
    )  # fmt: skip


def _open(
    session: Session,
    desk: Desk,
    work: CycleWork,
    view: PortfolioView,
    planned: Planned,
    standing: Standing,
    item: Features,
    rank: int,
) -> bool:
    """Open the case if the policy releases it on this occasion; True when it is (or was before) opened."""
    run = session.get_one(RunRow, desk.run_id)
    drafted = drafting.draft(
        [planned.candidate], portfolio=view, limits=desk.law.limits, run_id=run.id, cycle_id=work.cycle_id,
        as_of=work.tick.as_of,
    )  # fmt: skip
    if not drafted:
        return False
    proposal, sized = drafted[0]
    proposal = proposal.model_copy(update={"quantity": min(planned.quantity, proposal.quantity)})
    if session.get(CaseRow, case_id_of(proposal)) is not None:
        return True
    seen = market_view(
        session, run, desk.market, work.tick, proposal.symbol, price=proposal.reference_price, atr=proposal.atr,
        adv=Decimal(str(round(item.adv_20, 2))), known_at=work.tick.as_of,
    )  # fmt: skip
    ruling = desk.law.policy.rule_on(facts_of(proposal, view, seen, occasion=standing.occasion))
    if ruling.disposition != "release":
        return False
    evidence_store.keep(session, (*planned.candidate.evidence, *sized))
    supersede(session, proposal, work.tick.as_of)
    _write(session, desk, run, work, proposal, planned, standing, ruling, rank)
    return True


def _write(
    session: Session,
    desk: Desk,
    run: RunRow,
    work: CycleWork,
    proposal: Proposal,
    planned: Planned,
    standing: Standing,
    ruling: Ruling,
    rank: int,
) -> None:
    as_of = work.tick.as_of
    review = Review(
        proposal_id=proposal.id, verdict="keep",
        reasons=(ReviewReason(code=planned.cause, text=proposal.thesis, evidence_ids=proposal.evidence_ids),),
    )  # fmt: skip
    case = CaseRow(
        id=case_id_of(proposal), run_id=run.id, cycle_id=work.cycle_id, strategy=proposal.strategy,
        symbol=proposal.symbol, side=proposal.side, kind=proposal.kind, state=CaseState.DRAFTED.value, rank=rank,
        risk_effect=proposal.risk_effect, digest=proposal.digest, opened=work.tick.session, opened_index=work.index,
        review=plain(review), body=proposal, occasion=standing.occasion, updated_wall=now(),
    )  # fmt: skip
    session.add(case)
    session.flush()
    append(
        session,
        Entry(
            kind="exit.unattended", step="unattended", case_id=case.id, run_id=run.id, rank=rank, desk_time=as_of,
            stage=Stage.CASE,
            content={
                "occasion": standing.occasion, "sessions": standing.sessions, "cause": planned.cause,
                "rule": ruling.rule, "policy": desk.law.policy_sha256, "limits": desk.law.limits_sha256,
                "quantity": proposal.quantity, "proposal": proposal, "digest": proposal.digest,
            },
        ),
    )  # fmt: skip
    raise_finding(
        session, run, code="unattended_exit", severity="warning", component="exits", symbol=proposal.symbol,
        message=(
            f"{proposal.quantity} {proposal.symbol} leave without a person: {standing.occasion}, {planned.cause}, "
            f"released by rule {ruling.rule}"
        ),
        recommendation="See why nobody answered and whether the desk is whole; the exit is capped at the position.",
        as_of=as_of,
    )  # fmt: skip
