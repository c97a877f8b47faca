"""Planting: when the committed plan of a session says so, a bad case takes one of the places that people have."""

from __future__ import annotations

from typing import NamedTuple

from sqlmodel import col, select

from agents.coordinator.output import CoordinatorPlan
from memory import evidence as evidence_store
from memory.tables import OPEN_CASE_STATES, CaseRow, RunRow
from pipeline import canaries
from pipeline.book import portfolio_view
from pipeline.canaries import CanaryPlan
from pipeline.desk import Desk
from pipeline.risk_inputs import edges_of, protection_of
from pipeline.work import CycleWork
from tools.strategy.canaries import flawed
from tools.types import Proposal, Review


class Planted(NamedTuple):
    """A bad proposal and the plan that it carries out."""

    plan: CanaryPlan
    proposal: Proposal


class Cycle(NamedTuple):
    """What a cycle opens."""

    proposals: tuple[Proposal, ...]
    reviews: tuple[Review, ...]
    plan: CoordinatorPlan


def prepare(
    desk: Desk, work: CycleWork, proposals: tuple[Proposal, ...], people_free: int | None = None
) -> Planted | None:
    """Commit to a plan for this cycle and make what it names; None when nothing is planted.

    Nothing is planted where people are not asked: outside supervise mode, without a place, or while only reductions
    are allowed.
    """
    policy = desk.law.policy
    with desk.db.write() as session:
        run = session.get_one(RunRow, desk.run_id)
        plan = canaries.commit(session, run, work.index, work.tick.as_of, rate=policy.canary_rate)
        full = policy.capacity < 1 or people_free == 0
        if plan is None or policy.mode != "supervise" or full or desk.store.reduce_only:
            return None
        view = portfolio_view(session, run, desk.market)
        open_states = [state.value for state in OPEN_CASE_STATES]
        open_symbols = session.exec(
            select(CaseRow.symbol).where(CaseRow.run_id == run.id, col(CaseRow.state).in_(open_states))
        ).all()
        taken = {p.symbol for p in proposals} | {p.symbol for p in view.positions} | set(open_symbols)
        edges = edges_of(session, run.id)
        protection = protection_of(session, run.id, desk.law.limits.protection)
        made = flawed(
            plan.flaw, plan.pick, features=work.features, taken=taken, portfolio=view, limits=desk.law.limits,
            run_id=run.id, cycle_id=work.cycle_id, as_of=work.tick.as_of, edges=edges, protection=protection,
        )  # fmt: skip
        if made is None:
            return None
        evidence_store.keep(session, made.evidence)
    return Planted(plan, made.proposal)


def mix(cycle: Cycle, planted: Planted | None) -> Cycle:
    """Put a planted proposal among those asked, at a place that its plan draws."""
    if planted is None:
        return cycle
    reduces = {item.id for item in cycle.proposals if item.risk_effect == "reduces"}
    entries = [item for item in cycle.plan.asked if item not in reduces]
    place = planted.plan.pick % (len(entries) + 1)
    order = [item.id for item in cycle.proposals]
    at = order.index(entries[place]) if place < len(entries) else (order.index(entries[-1]) + 1 if entries else 0)
    asked = list(cycle.plan.asked)
    asked.insert(asked.index(entries[place]) if place < len(entries) else len(asked), planted.proposal.id)
    reasoner = cycle.reviews[0].reasoner if cycle.reviews else "rules"
    return Cycle(
        proposals=(*cycle.proposals[:at], planted.proposal, *cycle.proposals[at:]),
        reviews=(*cycle.reviews, canaries.review_of(planted.proposal, reasoner)),
        plan=cycle.plan.model_copy(update={"asked": tuple(asked)}),
    )
