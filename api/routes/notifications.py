"""Who is told, what was told to the outside, and a test of every channel."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlmodel import col

from api.auth import require
from api.dependencies import StoreDep
from api.paging import Order, Page, PageQuery, select_page
from memory.tables import NotificationRow
from pipeline.notify import targets
from pipeline.notify.targets import Target, Webhook
from pipeline.notify.trial import Trial, send_trial

router = APIRouter(prefix="/notifications", tags=["notifications"])


class NotificationQuery(PageQuery):
    """Filters of /notifications."""

    status: Annotated[Literal["pending", "sent", "given_up"] | None, Query()] = None
    target: Annotated[str | None, Query(max_length=40)] = None
    event: Annotated[str | None, Query(max_length=40)] = None


class NotificationBody(BaseModel):
    """One message to one target; `id` is the delivery id that the receiver sees."""

    id: str
    event: str
    subject_id: str
    target: str
    status: Literal["pending", "sent", "given_up"]
    attempts: int
    last_error: str | None
    next_attempt: datetime | None
    created: datetime
    closed: datetime | None


class TargetBody(BaseModel):
    """One target in force, without what could be a secret; `address` is a host name."""

    name: str
    channel: Literal["webhook", "email"]
    address: str
    events: list[str]


class TargetsAnswer(BaseModel):
    """Every target in force; none without config/notifications.yaml."""

    items: list[TargetBody]

    @classmethod
    def of(cls, known: Iterable[Target]) -> TargetsAnswer:
        return cls(items=[_target(target) for target in known])


class TrialAnswer(BaseModel):
    """How the test of every target ended."""

    items: list[Trial]


@router.get("", dependencies=[Depends(require("approver", "read"))])
def list_notifications(store: StoreDep, query: Annotated[NotificationQuery, Query()]) -> Page[NotificationBody]:
    """List the outbox, newest first. What was said in a message is not shown here."""
    where = [
        col(getattr(NotificationRow, name)) == value
        for name, value in (("status", query.status), ("target", query.target), ("event", query.event))
        if value is not None
    ]
    with store.db.read() as session:
        order = (Order("created_wall", descending=True), Order("id"))
        found = select_page(session, NotificationRow, query, where=where, order=order)
    return Page[NotificationBody](items=[_body(row) for row in found.rows], next=found.next, total=found.total)


@router.get("/targets", dependencies=[Depends(require("approver", "read"))])
def list_targets(store: StoreDep) -> TargetsAnswer:
    """List who is told of what: the targets in force."""
    with store.db.read() as session:
        return TargetsAnswer.of(targets.in_force(session))


@router.post("/test", dependencies=[Depends(require("admin"))])
async def post_test(store: StoreDep) -> TrialAnswer:
    """Send a test to every target of the file, put in force first if it changed."""
    return TrialAnswer(items=list(await send_trial(store)))


def _target(target: Target) -> TargetBody:
    events: list[str] = list(target.events)
    if isinstance(target, Webhook):
        host = urlsplit(target.url).hostname or ""
        return TargetBody(name=target.name, channel="webhook", address=host, events=events)
    return TargetBody(name=target.name, channel="email", address=target.host, events=events)


def _body(row: NotificationRow) -> NotificationBody:
    return NotificationBody.model_validate(
        {
            **row.model_dump(include={"id", "event", "subject_id", "target", "status", "attempts", "last_error"}),
            "next_attempt": row.next_attempt_wall if row.status == "pending" else None,
            "created": row.created_wall,
            "closed": row.closed_wall,
        }
    )
