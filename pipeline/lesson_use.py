"""What lessons do in a cycle: a promoted one is evidence in the brief, one in shadow only leaves a note of what it
would have done. Promoted ones decay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col

from agents.coordinator.rules import effective_factor
from agents.decision import rules
from agents.decision.output import Compared
from agents.learning.rules import figures_evidence
from agents.learning.scopes import Scope
from agents.opinion import Context, DecisionBrief
from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.tables import LessonRow, LessonShadowRow, OutcomeRow, RunRow
from pipeline.findings import raise_finding
from pipeline.lesson_state import CONFIRMED, SHADOW_OUTCOMES, fresh_sample, move, newer_of, standings
from pipeline.opening import case_id_of
from pipeline.store import Store
from tools.types import Evidence, Lesson, Proposal

UNCONFIRMED_SESSIONS = 120
"""Sessions after which a promoted lesson that newer outcomes neither confirmed nor contradicted goes back to shadow."""


def promoted(store: Store, session: Session, run_id: str) -> tuple[Lesson, ...]:
    """Lessons in force, in the words of their records. What became of a row since changes nothing: a lesson only
    tightens, and to write over a row must loosen nothing. One that no genuine approval promoted is not in force."""
    found = (item.in_force for item in standings(store, session, run_id))
    return tuple(lesson for lesson in found if lesson is not None)


def lesson_evidence(
    lessons: Sequence[Lesson], proposals: Sequence[Proposal], regime: str | None, as_of: datetime
) -> tuple[Evidence, ...]:
    """One piece of evidence for each lesson and each candidate in its scope; it names the candidate it is for."""
    return tuple(
        figures_evidence(lesson, as_of, {"proposal": proposal.id}, proposal.symbol)
        for proposal in proposals
        for lesson in lessons
        if (scope := Scope.parse(lesson.scope)) is not None and scope.takes(proposal, regime)
    )


def keep_shadows(
    store: Store, session: Session, brief: DecisionBrief, made: Sequence[Compared], asked: Context, regime: str | None
) -> None:
    """Note what each lesson in shadow would have made of each review. Nothing of it enters the brief."""
    known = standings(store, session, brief.run_id)
    trying = [item.row for item in known if item.state == "shadow" and item.trouble is None]
    if not trying:
        return
    index = session.get_one(RunRow, brief.run_id).session_index
    thresholds = rules.Thresholds.of(asked.thresholds)
    reviews = {item.review.proposal_id: item.review for item in made}
    notes: list[dict[str, object]] = []
    for row in trying:
        for extra in lesson_evidence([row.body], brief.candidates, regime, brief.as_of):
            proposal = next(item for item in brief.candidates if item.id == extra.payload["proposal"])
            supposed = brief.model_copy(update={"evidence": (*brief.evidence, extra)})
            was = effective_factor(reviews[proposal.id])
            would = min(was, effective_factor(rules.review(proposal, supposed, thresholds)))
            values = {
                "lesson_id": row.id, "case_id": case_id_of(proposal), "revision": row.revision, "run_id": row.run_id,
                "session_index": index, "verdict": reviews[proposal.id].verdict, "factor": was, "would_factor": would,
            }  # fmt: skip
            if insert_if_absent(session, LessonShadowRow, values):
                notes.append({name: values[name] for name in ("lesson_id", "case_id", "factor", "would_factor")})
    if notes:
        append(
            session,
            Entry(
                kind="lesson.shadowed", step=f"shadow:{brief.cycle_id}", run_id=brief.run_id, desk_time=brief.as_of,
                stage=Stage.REVIEW, content={"cycle": brief.cycle_id, "reviews": notes},
            ),
        )  # fmt: skip


def decay(store: Store, session: Session, run: RunRow, index: int, as_of: datetime) -> None:
    """Hold every promoted lesson against newer outcomes: confirm it, or let it fall back into shadow, where it does
    nothing and has to earn its place again; and raise a finding for a row that nobody may have written."""
    for item in standings(store, session, run.id):
        row = item.row
        if item.trouble is not None:
            raise_finding(
                session, run, code="tampered", severity="critical", component="learning", as_of=as_of,
                message=f"lesson {row.id}: {item.trouble}",
                recommendation="Halt, verify the ledger and compare the database with a backup.",
            )  # fmt: skip
        elif item.state == "promoted":
            why = _why_decayed(store, session, row, index, as_of)
            if why is not None:
                _fall_back(session, run, row, why, index, as_of)


def _why_decayed(store: Store, session: Session, row: LessonRow, index: int, as_of: datetime) -> str | None:
    """Why a promoted lesson no longer stands; None when it does. Twenty newer outcomes that agree confirm it anew."""
    newer = newer_of(store, session, row)
    if newer is not None and (newer.body.mean_excess_return or 0.0) >= 0:
        return f"the newer lesson {newer.id} of its scope contradicts it"
    since = max(row.since_index or 0, row.confirmed_index or 0)
    fresh = fresh_sample(session, row, col(OutcomeRow.due_index) > since, col(OutcomeRow.due_index) <= index)
    if fresh.size >= SHADOW_OUTCOMES and fresh.mean is not None:
        if fresh.mean >= 0:
            return f"{fresh.size} outcomes that settled since contradict it"
        row.confirmed_index = index
        session.add(row)
        append(
            session,
            Entry(
                kind=CONFIRMED, step=f"lesson:{row.id}:{row.revision}:{index}", run_id=row.run_id,
                desk_time=as_of, stage=Stage.LEARN,
                content={"lesson": row.id, "scope": row.scope, "n": fresh.size, "mean_excess_return": fresh.mean},
            ),
        )  # fmt: skip
        return None
    if index - since >= UNCONFIRMED_SESSIONS:
        return f"nothing confirmed it for {UNCONFIRMED_SESSIONS} sessions"
    return None


def _fall_back(session: Session, run: RunRow, row: LessonRow, why: str, index: int, as_of: datetime) -> None:
    move(session, row, "lesson.decayed", index=index, desk_time=as_of, content={"why": why})
    raise_finding(
        session, run, code="lesson_decayed", severity="warning", component="learning", as_of=as_of,
        message=f"The lesson {row.id} on {row.scope} went back into shadow: {why}.",
        recommendation="Read it: promote it again once its shadow bears it out, or retire it.",
    )  # fmt: skip
