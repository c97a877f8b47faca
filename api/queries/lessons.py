"""Lessons: what was learnt, where each stands, and what it may become."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from sqlmodel import Session, col, select

from agents.learning.scopes import Scope
from api.errors import not_found
from api.lesson_schemas import LessonBody, LessonDetail, LessonMove
from api.paging import Order, Page, select_page
from api.queries.cases import approval_ids, ledger_content
from api.queries.runs import RunQuery, run_filter
from api.schemas import HistoryBody
from memory.tables import LessonRow, OutcomeRow, RunRow
from pipeline.changes import open_change
from pipeline.lesson_rules import KIND_OF, bar
from pipeline.lesson_state import history_of, shadow_result, standing_of
from pipeline.store import Store
from tools.types import LessonState

SHOWN_OUTCOMES = 50


class LessonQuery(RunQuery):
    """Filters of /lessons. `about` is a part of the scope, such as a strategy or `regime:falling`."""

    state: LessonState | None = None
    about: Annotated[str | None, Query(min_length=1, max_length=80)] = None


def list_lessons(store: Store, query: LessonQuery) -> Page[LessonBody]:
    """Lessons, newest first."""
    with store.db.read() as session:
        where = run_filter(session, query, LessonRow.run_id)
        if query.state is not None:
            where.append(col(LessonRow.state) == query.state)
        if query.about is not None:
            where.append(col(LessonRow.scope).contains(query.about, autoescape=True))
        order = (Order("as_of", descending=True), Order("id"))
        found = select_page(session, LessonRow, query, where=where, order=order)
        items = [LessonBody(**_values(session, row)) for row in found.rows]
    return Page[LessonBody](items=items, next=found.next, total=found.total)


def get_lesson(store: Store, lesson_id: str) -> LessonDetail:
    """One lesson with its shadow, evidence, history and possible moves; "not_found" for no such id."""
    with store.db.read() as session:
        row = session.get(LessonRow, lesson_id)
        if row is None:
            raise not_found("lesson", lesson_id)
        run = session.get_one(RunRow, row.run_id)
        cited = session.exec(
            select(OutcomeRow)
            .where(col(OutcomeRow.id).in_(row.body.evidence_ids))
            .order_by(col(OutcomeRow.opened_index).desc(), col(OutcomeRow.id))
            .limit(SHOWN_OUTCOMES)
        ).all()
        return LessonDetail(
            **_values(session, row), shadow=shadow_result(session, row), outcomes=[item.body for item in cited],
            history=[
                HistoryBody(
                    seq=item.seq, kind=item.kind, at=item.envelope.get("at", item.desk_time),
                    content=ledger_content(item),
                )
                for item in history_of(session, row.run_id, row.id)
            ],
            next=[
                LessonMove(to=to, refused=bar(store, session, run, row, to) if run.active else "its run is over")
                for to in KIND_OF
            ],
            trouble=standing_of(store, session, row).trouble,
        )  # fmt: skip


def _values(session: Session, row: LessonRow) -> dict[str, Any]:
    run = session.get_one(RunRow, row.run_id)
    pending = open_change(session, run, row.id)
    scope = Scope.parse(row.scope)
    return {
        **row.body.model_dump(), "state": row.state, "about": scope.words if scope else row.scope,
        "moves": row.revision, "since_index": row.since_index, "confirmed_index": row.confirmed_index,
        "pending_case": pending.id if pending else None,
        "pending_approval": approval_ids(session, [pending.id]).get(pending.id) if pending else None,
    }  # fmt: skip
