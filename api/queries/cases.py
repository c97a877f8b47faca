"""Cases as the API shows them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Query
from sqlmodel import Session, col, select

from api.errors import not_found
from api.paging import Order, Page, select_page
from api.queries.book import fill_body, order_body
from api.queries.runs import RunQuery, run_filter
from api.schemas import CaseBody, CaseDetail, DecisionBody, HistoryBody, ProposalBody
from memory.columns import Damaged
from memory.tables import (
    ApprovalRow,
    CaseRow,
    DecisionRow,
    EvidenceRow,
    ExplanationRow,
    FillRow,
    LedgerRow,
    OrderRow,
    OutcomeRow,
)
from pipeline.overrides import override_of
from pipeline.store import Store
from tools.risk.measures.types import WhatIf
from tools.risk.types import Check
from tools.types import CaseState, Change, Evidence, Proposal, Review


class CaseQuery(RunQuery):
    """Filters of /cases; several states may be given."""

    state: Annotated[list[CaseState] | None, Query(description="one or several states")] = None
    symbol: Annotated[str | None, Query(max_length=10)] = None
    strategy: Annotated[str | None, Query(max_length=80)] = None
    cycle_id: Annotated[str | None, Query(max_length=80)] = None


def case_body(row: CaseRow, approval_id: str | None) -> CaseBody:
    """A case row with its proposal or its change opened up."""
    return CaseBody(
        id=row.id, run_id=row.run_id, cycle_id=row.cycle_id, strategy=row.strategy, symbol=row.symbol,
        side=row.side, kind=row.kind, state=CaseState(row.state), reason=row.reason, revision=row.revision,
        rank=row.rank, risk_effect=row.risk_effect, digest=row.digest, opened=row.opened,
        proposal=ProposalBody.model_validate(row.body.model_dump()) if isinstance(row.body, Proposal) else None,
        change=row.body if isinstance(row.body, Change) else None, damaged=isinstance(row.body, Damaged),
        review=Review.model_validate(row.review) if row.review else None,
        checks=None if row.checks is None else [Check.model_validate(check) for check in row.checks],
        approval_id=approval_id, updated=row.updated_wall,
    )  # fmt: skip


def approval_ids(session: Session, case_ids: list[str]) -> dict[str, str]:
    """Approval id by case id, for the cases that were asked."""
    found = session.exec(select(ApprovalRow.case_id, ApprovalRow.id).where(col(ApprovalRow.case_id).in_(case_ids)))
    return dict(found.all())


def list_cases(store: Store, query: CaseQuery) -> Page[CaseBody]:
    """Cases, the newest session first and in rank order within a session."""
    with store.db.read() as session:
        where = run_filter(session, query, CaseRow.run_id)
        if query.state:
            where.append(col(CaseRow.state).in_([state.value for state in query.state]))
        where += [
            col(getattr(CaseRow, name)) == value
            for name in ("symbol", "strategy", "cycle_id")
            if (value := getattr(query, name)) is not None
        ]
        found = select_page(
            session, CaseRow, query, where=where,
            order=(Order("opened_index", descending=True), Order("rank"), Order("id")),
        )  # fmt: skip
        asked = approval_ids(session, [row.id for row in found.rows])
        items = [case_body(row, asked.get(row.id)) for row in found.rows]
    return Page[CaseBody](items=items, next=found.next, total=found.total)


def get_case(store: Store, case_id: str) -> CaseDetail:
    """One case with its evidence, decisions, orders, fills, outcome and history; "not_found" for no such id."""
    with store.db.read() as session:
        row = session.get(CaseRow, case_id)
        if row is None:
            raise not_found("case", case_id)
        base = case_body(row, approval_ids(session, [case_id]).get(case_id))
        outcome = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == case_id)).first()
        orders = session.exec(select(OrderRow).where(OrderRow.case_id == case_id).order_by(col(OrderRow.created)))
        fills = session.exec(select(FillRow).where(FillRow.case_id == case_id).order_by(col(FillRow.at)))
        return CaseDetail(
            **base.model_dump(exclude={"proposal", "change"}),
            proposal=base.proposal,
            change=base.change,
            evidence=_evidence(session, row),
            decisions=_decisions(session, case_id),
            orders=[order_body(order) for order in orders],
            fills=[fill_body(fill) for fill in fills],
            outcome=outcome.body if outcome else None,
            history=_history(session, case_id),
            what_if=what_ifs(session, [case_id]).get(case_id),
            override=override_of(session, case_id),
        )


def _evidence(session: Session, row: CaseRow) -> list[Evidence]:
    """What the proposal cites first, then what the explanation adds, each once and in that order."""
    cited = [] if isinstance(row.body, Damaged) else list(row.body.evidence_ids)
    explanation = session.get(ExplanationRow, row.id)
    for claim in explanation.body.get("claims", []) if explanation else []:
        cited += claim.get("evidence_ids", [])
    ordered = list(dict.fromkeys(cited))
    found = {e.id: e.body for e in session.exec(select(EvidenceRow).where(col(EvidenceRow.id).in_(ordered)))}
    return [found[evidence_id] for evidence_id in ordered if evidence_id in found]


def what_ifs(session: Session, case_ids: list[str]) -> dict[str, WhatIf]:
    """By case, what its order would do to the book: the evidence that its explanation cites."""
    cited: dict[str, str] = {}
    for told in session.exec(select(ExplanationRow).where(col(ExplanationRow.case_id).in_(case_ids))):
        for claim in told.body.get("claims", []):
            if claim.get("kind") == "what_if":
                cited |= dict.fromkeys(claim.get("evidence_ids", []), told.case_id)
    rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.id).in_(list(cited)), EvidenceRow.kind == "what_if"))
    return {cited[row.id]: WhatIf.model_validate(row.body.payload) for row in rows}


def _decisions(session: Session, case_id: str) -> list[DecisionBody]:
    rows = session.exec(select(DecisionRow).where(DecisionRow.case_id == case_id).order_by(col(DecisionRow.id)))
    return [
        DecisionBody.model_validate(
            {"principal": row.principal, "decision": row.decision, "reason": row.reason, "at": row.decided_wall}
        )
        for row in rows
    ]


def _history(session: Session, case_id: str) -> list[HistoryBody]:
    rows = session.exec(select(LedgerRow).where(LedgerRow.case_id == case_id).order_by(col(LedgerRow.seq)))
    return [
        HistoryBody(seq=row.seq, kind=row.kind, at=row.envelope.get("at", row.desk_time), content=ledger_content(row))
        for row in rows
    ]


def ledger_content(row: LedgerRow) -> Any:
    """The hashed content of a record as JSON; a record that was damaged comes back as its text."""
    try:
        content = json.loads(row.content)
    except ValueError:
        return {"damaged": row.content}
    return content.get("body", content) if isinstance(content, dict) else content
