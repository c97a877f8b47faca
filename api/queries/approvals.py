"""The approval queue and the explanations bound to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import Query
from sqlmodel import Session, col, select

from api.errors import not_found
from api.paging import Order, Page, select_page
from api.queries.cases import case_body, what_ifs
from api.queries.runs import RunQuery, run_filter
from api.queue_schemas import ApprovalBody, QuestionBody, SignatureBody
from api.schemas import BandBody, BoundExplanation
from memory.tables import ApprovalRow, CaseRow, DecisionRow, ExplanationRow, RunRow
from pipeline.authority import distinct
from pipeline.permissions import why_not
from pipeline.questions import questions_of
from pipeline.store import Principal, Store
from tools.risk.measures.types import WhatIf
from tools.types import ORDER_KINDS


class ApprovalQuery(RunQuery):
    """Filters of /approvals; by default what waits for a person now."""

    status: Annotated[Literal["pending", "all"], Query()] = "pending"


def list_approvals(store: Store, query: ApprovalQuery, who: Principal) -> Page[ApprovalBody]:
    """Approvals, the newest session first and in rank order of their cases within it."""
    with store.db.read() as session:
        where = run_filter(session, query, ApprovalRow.run_id)
        if query.status == "pending":
            where.append(col(ApprovalRow.status) == "pending")
        order = (Order("asked_index", descending=True), Order("asked_wall"), Order("id"))
        found = select_page(session, ApprovalRow, query, where=where, order=order)
        items = _bodies(store, session, found.rows, who)
    return Page[ApprovalBody](items=items, next=found.next, total=found.total)


def get_approval(store: Store, approval_id: str, who: Principal) -> ApprovalBody:
    """One approval; "not_found" for no such id."""
    with store.db.read() as session:
        row = session.get(ApprovalRow, approval_id)
        if row is None:
            raise not_found("approval", approval_id)
        return _bodies(store, session, [row], who)[0]


def get_explanation(store: Store, case_id: str) -> ExplanationRow:
    """The bound explanation of a case; "not_found" when it has none."""
    with store.db.read() as session:
        row = session.get(ExplanationRow, case_id)
    if row is None:
        raise not_found("explained case", case_id)
    return row


def _bodies(store: Store, session: Session, rows: list[ApprovalRow], who: Principal) -> list[ApprovalBody]:
    case_ids = [row.case_id for row in rows]
    cases = {c.id: c for c in session.exec(select(CaseRow).where(col(CaseRow.id).in_(case_ids)))}
    told = {e.case_id: e for e in session.exec(select(ExplanationRow).where(col(ExplanationRow.case_id).in_(case_ids)))}
    runs = {r.id: r for r in session.exec(select(RunRow).where(col(RunRow.id).in_({row.run_id for row in rows})))}
    ids = [row.id for row in rows]
    said = session.exec(select(DecisionRow).where(col(DecisionRow.approval_id).in_(ids)).order_by(col(DecisionRow.id)))
    effects = what_ifs(session, case_ids)
    answers: dict[str, list[DecisionRow]] = {}
    for answer in said:
        answers.setdefault(answer.approval_id, []).append(answer)
    return [
        _body(
            store,
            session,
            row,
            cases[row.case_id],
            told.get(row.case_id),
            runs[row.run_id],
            answers.get(row.id, []),
            who,
            effects.get(row.case_id),
        )
        for row in rows
        if row.case_id in cases and row.run_id in runs
    ]


def _body(
    store: Store,
    session: Session,
    row: ApprovalRow,
    case: CaseRow,
    told: ExplanationRow | None,
    run: RunRow,
    answers: list[DecisionRow],
    who: Principal,
    effect: WhatIf | None,
) -> ApprovalBody:
    is_order = case.kind in ORDER_KINDS
    left = max(0, row.expires_index - run.session_index) if row.status == "pending" else 0
    prose = str(told.body.get("prose", "")) if told else ""
    current = [answer for answer in answers if answer.digest == row.digest]
    given = distinct(answer for answer in current if answer.decision == "approve")
    refusal = why_not(store, session, row, case, run, who) if row.status == "pending" else None
    mine = next((answer for answer in current if answer.principal == who.name), None)
    signed = [
        SignatureBody(principal=a.principal, decision=a.decision, at=a.decided_wall, on_behalf_of=a.on_behalf_of)
        for a in current
    ]
    return ApprovalBody(
        id=row.id, case_id=row.case_id, status=cast(Any, row.status), digest=row.digest,
        required=row.required, given=given, roles=row.roles, rule=row.rule, policy_version=row.policy_version,
        expires=row.expires, sessions_left=left if is_order else None, asked=row.asked_wall,
        band=BandBody(low=row.band_low, high=row.band_high) if is_order else None,
        case=case_body(case, row.id), explanation=BoundExplanation(prose=prose, sha256=told.sha256) if told else None,
        tier=row.tier, disposition=row.disposition, facts=row.facts, expires_wall=row.expires_wall,
        not_before=row.not_before_wall, warned=row.warned, escalation_level=row.escalation_level,
        acknowledged_by=row.acknowledged_by, evidence_required=row.evidence_required, separate=row.separate,
        edited_by=row.edited_by, missing=max(0, row.required - given) if row.status == "pending" else 0,
        signed=signed,
        may_sign=refusal is None and mine is None,
        may_not_because=refusal or (f"you said {mine.decision} before" if mine else None),
        questions=[
            QuestionBody(principal=q.principal, question=q.question, answer=q.answer, at=q.asked_wall)
            for q in questions_of(session, row.id)
        ],
        what_if=effect,
    )  # fmt: skip
