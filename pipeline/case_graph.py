"""The case: one LangGraph thread per asked proposal, so that a slow person never blocks the next cycle.

check_limits -> explain_proposal -> request_approval -> await_human -> submit

State is the case id. SQL is the truth: every node looks at the table first and does nothing twice, so a deleted
checkpoint, a repeated resume or an old one changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from sqlmodel import select

from agents.explanation.node import explain
from agents.explanation.output import Explanation
from agents.opinion import ExplanationBrief
from memory import evidence as evidence_store
from memory.ledger import Stage
from memory.recordings import record
from memory.tables import ApprovalRow, CaseRow, ExplanationRow, FindingRow, RunRow
from pipeline import alternatives, asking, briefs
from pipeline.book import market_view, open_positions
from pipeline.cases import advance
from pipeline.desk import Desk
from pipeline.faults import reach
from pipeline.flow import checked_view
from pipeline.manual import proposer_of
from pipeline.model_view import raise_fallbacks
from pipeline.overrides import controls_of, override_of
from pipeline.policy import facts_of
from pipeline.recalling import recall_for
from pipeline.risk_inputs import of_proposal
from pipeline.submission import OpenMarket, submit_case
from pipeline.work import CycleWork
from tools.canonical import content_sha256, plain
from tools.risk.controls import check_order, verdict
from tools.risk.counterfactuals import counterfactuals
from tools.risk.measures.what_if import Surroundings
from tools.risk.types import Check, Counterfactual, MarketView, PortfolioView
from tools.strategy.confidence import confidence_for_size
from tools.strategy.types import Features
from tools.types import CaseState, Evidence, Review


class CaseGraphState(TypedDict):
    case_id: str


@dataclass
class CaseContext:
    """What the nodes use. `now_open` is set only while the market is open for submission."""

    desk: Desk
    work: CycleWork
    now_open: OpenMarket | None = None
    plans: dict[str, alternatives.Planned | None] = field(default_factory=dict)
    submitted: dict[str, CaseState] = field(default_factory=dict)


def _case(desk: Desk, case_id: str) -> CaseRow:
    with desk.db.read() as session:
        return session.get_one(CaseRow, case_id)


def _views(context: CaseContext, case: CaseRow) -> tuple[PortfolioView, MarketView]:
    desk, tick = context.desk, context.work.tick
    features: Features | None = context.work.features.get(case.symbol)
    adv = None if features is None else Decimal(str(round(features.adv_20, 2)))
    with desk.db.read() as session:
        run = session.get_one(RunRow, desk.run_id)
        view = checked_view(session, run, desk.market, tick, desk.law.limits)
        seen = market_view(
            session, run, desk.market, tick, case.symbol, price=case.order.reference_price, atr=case.order.atr,
            adv=adv, known_at=tick.as_of, groups=context.work.groups,
        )  # fmt: skip
    return view, seen


def _check(context: CaseContext, case_id: str) -> None:
    desk = context.desk
    case = _case(desk, case_id)
    if case.state != CaseState.DRAFTED.value or case.checks is not None:
        return
    view, seen = _views(context, case)
    with desk.db.read() as session:
        overrides = controls_of(session, case_id)
    checks = check_order(case.order, view, seen, desk.law.limits, overrides)
    as_of = context.work.tick.as_of
    with desk.db.write() as session:
        row = session.get_one(CaseRow, case_id)
        if row.checks is not None:
            return
        row.checks = [plain(item) for item in checks]
        session.add(row)
        session.flush()
        evidence_store.keep(session, [briefs.checks_evidence(checks, case.symbol, as_of)])
        record(
            session, run_id=desk.run_id, cycle_id=case.cycle_id, case_id=case_id, kind="tool", call="risk.check_order",
            request={
                "proposal": case.order, "portfolio": view, "market": seen, "limits": desk.law.limits_sha256,
                **({"overrides": sorted(overrides)} if overrides else {}),
            },
            response=list(checks),
        )  # fmt: skip
        if verdict(checks) == "block":
            blocking = next(item for item in checks if item.verdict == "block")
            advance(
                session, row, CaseState.BLOCKED, content={"checks": row.checks}, desk_time=as_of, stage=Stage.CASE,
                reason=f"{blocking.control}: {blocking.message}",
            )  # fmt: skip


async def check_limits(state: CaseGraphState, runtime: Runtime[CaseContext]) -> CaseGraphState:
    """Run every control before anyone is asked."""
    await asyncio.to_thread(_check, runtime.context, state["case_id"])
    return state


async def route_after_check_limits(
    state: CaseGraphState, runtime: Runtime[CaseContext]
) -> Literal["explain_proposal", "__end__"]:
    case = await asyncio.to_thread(_case, runtime.context.desk, state["case_id"])
    return "__end__" if case.state == CaseState.BLOCKED.value else "explain_proposal"


def _varied(
    context: CaseContext,
    case: CaseRow,
    view: PortfolioView,
    seen: MarketView,
    overrides: frozenset[str],
    sized: Evidence | None,
) -> tuple[Counterfactual, ...]:
    """What would have made something else of the case: other inputs of the checks, another confidence, another vote."""
    limits, order = context.desk.law.limits, case.order
    found = list(counterfactuals(order, view, seen, limits, overrides))
    with context.desk.db.read() as session:
        if case.cycle_id not in context.plans:
            context.plans[case.cycle_id] = alternatives.planned_of(session, case.cycle_id)
        planned = context.plans[case.cycle_id]
        planned = alternatives.with_case(session, planned, case) if planned else None
    if sized is not None and (least := confidence_for_size(order, sized.payload, view, limits)):
        found.append(least)
    if planned is not None:
        found += alternatives.confidence_for_place(planned, order)
        found += alternatives.votes(planned, order)
        found += alternatives.kept_whole(planned, order, view, seen, limits)
    return tuple(found)


def _explanation_brief(context: CaseContext, case_id: str) -> ExplanationBrief | None:
    desk, work = context.desk, context.work
    case = _case(desk, case_id)
    with desk.db.read() as session:
        if case.state != CaseState.DRAFTED.value or session.get(ExplanationRow, case_id) is not None:
            return None
        findings = session.exec(
            select(FindingRow)
            .where(FindingRow.run_id == desk.run_id, FindingRow.as_of == work.tick.as_of)
            .order_by(FindingRow.id)
        ).all()
        found_in = (key for row in findings for key in row.body.evidence_ids)
        said = Review.model_validate(case.review).reasons
        taught = (key for reason in said if reason.code == "lesson_against" for key in reason.evidence_ids)
        cited = evidence_store.read(session, (*case.order.evidence_ids, *found_in, *taught), work.tick.as_of)
        asked = override_of(session, case_id)
    view, seen = _views(context, case)
    checks = tuple(Check.model_validate(item) for item in case.checks or [])
    overrides = frozenset(asked.controls) if asked else frozenset()
    sized = next((item for item in cited if item.kind == "sizing"), None)
    changed = _varied(context, case, view, seen, overrides, sized)
    around = Surroundings(work.history, work.scenarios, view, desk.law.limits)
    review = Review.model_validate(case.review)
    memories = recall_for(work, case.order)
    as_of = work.tick.as_of
    evidence = (
        briefs.proposal_evidence(case.order, desk.market.instrument(case.symbol).name), *cited,
        *(e for e in work.evidence if not e.taint),
        briefs.checks_evidence(checks, case.symbol, as_of), briefs.counterfactual_evidence(changed, case.symbol, as_of),
        briefs.review_evidence(review, case.symbol, as_of), memories.evidence,
        briefs.portfolio_evidence(view, as_of),
        briefs.what_if_evidence(of_proposal(around, case.order, seen.sector), as_of),
        *([briefs.override_evidence(asked, case.symbol, as_of)] if asked else []),
    )  # fmt: skip
    return ExplanationBrief(
        run_id=desk.run_id, cycle_id=case.cycle_id, as_of=as_of, case_id=case_id, proposal=case.order, review=review,
        checks=checks, counterfactuals=changed, findings=tuple(f.body for f in findings), recalled=memories.cases,
        evidence=tuple({e.id: e for e in evidence}.values()), unknowns=tuple(desk.degraded),
    )  # fmt: skip


def _keep_explanation(context: CaseContext, brief: ExplanationBrief, made: Explanation) -> None:
    desk = context.desk
    with desk.db.write() as session:
        if session.get(ExplanationRow, brief.case_id) is not None:
            return
        evidence_store.keep(session, brief.evidence)
        session.add(
            ExplanationRow(
                case_id=brief.case_id, run_id=desk.run_id, sha256=made.sha256, claims=made.stats.claims,
                numbers=made.stats.numbers, unresolved=made.stats.unresolved, dropped=made.stats.dropped,
                reasoner=made.reasoner, body=plain(made),
            )
        )  # fmt: skip
        record(
            session, run_id=desk.run_id, cycle_id=brief.cycle_id, case_id=brief.case_id, kind="agent",
            call="explanation.explain", request=brief, response=made,
        )  # fmt: skip
        raise_fallbacks(session, session.get_one(RunRow, desk.run_id), brief.cycle_id, brief.as_of)


async def explain_proposal(state: CaseGraphState, runtime: Runtime[CaseContext]) -> CaseGraphState:
    """Build the claim graph that the approval will be bound to."""
    context = runtime.context
    brief = await asyncio.to_thread(_explanation_brief, context, state["case_id"])
    if brief is not None:
        made = await explain(brief, context.desk.agent_context(brief.cycle_id))
        await asyncio.to_thread(_keep_explanation, context, brief, made)
    return state


def _request(context: CaseContext, case_id: str) -> None:
    desk, work = context.desk, context.work
    drafted = _case(desk, case_id)
    if drafted.state != CaseState.DRAFTED.value:
        return
    view, seen = _views(context, drafted)
    abstained = Review.model_validate(drafted.review).abstain_reason
    with desk.db.read() as session:
        overrides = controls_of(session, case_id)
    facts = facts_of(drafted.order, view, seen, abstained, drafted.occasion, overrides)
    ruling = desk.law.policy.rule_on(facts)
    if proposer_of(drafted.strategy) is not None:
        ruling = ruling.model_copy(update={"separate": (*ruling.separate, "proposer")})
    expires = min(work.index + ruling.ttl_sessions, len(desk.market.sessions) - 1)
    with desk.db.write() as session:
        case = session.get_one(CaseRow, case_id)
        asked = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).first()
        if case.state != CaseState.DRAFTED.value or asked is not None:
            return
        held = {row.symbol: row.quantity for row in open_positions(session, desk.run_id)}.get(case.symbol, 0)
        asking.request(
            desk.store, session, case, ruling,
            asking.Asked(
                explanation_hash=session.get_one(ExplanationRow, case_id).sha256, portfolio_hash=content_sha256(view),
                exposure=held, data_sha256=desk.market.dataset_sha256,
                checks={item["control"]: item["verdict"] for item in case.checks or []},
                expires=desk.market.sessions[expires], desk_time=work.tick.as_of, facts=facts,
            ),
            desk.law,
        )  # fmt: skip
    reach("after_request")


async def request_approval(state: CaseGraphState, runtime: Runtime[CaseContext]) -> CaseGraphState:
    """Put the case in the queue, or let the policy release it."""
    await asyncio.to_thread(_request, runtime.context, state["case_id"])
    return state


async def await_human(state: CaseGraphState) -> CaseGraphState:
    """Park. The resume value is a wake-up and is not read; the table holds the decision."""
    interrupt(
        {
            "action_requests": [{"name": "release_case", "args": {"case_id": state["case_id"]}, "description": ""}],
            "review_configs": [{"action_name": "release_case", "allowed_decisions": ["approve", "reject"]}],
        }
    )
    return state


async def submit(state: CaseGraphState, runtime: Runtime[CaseContext]) -> CaseGraphState:
    """Read the table again and act once, while the market is open; otherwise leave the case as it is."""
    context = runtime.context
    if context.now_open is not None:
        desk = context.desk
        context.submitted[state["case_id"]] = await asyncio.to_thread(
            submit_case, desk.store, desk.market, desk.law, state["case_id"], context.now_open
        )
    return state


def build_case_graph(
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[CaseGraphState, CaseContext, CaseGraphState, CaseGraphState]:
    """Compile the case graph over a checkpointer; run it with durability `sync`."""
    graph = StateGraph(CaseGraphState, context_schema=CaseContext)
    for step in (check_limits, explain_proposal, request_approval, await_human, submit):
        graph.add_node(step.__name__, step)
    graph.add_edge(START, "check_limits")
    graph.add_conditional_edges("check_limits", route_after_check_limits)
    graph.add_edge("explain_proposal", "request_approval")
    graph.add_edge("request_approval", "await_human")
    graph.add_edge("await_human", "submit")
    graph.add_edge("submit", END)
    return graph.compile(checkpointer=checkpointer)
