"""Findings: what monitoring and the controls noticed, and what people did with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from api.dependencies import READ, Operator, StoreDep
from api.paging import Page
from api.queries import findings as queries
from api.schemas import Body, FindingBody, FindingDetail, Text
from memory.tables import FindingRow
from pipeline import finding_answers
from pipeline.standing import acting_for
from pipeline.store import Store, now

router = APIRouter(prefix="/findings", tags=["findings"])

Reason = Annotated[Text, Field(max_length=2000)]


class AcknowledgeRequest(Body):
    reason: Reason


class SilenceRequest(Body):
    """One end: an instant, or a number of sessions of the finding's run."""

    reason: Reason
    until: AwareDatetime | None = None
    sessions: Annotated[int, Field(ge=1, le=1000)] | None = None


@router.get("", dependencies=READ)
def list_findings(store: StoreDep, query: Annotated[queries.FindingQuery, Query()]) -> Page[FindingBody]:
    """List findings, last seen first. A finding that stands is one, however often it was seen."""
    return queries.list_findings(store, query)


@router.get("/{finding_id}", dependencies=READ)
def get_finding(store: StoreDep, finding_id: str) -> FindingDetail:
    """Show one finding with the evidence it cites."""
    return queries.get_finding(store, finding_id)


@router.post("/{finding_id}/acknowledge")
def post_acknowledge(store: StoreDep, who: Operator, finding_id: str, body: AcknowledgeRequest) -> FindingBody:
    """Say that somebody has seen to a finding; one that was critical needs an approver."""
    row = finding_answers.acknowledge(
        acting_for(store, who, "operator"), finding_id, principal=who.principal(), reason=body.reason
    )  # fmt: skip
    return _body(store, row)


@router.post("/{finding_id}/silence")
def post_silence(store: StoreDep, who: Operator, finding_id: str, body: SilenceRequest) -> FindingBody:
    """Silence a finding until an end that its severity allows; getting worse breaks the silence."""
    row = finding_answers.silence(
        acting_for(store, who, "operator"), finding_id, principal=who.principal(), reason=body.reason,
        until=body.until, sessions=body.sessions,
    )  # fmt: skip
    return _body(store, row)


def _body(store: Store, row: FindingRow) -> FindingBody:
    with store.db.read() as session:
        return queries.finding_body(session, row, now())
