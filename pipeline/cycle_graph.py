"""The cycle: one LangGraph run per close tick. State is ids and plain JSON; every node can be computed again.

gather_evidence -> detect_findings -> draft_proposals -> review_proposals -> open_cases
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict, get_args

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from sqlmodel import select

from agents.coordinator.model import coordinate
from agents.coordinator.output import CoordinatorPlan
from agents.decision.node import compare_candidates
from agents.decision.output import Compared
from agents.monitoring.node import monitor
from agents.monitoring.output import FindingCode
from agents.opinion import BesideRules, Context, DecisionBrief
from memory import evidence as evidence_store
from memory.database import insert_if_absent
from memory.recordings import record
from memory.tables import FindingRow, HeadlineRow, RunRow, SignalRow
from pipeline import automatic_halts, breaches, halt_program, lesson_use, planting
from pipeline.book import portfolio_view
from pipeline.briefs import portfolio_evidence
from pipeline.capacity import load_of
from pipeline.desk import Desk
from pipeline.findings import keep_finding, watch
from pipeline.health_facts import Health, data_age_hours, health_of, keep_history, with_figures
from pipeline.model_reviews import keep_model_reviews
from pipeline.model_view import raise_fallbacks
from pipeline.opening import open_all
from pipeline.recalling import recall_for
from pipeline.risk_inputs import edges_of, protection_finding, protection_of
from pipeline.work import CycleWork
from tools.canonical import plain
from tools.risk.breaches import passive_breaches
from tools.strategy.drafting import protection_evidence
from tools.strategy.ranking import rank
from tools.types import Evidence, Finding, Proposal, RecalledCase, Review

RECALL_FOR = 12
"""How many of the best-ranked entries get similar past cases looked up."""


class CycleState(TypedDict):
    """Plain JSON; domain values are validated on entry to a node."""

    run_id: str
    cycle_id: str
    session_index: int
    evidence_ids: list[str]
    finding_ids: list[str]
    proposals: list[dict[str, Any]]
    reviews: list[dict[str, Any]]
    asked: list[str]


Update = dict[str, Any]
"""The part of the state that a node changes."""


@dataclass(frozen=True)
class CycleContext:
    """What the nodes use, handed over by LangGraph's runtime."""

    desk: Desk
    work: CycleWork


def _gather(context: CycleContext) -> list[str]:
    desk, work = context.desk, context.work
    bars = desk.market.bars(work.tick.session, work.tick.as_of)
    with desk.db.write() as session:
        evidence_store.keep(session, work.evidence)
        for headline in work.headlines:
            insert_if_absent(
                session, HeadlineRow,
                {"run_id": desk.run_id, "id": headline.id, "known_at": headline.known_at, "body": headline},
            )  # fmt: skip
        for signal in work.text_signals:
            insert_if_absent(
                session, SignalRow,
                {
                    "id": f"{signal.id}_{desk.run_id[-8:]}", "run_id": desk.run_id, "cycle_id": work.cycle_id,
                    "symbol": signal.symbol, "as_of": signal.as_of, "body": signal,
                },
            )  # fmt: skip
        asked = {"data": desk.market.dataset_sha256, "as_of": work.tick.as_of, "names": len(desk.market.symbols)}
        record(
            session, run_id=desk.run_id, cycle_id=work.cycle_id, kind="tool", call="market.bars", request=asked,
            response={s: [b.open, b.high, b.low, b.close, b.volume] for s, b in bars.items()},
        )  # fmt: skip
        record(
            session, run_id=desk.run_id, cycle_id=work.cycle_id, kind="tool", call="market.evidence", request=asked,
            response=[item.id for item in work.evidence],
        )  # fmt: skip
    return [item.id for item in work.evidence]


async def gather_evidence(state: CycleState, runtime: Runtime[CycleContext]) -> Update:
    """Read what is known at this tick; keep and record it."""
    return {"evidence_ids": await asyncio.to_thread(_gather, runtime.context)}


def _keep_findings(
    context: CycleContext, health: Health, found: tuple[Finding, ...], asked: Context
) -> tuple[Finding, ...]:
    """Keep what was judged; returns the findings as they stand, under the ids they began with."""
    brief, desk, tick = health.brief, context.desk, context.work.tick
    cited, figures = with_figures(brief, found)
    with desk.db.write() as session:
        evidence_store.keep(session, (*brief.evidence, *figures))
        keep_history(session, desk.run_id, health.measured, context.work.index, tick)
        run = session.get_one(RunRow, desk.run_id)
        standing = watch(session, run, get_args(FindingCode), cited, tick.as_of)
        view = portfolio_view(session, run, desk.market)
        breached = passive_breaches(view, desk.law.limits, context.work.groups)
        breaches.track(session, run, breached, desk.law.limits.cure_sessions, tick)
        record(
            session, run_id=desk.run_id, cycle_id=brief.cycle_id, kind="agent", call="monitoring.monitor",
            request=brief, response=list(found), meta=_how(asked, "monitoring"),
        )  # fmt: skip
    return tuple(item.finding for item in standing)


def _halt_if_called_for(context: CycleContext, found: tuple[Finding, ...]) -> None:
    desk, tick = context.desk, context.work.tick
    seen = automatic_halts.Seen(data_age_hours(desk.market, tick), desk.broker.positions())
    with desk.db.write() as session:
        run = session.get_one(RunRow, desk.run_id)
        engaged = automatic_halts.consider(session, run, desk.law.limits, seen, found, tick.as_of)
    if engaged:
        halt_program.carry_out_all(desk.store, desk.broker)


async def detect_findings(state: CycleState, runtime: Runtime[CycleContext]) -> Update:
    """Let the monitoring agent judge the desk's health, and the controls halt what is beyond their limits."""
    health = await asyncio.to_thread(health_of, runtime.context.desk, runtime.context.work)
    asked = runtime.context.desk.agent_context(health.brief.cycle_id)
    found = await monitor(health.brief, asked)
    kept = await asyncio.to_thread(_keep_findings, runtime.context, health, found, asked)
    await asyncio.to_thread(_halt_if_called_for, runtime.context, kept)
    return {"finding_ids": [finding.id for finding in kept]}


def _draft(context: CycleContext) -> list[dict[str, Any]]:
    desk, work = context.desk, context.work
    limits, as_of = desk.law.limits, work.tick.as_of
    with desk.db.read() as session:
        view = portfolio_view(session, session.get_one(RunRow, desk.run_id), desk.market)
        edges = edges_of(session, desk.run_id)
        protection = protection_of(session, desk.run_id, limits.protection)
    candidates = work.candidates(view)
    drafted = work.draft(view, candidates, edges, protection)
    proposals = rank(item.proposal for item in drafted)
    guarded = protection_evidence(protection, limits, as_of)
    with desk.db.write() as session:
        evidence_store.keep(session, [item for candidate in candidates for item in candidate.evidence])
        evidence_store.keep(session, [guarded, *(one for item in drafted for one in item.evidence)])
        if protection.begins:
            keep_finding(
                session, session.get_one(RunRow, desk.run_id), protection_finding(protection, guarded, work.cycle_id)
            )
        record(
            session, run_id=desk.run_id, cycle_id=work.cycle_id, kind="tool", call="strategy.draft",
            request={
                "portfolio": view, "candidates": list(candidates), "edges": edges, "protection": protection,
            },
            response=list(proposals),
        )  # fmt: skip
    return [plain(item) for item in proposals]


async def draft_proposals(state: CycleState, runtime: Runtime[CycleContext]) -> Update:
    """Let the strategy tools propose, sized and ranked."""
    return {"proposals": await asyncio.to_thread(_draft, runtime.context)}


def _decision_brief(context: CycleContext, state: CycleState) -> DecisionBrief:
    desk, work = context.desk, context.work
    proposals = tuple(Proposal.model_validate(item) for item in state["proposals"])
    as_of = work.tick.as_of
    recalled: dict[str, tuple[RecalledCase, ...]] = {}
    extra: list[Evidence] = []
    with desk.db.read() as session:
        view = portfolio_view(session, session.get_one(RunRow, desk.run_id), desk.market)
        findings = session.exec(
            select(FindingRow)
            .where(FindingRow.run_id == desk.run_id, FindingRow.as_of == as_of)
            .order_by(FindingRow.id)
        ).all()
        cited = evidence_store.read(session, [i for p in proposals for i in p.evidence_ids], as_of)
        lessons = lesson_use.promoted(desk.store, session, desk.run_id)
    taught = lesson_use.lesson_evidence(lessons, proposals, work.regime, as_of)
    for item in [item for item in proposals if item.kind == "order.entry"][:RECALL_FOR]:
        memories = recall_for(work, item)
        if memories.cases:
            recalled[item.id] = memories.cases
            extra.append(memories.evidence)
    return DecisionBrief(
        run_id=desk.run_id, cycle_id=work.cycle_id, as_of=as_of, candidates=proposals, portfolio=view,
        evidence=tuple(
            {e.id: e for e in (*cited, *work.evidence, *extra, *taught, portfolio_evidence(view, as_of))}.values()
        ),
        findings=tuple(row.body for row in findings), recalled=recalled,
    )  # fmt: skip


def _keep_reviews(context: CycleContext, brief: DecisionBrief, made: tuple[Compared, ...], asked: Context) -> None:
    desk = context.desk
    how = {"framework": asked.framework, "samples": asked.samples} if asked.reasoner == "model" else {}
    with desk.db.write() as session:
        evidence_store.keep(session, brief.evidence)
        record(
            session, run_id=desk.run_id, cycle_id=brief.cycle_id, kind="agent", call="decision.review_candidates",
            request=brief, response=[item.review for item in made], meta=how,
        )  # fmt: skip
        keep_model_reviews(session, brief, made, asked.framework)
        lesson_use.keep_shadows(desk.store, session, brief, made, asked, context.work.regime)
        raise_fallbacks(session, session.get_one(RunRow, desk.run_id), brief.cycle_id, brief.as_of)


async def review_proposals(state: CycleState, runtime: Runtime[CycleContext]) -> Update:
    """Let the decision agent review every candidate: keep, veto, scale, escalate or abstain."""
    brief = await asyncio.to_thread(_decision_brief, runtime.context, state)
    asked = runtime.context.desk.agent_context(brief.cycle_id)
    made = await compare_candidates(brief, asked)
    await asyncio.to_thread(_keep_reviews, runtime.context, brief, made, asked)
    return {"reviews": [plain(item.review) for item in made]}


def _how(asked: Context, agent: BesideRules) -> dict[str, str]:
    """What a recording says of an agent beside whose rules a model was asked."""
    return {"reasoner": "model"} if asked.asks(agent) else {}


def _keep_plan(desk: Desk, cycle_id: str, asked: dict[str, Any], made: CoordinatorPlan, by: Context) -> None:
    with desk.db.write() as session:
        record(
            session, run_id=desk.run_id, cycle_id=cycle_id, kind="agent", call="coordinator.plan", request=asked,
            response=made, meta=_how(by, "coordinator"),
        )  # fmt: skip


def _people_free(desk: Desk) -> int | None:
    with desk.db.read() as session:
        return desk.law.policy.free_places(load_of(session, session.get_one(RunRow, desk.run_id)))


async def open_cases(state: CycleState, runtime: Runtime[CycleContext]) -> Update:
    """Open one case per proposal; only as many as people can answer are asked."""
    proposals = tuple(Proposal.model_validate(item) for item in state["proposals"])
    reviews = tuple(Review.model_validate(item) for item in state["reviews"])
    desk = runtime.context.desk
    work = runtime.context.work
    free = await asyncio.to_thread(_people_free, desk)
    planted = await asyncio.to_thread(planting.prepare, desk, work, proposals, free)
    places = desk.law.policy.capacity
    if planted is not None:
        places, free = places - 1, None if free is None else free - 1
    by = desk.agent_context(state["cycle_id"])
    plan_ = await coordinate(proposals, reviews, [item.id for item in proposals], places, free, by)
    asked_of = {"proposals": list(proposals), "capacity": places, "people_free": free}
    await asyncio.to_thread(_keep_plan, desk, state["cycle_id"], asked_of, plan_, by)
    cycle = planting.mix(planting.Cycle(proposals, reviews, plan_), planted)
    asked = await asyncio.to_thread(open_all, desk, work, cycle, planted)
    return {"asked": asked}


def first_state(desk: Desk, work: CycleWork) -> CycleState:
    """The state a cycle begins with."""
    return {
        "run_id": desk.run_id, "cycle_id": work.cycle_id, "session_index": work.index, "evidence_ids": [],
        "finding_ids": [], "proposals": [], "reviews": [], "asked": [],
    }  # fmt: skip


def build_cycle_graph() -> CompiledStateGraph[CycleState, CycleContext, CycleState, CycleState]:
    """Compile the cycle; it needs no checkpointer, an unfinished cycle is computed again."""
    graph = StateGraph(CycleState, context_schema=CycleContext)
    steps = (gather_evidence, detect_findings, draft_proposals, review_proposals, open_cases)
    for step in steps:
        graph.add_node(step.__name__, step)
    for before, after in pairwise(steps):
        graph.add_edge(before.__name__, after.__name__)
    graph.add_edge(START, steps[0].__name__)
    graph.add_edge(steps[-1].__name__, END)
    return graph.compile()
