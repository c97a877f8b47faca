"""The approval queue and the explanations bound to it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from sqlmodel import Session, col, func, select

from api.errors import not_found
from api.paging import Order, Page, select_page
from api.queries.cases import case_body
from api.queries.runs import RunQuery, run_filter
from api.schemas import ApprovalBody, BandBody, BoundExplanation
from memory.tables import ApprovalRow, CaseRow, DecisionRow, ExplanationRow, RunRow
from pipeline.store import Store


class ApprovalQuery(RunQuery):
    """Filters of /approvals; by default what waits for a person now."""

    status: Annotated[Literal["pending", "all"], Query()] = "pending"


def list_approvals(store: Store, query: ApprovalQuery) -> Page[ApprovalBody]:
    """Approvals, the newest session first and in rank order of their cases within it."""
    with store.db.read() as session:
        where = run_filter(session, query, ApprovalRow.run_id)
        if query.status == "pending":
            where.append(col(ApprovalRow.status) == "pending")
        order = (Order("asked_index", descending=True), Order("asked_wall"), Order("id"))
        found = select_page(session, ApprovalRow, query, where=where, order=order)
        items = _bodies(session, found.rows)
    return Page[ApprovalBody](items=items, next=found.next, total=found.total)


def get_approval(store: Store, approval_id: str) -> ApprovalBody:
    """One approval; "not_found" for no such id."""
    with store.db.read() as session:
        row = session.get(ApprovalRow, approval_id)
        if row is None:
            raise not_found("approval", approval_id)
        return _bodies(session, [row])[0]


def get_explanation(store: Store, case_id: str) -> ExplanationRow:
    """The bound explanation of a case; "not_found" when it has none."""
    with store.db.read() as session:
        row = session.get(ExplanationRow, case_id)
    if row is None:
        raise not_found("explained case", case_id)
    return row


def _bodies(session: Session, rows: list[ApprovalRow]) -> list[ApprovalBody]:
    case_ids = [row.case_id for row in rows]
    cases = {c.id: c for c in session.exec(select(CaseRow).where(col(CaseRow.id).in_(case_ids)))}
    told = {e.case_id: e for e in session.exec(select(ExplanationRow).where(col(ExplanationRow.case_id).in_(case_ids)))}
    runs = {r.id: r for r in session.exec(select(RunRow).where(col(RunRow.id).in_({row.run_id for row in rows})))}
    counts = session.exec(
        select(DecisionRow.approval_id, func.count())
        .where(col(DecisionRow.approval_id).in_([row.id for row in rows]), DecisionRow.decision == "approve")
        .group_by(col(DecisionRow.approval_id))
    )
    given = dict(counts.all())
    return [
        _body(row, cases[row.case_id], told.get(row.case_id), runs.get(row.run_id), given.get(row.id, 0))
        for row in rows
        if row.case_id in cases
    ]


def _body(row: ApprovalRow, case: CaseRow, told: ExplanationRow | None, run: RunRow | None, given: int) -> ApprovalBody:
    left = max(0, row.expires_index - run.session_index) if run and row.status == "pending" else 0
    prose = str(told.body.get("prose", "")) if told else ""
    return ApprovalBody.model_validate(
        {
            "id": row.id, "case_id": row.case_id, "status": row.status, "digest": row.digest,
            "required": row.required, "given": given, "roles": row.roles, "rule": row.rule,
            "policy_version": row.policy_version, "expires": row.expires, "sessions_left": left,
            "asked": row.asked_wall, "band": BandBody(low=row.band_low, high=row.band_high),
            "case": case_body(case, row.id),
            "explanation": BoundExplanation(prose=prose, sha256=told.sha256) if told else None,
        }
    )  # fmt: skip
