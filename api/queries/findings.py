"""Findings as the API shows them: where each stands, and how long it may be silenced."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col

from api.errors import not_found
from api.paging import Order, Page, select_page
from api.queries.runs import RunQuery, run_filter
from api.schemas import FindingBody, FindingDetail
from memory import evidence as evidence_store
from memory.tables import FindingRow, RunRow
from pipeline.finding_answers import SILENCE, FindingState, state_of
from pipeline.findings import silenced, still_open, worst_of
from pipeline.store import Store, now
from prompts.runbooks import runbook_for
from tools.types import Severity


class FindingQuery(RunQuery):
    """Filters of /findings."""

    state: FindingState | None = None
    severity: Severity | None = None
    code: Annotated[str | None, Query(max_length=80)] = None


def finding_body(session: Session, row: FindingRow, at: datetime) -> FindingBody:
    """One finding with its life so far."""
    run = session.get(RunRow, row.run_id) if row.run_id else None
    longest = SILENCE[worst_of(row)]
    left = None
    if run is not None and (row.silenced_until_index or 0) > run.session_index:
        left = (row.silenced_until_index or 0) - run.session_index
    return FindingBody(
        **row.body.model_dump(), run_id=row.run_id, state=state_of(row, run, at), worst=worst_of(row),
        first_as_of=row.first_as_of or row.as_of, times_seen=row.times_seen, cleared_as_of=row.cleared_as_of,
        acknowledged_by=row.acknowledged_by, acknowledged_reason=row.acknowledged_reason,
        acknowledged_at=row.acknowledged_wall, silenced_by=row.silenced_by, silenced_reason=row.silenced_reason,
        silenced_until=row.silenced_until_wall, silenced_sessions=left, longest_silence_hours=longest.hours,
        longest_silence_sessions=longest.sessions if run is not None else 0,
        runbook=book.id if (book := runbook_for(row.code)) else None,
    )  # fmt: skip


def get_finding(store: Store, finding_id: str) -> FindingDetail:
    """One finding with its evidence as it was last cited; RequestError not_found."""
    with store.db.read() as session:
        row = session.get(FindingRow, finding_id)
        if row is None:
            raise not_found("finding", finding_id)
        cited = evidence_store.read(session, row.body.evidence_ids, row.as_of)
        return FindingDetail(**finding_body(session, row, now()).model_dump(), evidence=list(cited))


def list_findings(store: Store, query: FindingQuery) -> Page[FindingBody]:
    """Findings, last seen first."""
    at = now()
    with store.db.read() as session:
        where = run_filter(session, query, FindingRow.run_id, or_none=True)
        if query.severity is not None:
            where.append(col(FindingRow.severity) == query.severity)
        if query.code is not None:
            where.append(col(FindingRow.code) == query.code)
        if query.state is not None:
            where.append(_in_state(query.state, at))
        order = (Order("as_of", descending=True), Order("id"))
        found = select_page(session, FindingRow, query, where=where, order=order)
        items = [finding_body(session, row, at) for row in found.rows]
    return Page[FindingBody](items=items, next=found.next, total=found.total)


def _in_state(state: FindingState, at: datetime) -> ColumnElement[bool]:
    stands = col(FindingRow.cleared_as_of).is_(None)
    match state:
        case "cleared":
            return ~stands
        case "silenced":
            return and_(stands, silenced(at))
        case "acknowledged":
            return and_(stands, ~silenced(at), col(FindingRow.acknowledged_by).is_not(None))
        case "open":
            return still_open(at)
