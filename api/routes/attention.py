"""Who looked at what, and how people answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import require
from api.dependencies import StoreDep
from api.schemas import Body
from pipeline.attention import MAX_VIEW_S, Measures, read_measures, record_view
from pipeline.people import Identity

router = APIRouter(tags=["attention"])


class ViewRequest(Body):
    """One look at a question: 0 seconds on opening it, then the seconds since the last report."""

    seconds: Annotated[float, Field(ge=0, le=MAX_VIEW_S, allow_inf_nan=False)]
    evidence_opened: bool = False


class ViewBody(BaseModel):
    """What this person has seen of the question so far; `seconds` is what was credited."""

    approval_id: str
    principal: str
    views: int
    seconds: float
    evidence_opened: bool
    first: datetime
    last: datetime


class MeasuresAnswer(BaseModel):
    """How each person answers, over the last 30 days."""

    items: list[Measures]


@router.post("/approvals/{approval_id}/views")
def post_view(
    store: StoreDep, who: Annotated[Identity, Depends(require("viewer"))], approval_id: str, body: ViewRequest
) -> ViewBody:
    """Say that you look at a question. Time is credited only as far as the clock allows."""
    row = record_view(store, approval_id, who.principal(), body.seconds, body.evidence_opened)
    return ViewBody(
        **row.model_dump(include={"approval_id", "principal", "views", "seconds", "evidence_opened"}),
        first=row.first_wall, last=row.last_wall,
    )  # fmt: skip


@router.get("/attention", dependencies=[Depends(require("approver", "read"))])
def list_measures(
    store: StoreDep, run: Annotated[str | None, Query(max_length=80, description="a run id; default: all")] = None
) -> MeasuresAnswer:
    """Show approve rate, times, and planted cases per person, and what is beyond its threshold."""
    with store.db.read() as session:
        return MeasuresAnswer(items=list(read_measures(session, run_id=run)))
