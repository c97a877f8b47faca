"""Replay a past decision from its recordings: the same, or what another model, prompt, policy or limits would make.

Every step is computed again from its recorded input and held against its recorded output. Without another model or
prompt nothing leaves the process; in no case is anything written or sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select

from agents.coordinator.model import coordinate
from agents.coordinator.output import CoordinatorPlan
from agents.decision.node import review_candidates
from agents.explanation.node import explain
from agents.explanation.output import Explanation
from agents.learning.node import learn
from agents.monitoring.node import monitor
from agents.opinion import (
    BesideRules,
    Context,
    DecisionBrief,
    ExplanationBrief,
    LearningBrief,
    MonitoringBrief,
    Usage,
)
from memory.recordings import load_blob
from memory.tables import ActivationRow, ApprovalRow, CaseRow, RecordingRow
from pipeline.context import model_endpoints
from pipeline.policy import Policy, facts_of, load_policy
from pipeline.recorded_model import recorded_endpoints
from pipeline.store import Store
from prompts.loader import Prompt, using
from tools.canonical import content_sha256
from tools.errors import LedgerError
from tools.risk.controls import check_order
from tools.risk.limits import load_limits
from tools.risk.types import Check, Limits, MarketView, PortfolioView
from tools.types import Frozen, Lesson, Proposal, Review


@dataclass(frozen=True)
class Other:
    """What is to be different this time; None keeps what was recorded."""

    model_id: str | None = None
    prompt: Prompt | None = None
    policy: Policy | None = None
    limits: Limits | None = None

    @property
    def asks_model(self) -> bool:
        return self.model_id is not None or self.prompt is not None


class Difference(Frozen):
    """One thing that came out differently."""

    subject: str
    what: str
    recorded: str
    replayed: str


class Step(Frozen):
    """One recorded call, computed again. Hashes are of the recorded and the replayed output."""

    call: str
    case_id: str | None
    recorded_sha256: str
    replayed_sha256: str
    identical: bool
    differences: tuple[Difference, ...] = ()


class DecisionReplay(Frozen):
    """The replay of a cycle, or of one case with the cycle that it came from."""

    target: str
    run_id: str
    cycle_id: str
    changed: dict[str, str]
    identical: bool
    steps: tuple[Step, ...]


class _Silent:
    """A recorder and a budget without effects."""

    def record_model_call(self, **_: Any) -> None:
        pass

    def reserve(self, call: str, model_id: str, most: Usage) -> int | None:
        del call, model_id, most
        return 0

    def settle(self, reservation: int, used: Usage) -> None:
        del reservation, used


def replay_decision(store: Store, target: str, other: Other | None = None) -> DecisionReplay:
    """Replay a case or a cycle by its id. LedgerError: `unknown_target`, `recording_missing`, `recording_edited`."""
    changes = other or Other()
    with store.db.read() as session:
        case = session.get(CaseRow, target)
        cycle_id = case.cycle_id if case else target
        rows = session.exec(
            select(RecordingRow).where(RecordingRow.cycle_id == cycle_id).order_by(col(RecordingRow.id))
        ).all()
        if not rows:
            raise LedgerError(f"{target} is neither a case nor a cycle with recordings", code="unknown_target")
        tape = _Tape(store, session, rows, changes)
        with _prompt(changes):
            steps = asyncio.run(tape.play(target if case else None))
    return DecisionReplay(
        target=target, run_id=rows[0].run_id, cycle_id=cycle_id, changed=_said(changes),
        identical=bool(steps) and all(step.identical for step in steps), steps=tuple(steps),
    )  # fmt: skip


def _prompt(other: Other) -> AbstractContextManager[None]:
    return using(other.prompt) if other.prompt else nullcontext()


def _said(other: Other) -> dict[str, str]:
    said = {
        "model": other.model_id, "prompt": f"{other.prompt.id} {other.prompt.version}" if other.prompt else None,
        "policy": other.policy.version if other.policy else None,
        "limits": other.limits.version if other.limits else None,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


class _Tape:
    """The recordings of one cycle, read once."""

    def __init__(self, store: Store, session: Session, rows: Sequence[RecordingRow], other: Other) -> None:
        self.store, self.session, self.rows, self.other = store, session, rows, other

    async def play(self, case_id: str | None) -> list[Step]:
        steps: list[Step] = []
        reviews: tuple[Review, ...] | None = None
        for row in self.rows:
            if row.kind == "model" or (row.case_id is not None and case_id not in (None, row.case_id)):
                continue
            match row.call:
                case "monitoring.monitor":
                    brief = MonitoringBrief.model_validate(self._asked(row))
                    found = await monitor(brief, self._beside(row, "monitoring"))
                    steps.append(_step(row, list(found), ()))
                case "learning.learn_from_views":
                    steps.append(await self._learn(row))
                case "decision.review_candidates":
                    reviews, step = await self._review(row)
                    steps.append(step)
                case "coordinator.plan":
                    steps.append(await self._plan(row, reviews or ()))
                case "risk.check_order":
                    steps.append(self._checks(row))
                    steps += self._ruling(row)
                case "explanation.explain":
                    steps.append(await self._explain(row))
        return steps

    def _asked(self, row: RecordingRow) -> Any:
        return load_blob(self.session, row.input_sha256)

    def _answered(self, row: RecordingRow) -> Any:
        return load_blob(self.session, row.output_sha256)

    async def _learn(self, row: RecordingRow) -> Step:
        asked = LearningBrief.model_validate(self._asked(row))
        before = {item["id"]: Lesson.model_validate(item) for item in self._answered(row)}
        modelled = any(item.reasoner == "model" or item.model_abstained for item in before.values())
        after = await learn(asked, self._context("model" if modelled or self.other.asks_model else "rules"))
        found = [
            Difference(subject=item.scope, what="lesson", recorded=_words(before.get(item.id)), replayed=_words(item))
            for item in after
            if _words(before.get(item.id)) != _words(item)
        ]
        return _step(row, list(after), found)

    async def _review(self, row: RecordingRow) -> tuple[tuple[Review, ...], Step]:
        brief = DecisionBrief.model_validate(self._asked(row))
        before = {item["proposal_id"]: Review.model_validate(item) for item in self._answered(row)}
        modelled = any(item.reasoner == "model" or item.abstain_reason for item in before.values())
        context = self._context("model" if modelled or self.other.asks_model else "rules")
        if "framework" in row.meta and not self.other.asks_model:
            context = replace(context, framework=row.meta["framework"], samples=row.meta["samples"])
        after = await review_candidates(brief, context)
        symbols = {item.id: item.symbol for item in brief.candidates}
        found = [
            Difference(
                subject=symbols[item.proposal_id], what="review", recorded=_verdict(before.get(item.proposal_id)),
                replayed=_verdict(item),
            )
            for item in after
            if _verdict(before.get(item.proposal_id)) != _verdict(item)
        ]  # fmt: skip
        return after, _step(row, list(after), found)

    async def _plan(self, row: RecordingRow, reviews: tuple[Review, ...]) -> Step:
        asked = self._asked(row)
        proposals = tuple(Proposal.model_validate(item) for item in asked["proposals"])
        again = await coordinate(
            proposals, reviews, [item.id for item in proposals], int(asked["capacity"]), asked["people_free"],
            self._beside(row, "coordinator"),
        )  # fmt: skip
        before = CoordinatorPlan.model_validate(self._answered(row))
        found = [
            Difference(subject=item.symbol, what="place", recorded=_place(before, item), replayed=_place(again, item))
            for item in proposals
            if _place(before, item) != _place(again, item)
        ]
        return _step(row, again, found)

    def _checks(self, row: RecordingRow) -> Step:
        asked = self._asked(row)
        limits = self.other.limits or self._limits(asked.get("limits") or self._limits_bound(row))
        proposal = Proposal.model_validate(asked["proposal"])
        again = check_order(
            proposal, PortfolioView.model_validate(asked["portfolio"]), MarketView.model_validate(asked["market"]),
            limits, frozenset(asked.get("overrides", ())),
        )  # fmt: skip
        before = {item["control"]: Check.model_validate(item) for item in self._answered(row)}
        found = [
            Difference(
                subject=proposal.symbol, what=item.control, replayed=f"{item.verdict}: {item.message}",
                recorded=f"{before[item.control].verdict}: {before[item.control].message}",
            )
            for item in again
            if item.control in before and item != before[item.control]
        ]  # fmt: skip
        return _step(row, list(again), found)

    def _limits_bound(self, row: RecordingRow) -> str:
        """The limits that an edited case was bound to."""
        return self.session.exec(select(ApprovalRow).where(ApprovalRow.case_id == row.case_id)).one().limits_sha256

    def _limits(self, sha256: str) -> Limits:
        row = self.session.exec(select(ActivationRow).where(ActivationRow.sha256 == sha256)).first()
        if row is None:
            raise LedgerError(f"the limits {sha256[:12]} of this decision are gone", code="recording_missing")
        return load_limits(row.body)

    def _ruling(self, row: RecordingRow) -> list[Step]:
        """What the policy of then, or another, says of the case as it was asked."""
        asked = self.session.exec(select(ApprovalRow).where(ApprovalRow.case_id == row.case_id)).first()
        given = self._asked(row)
        overrides = given.get("overrides", [])
        if asked is None or "edited" in given or overrides != asked.facts.get("overrides", []):
            return []
        policy = self.other.policy
        if policy is None:
            active = self.session.exec(select(ActivationRow).where(ActivationRow.sha256 == asked.policy_sha256)).first()
            if active is None:
                raise LedgerError(f"the policy {asked.policy_sha256[:12]} is gone", code="recording_missing")
            policy = load_policy(active.body)
        case = self.session.get_one(CaseRow, asked.case_id)
        facts = facts_of(
            Proposal.model_validate(given["proposal"]), PortfolioView.model_validate(given["portfolio"]),
            MarketView.model_validate(given["market"]), Review.model_validate(case.review).abstain_reason,
            overrides=overrides,
        )  # fmt: skip
        ruling = policy.rule_on(facts)
        before = f"{asked.rule}: {asked.tier}, {asked.disposition}"
        after = f"{ruling.rule}: {ruling.tier}, {ruling.disposition}"
        found = (Difference(subject=case.symbol, what="ruling", recorded=before, replayed=after),)
        return [
            Step(
                call="policy.rule_on", case_id=case.id, recorded_sha256=content_sha256(before),
                replayed_sha256=content_sha256(after), identical=before == after,
                differences=found if before != after else (),
            )
        ]  # fmt: skip

    async def _explain(self, row: RecordingRow) -> Step:
        brief = ExplanationBrief.model_validate(self._asked(row))
        before = Explanation.model_validate(self._answered(row))
        modelled = before.reasoner == "model" or before.model_abstained is not None
        again = await explain(brief, self._context("model" if modelled or self.other.asks_model else "rules"))
        found = Difference(
            subject=brief.proposal.symbol, what="explanation", recorded=before.prose, replayed=again.prose
        )
        return _step(row, again, (found,) if before.prose != again.prose else ())

    def _beside(self, row: RecordingRow, agent: BesideRules) -> Context:
        """The context of an agent whose rules judge: with the model only where one was asked beside them."""
        if row.meta.get("reasoner") != "model":
            return self._context("rules")
        return replace(self._context("model"), beside=frozenset({agent}))

    def _context(self, reasoner: str) -> Context:
        silent = _Silent()
        if reasoner == "rules":
            return Context(reasoner="rules", recorder=silent, budget=silent)
        if self.other.asks_model:
            settings = self.store.settings
            return Context(
                reasoner="model", recorder=silent, budget=silent,
                endpoints=model_endpoints(self.store, self.other.model_id), framework=settings.model_framework,
                samples=settings.model_samples,
            )  # fmt: skip
        said = [row for row in self.rows if row.kind == "model"]
        endpoints = recorded_endpoints(said, {row.input_sha256: self._answered(row) for row in said})
        return Context(reasoner="model", recorder=silent, budget=silent, endpoints=endpoints)


def _words(lesson: Lesson | None) -> str:
    return "none" if lesson is None else lesson.hypothesis or lesson.claim


def _step(row: RecordingRow, again: Any, found: Sequence[Difference]) -> Step:
    sha256 = content_sha256(again)
    return Step(
        call=row.call, case_id=row.case_id, recorded_sha256=row.output_sha256, replayed_sha256=sha256,
        identical=sha256 == row.output_sha256, differences=tuple(found),
    )  # fmt: skip


def _verdict(review: Review | None) -> str:
    if review is None:
        return "none"
    scaled = f" to {review.factor}" if review.verdict == "scale" else ""
    return f"{review.verdict}{scaled}" + (f" ({review.abstain_reason})" if review.abstain_reason else "")


def _place(made: CoordinatorPlan, proposal: Proposal) -> str:
    if proposal.id in made.asked:
        return f"asked at {made.factors[proposal.id]}" if proposal.id in made.factors else "asked"
    if proposal.id in made.blocked:
        return f"blocked: {made.blocked[proposal.id]}"
    return f"not selected: {made.not_selected.get(proposal.id, 'unknown')}"
