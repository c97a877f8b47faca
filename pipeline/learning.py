"""Learning at a close: settled views go to the learning agent, and what it writes is kept quarantined."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sqlmodel import Session, col, select

from agents.learning.node import learn
from agents.opinion import LearningBrief, Written
from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.recordings import record
from memory.tables import CaseRow, DecisionRow, LessonRow, OutcomeRow, RunRow
from pipeline.desk import Desk
from pipeline.lesson_state import WRITTEN
from pipeline.lesson_use import decay
from pipeline.model_view import raise_fallbacks
from pipeline.settled import describe, settled_views
from pipeline.work import CycleWork, regime_at
from tools.types import Lesson

CALL = "learning.learn_from_views"


async def learn_from(desk: Desk, work: CycleWork) -> int:
    """Let the learning agent write of every scope that is due, and let promoted lessons decay; how many are new."""
    brief = await asyncio.to_thread(_brief, desk, work)
    lessons = await learn(brief, desk.agent_context(work.cycle_id))
    return await asyncio.to_thread(_keep, desk, work, brief, lessons)


def _brief(desk: Desk, work: CycleWork) -> LearningBrief:
    _describe_earlier(desk)
    with desk.db.read() as session:
        views = settled_views(session, OutcomeRow.run_id == desk.run_id)
        written = session.exec(
            select(LessonRow).where(LessonRow.run_id == desk.run_id).order_by(col(LessonRow.as_of))
        ).all()
        said = session.exec(
            select(OutcomeRow.id, DecisionRow.reason)
            .join(DecisionRow, col(DecisionRow.case_id) == col(OutcomeRow.case_id))
            .where(
                OutcomeRow.run_id == desk.run_id, col(OutcomeRow.refused_for).is_not(None),
                DecisionRow.decision == "reject",
            )
            .order_by(col(DecisionRow.id))
        ).all()  # fmt: skip
    return LearningBrief(
        run_id=desk.run_id, cycle_id=work.cycle_id, as_of=work.tick.as_of, views=views, said=dict(said),
        written={row.scope: Written(size=row.body.sample_size, blocks=row.body.blocks or 0) for row in written},
    )  # fmt: skip


def _describe_earlier(desk: Desk) -> None:
    """Describe outcomes that an earlier version of the desk settled."""
    undescribed = select(OutcomeRow.id).where(
        OutcomeRow.run_id == desk.run_id, OutcomeRow.settled, col(OutcomeRow.kind).is_(None)
    )
    with desk.db.read() as session:
        if session.exec(undescribed.limit(1)).first() is None:
            return
    with desk.db.write() as session:
        for outcome_id in session.exec(undescribed).all():
            row = session.get_one(OutcomeRow, outcome_id)
            case = session.get_one(CaseRow, row.case_id)
            describe(session, row, case, row.body, regime_at(desk.market, row.opened_index))
            session.add(row)


def _keep(desk: Desk, work: CycleWork, brief: LearningBrief, lessons: Iterable[Lesson]) -> int:
    with desk.db.write() as session:
        kept = [lesson for lesson in lessons if keep_lesson(session, desk.run_id, lesson)]
        run = session.get_one(RunRow, desk.run_id)
        if kept:
            record(
                session, run_id=desk.run_id, cycle_id=work.cycle_id, kind="agent", call=CALL, request=brief,
                response=kept,
            )  # fmt: skip
            raise_fallbacks(session, run, work.cycle_id, work.tick.as_of)
        decay(desk.store, session, run, work.index, work.tick.as_of)
    return len(kept)


def keep_lesson(session: Session, run_id: str, lesson: Lesson) -> bool:
    """Keep a lesson quarantined and record it, in the caller's transaction; False when it is known."""
    values = {
        "id": lesson.id, "run_id": run_id, "state": "quarantined", "scope": lesson.scope, "as_of": lesson.as_of,
        "body": lesson,
    }  # fmt: skip
    if not insert_if_absent(session, LessonRow, values):
        return False
    append(
        session,
        Entry(
            kind=WRITTEN, step=f"lesson:{lesson.id}", run_id=run_id, desk_time=lesson.as_of, stage=Stage.LEARN,
            content=lesson.model_dump(mode="json"),
        ),
    )  # fmt: skip
    return True
