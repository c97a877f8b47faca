"""Our book against the broker's: the latest comparison, and what a person decides about each break."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlmodel import col, select

from api.dependencies import READ, Operator, RiskOfficer, StoreDep
from api.schemas import Body, CommandAccepted, Text
from memory.tables import BreakRow, ReconciliationRow
from pipeline import adoption
from pipeline.breaks import STANDING
from pipeline.commands import request_reconciliation
from pipeline.standing import acting_for
from pipeline.store import active_run
from tools.execution.reconciliation.types import Decision, Report

router = APIRouter(tags=["book"])
CLOSED_SHOWN = 20


class BreakBody(BaseModel):
    """One difference. `status`: open, explained, adopted, left, or closed when it went away; `remedy` is what to do."""

    id: str
    kind: str
    subject: str
    symbol: str | None
    status: str
    ours: str
    theirs: str
    message: str
    remedy: str
    opened: datetime
    principal: str | None
    reason: str | None
    case_id: str | None


class ReconciliationBody(BaseModel):
    """The latest comparison (null before the first), the breaks that stand, and those decided or closed last."""

    report: Report | None
    open: int
    breaks: tuple[BreakBody, ...]
    ended: tuple[BreakBody, ...]


class BreakRequest(Body):
    decision: Decision
    reason: Annotated[Text, Field(max_length=2000)]


def break_body(row: BreakRow) -> BreakBody:
    """A break as the API shows it."""
    said = row.body
    return BreakBody(
        **row.model_dump(include={"id", "kind", "subject", "symbol", "status", "principal", "reason", "case_id"}),
        ours=said.ours, theirs=said.theirs, message=said.message, remedy=said.remedy, opened=row.opened,
    )  # fmt: skip


@router.get("/reconciliation", dependencies=READ)
def get_reconciliation(store: StoreDep) -> ReconciliationBody:
    """Report when both books were compared last, what of them, and every break with what to do about it."""
    with store.db.read() as session:
        run = active_run(session)
        if run is None:
            return ReconciliationBody(report=None, open=0, breaks=(), ended=())
        row = session.get(ReconciliationRow, run.id)
        query = select(BreakRow).where(BreakRow.run_id == run.id)
        stands = col(BreakRow.status).in_(STANDING)
        order = (col(BreakRow.opened_wall).desc(), col(BreakRow.id))
        standing = session.exec(query.where(stands).order_by(*order)).all()
        ended = session.exec(query.where(~stands).order_by(*order).limit(CLOSED_SHOWN)).all()
    return ReconciliationBody(
        report=None if row is None else row.body, open=sum(item.status == "open" for item in standing),
        breaks=tuple(break_body(item) for item in standing), ended=tuple(break_body(item) for item in ended),
    )  # fmt: skip


@router.post("/reconciliation", status_code=202)
def post_reconciliation(store: StoreDep, who: Operator) -> CommandAccepted:
    """Ask the engine to compare both books now, all executions included."""
    row = request_reconciliation(acting_for(store, who, "operator"), who.principal())
    return CommandAccepted.model_validate({"command": row.id, "status": row.status})


@router.post("/breaks/{break_id}")
def post_break(store: StoreDep, who: RiskOfficer, break_id: str, body: BreakRequest) -> BreakBody:
    """Decide a break: explain it, adopt what the broker has into our book, or leave it at the broker.

    explain ends the block for these values; adopt changes our book and ends it; leave keeps what adds risk blocked in
    the symbol for as long as the difference is there.
    """
    row = adoption.decide(
        acting_for(store, who, "risk_officer"), break_id, body.decision, principal=who.principal(), reason=body.reason
    )
    return break_body(row)
