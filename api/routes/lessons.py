"""Lessons: read them, and propose that one is tried in shadow, promoted or retired."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api.dependencies import READ, Operator, StoreDep
from api.lesson_schemas import LessonBody, LessonDetail
from api.paging import Page
from api.queries import lessons as queries
from api.schemas import Body, Text
from pipeline.changes import Proposed
from pipeline.lessons import propose

router = APIRouter(prefix="/lessons", tags=["learning"])


class LessonChangeRequest(Body):
    """Where a lesson is to go, and why."""

    to: Literal["shadow", "promoted", "retired"]
    reason: Annotated[Text, Field(max_length=2000)]


@router.get("", dependencies=READ)
def list_lessons(store: StoreDep, query: Annotated[queries.LessonQuery, Query()]) -> Page[LessonBody]:
    """List lessons, newest first; only promoted ones enter a brief."""
    return queries.list_lessons(store, query)


@router.get("/{lesson_id}", dependencies=READ)
def get_lesson(store: StoreDep, lesson_id: str) -> LessonDetail:
    """Show one lesson with its time in shadow, its outcomes, its history and what it may become."""
    return queries.get_lesson(store, lesson_id)


@router.post("/{lesson_id}/changes", status_code=201)
def post_lesson_change(store: StoreDep, who: Operator, lesson_id: str, body: LessonChangeRequest) -> Proposed:
    """Open a case that moves a lesson; 422 `invalid` says why it may not, 409 `exists` while one is open."""
    return propose(store, lesson_id, body.to, principal=who.principal(), reason=body.reason)
