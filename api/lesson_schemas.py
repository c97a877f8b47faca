"""Lessons as the API shows them."""

from __future__ import annotations

from pydantic import BaseModel

from api.schemas import HistoryBody
from pipeline.lesson_state import ShadowResult
from tools.types import Lesson, LessonState, Outcome


class LessonBody(Lesson):
    """A lesson as it was written, in the state it is in now. `about` is its scope in words; `moves` rises with every
    move; `pending_*` is the open question about it."""

    about: str
    moves: int
    since_index: int | None
    confirmed_index: int | None
    pending_case: str | None
    pending_approval: str | None


class LessonMove(BaseModel):
    """A state that a lesson could be proposed for; `refused` says why it may not, None that it may."""

    to: LessonState
    refused: str | None


class LessonDetail(LessonBody):
    """A lesson with its time in shadow, the newest outcomes it rests on, and all that happened to it.

    `trouble` is what is wrong with its row, held against the ledger; None when nothing is.
    """

    shadow: ShadowResult | None
    outcomes: list[Outcome]
    history: list[HistoryBody]
    next: list[LessonMove]
    trouble: str | None
