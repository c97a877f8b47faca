"""What a report of one case says, read from the tables and the ledger. Nothing in it depends on when it is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel
from sqlmodel import Session, col, select

from agents.explanation.output import Explanation
from api.queries.cases import get_case
from api.schemas import CaseDetail
from memory.tables import (
    ApprovalRow,
    CaseRow,
    DecisionRow,
    EditRow,
    ExplanationRow,
    GrantRow,
    LedgerRow,
    QuestionRow,
    RecordingRow,
    RunRow,
    ViewRow,
)
from pipeline import grants
from pipeline.decision_replay import replay_decision
from pipeline.store import Store
from tools.errors import LedgerError, QuarterdeckError
from tools.types import Evidence

Audience = Literal["operator", "regulator"]


class Answered(BaseModel):
    """One person's answer, and how long they had looked before it."""

    principal: str
    decision: str
    at: datetime
    reason_code: str | None
    reason: str
    digest: str
    seconds_viewed: float | None
    evidence_opened: bool


class Asked(BaseModel):
    """The question as it stood, and what it was bound to."""

    approval_id: str
    status: str
    rule: str
    tier: str
    required: int
    roles: list[str]
    policy_version: str
    policy_sha256: str
    limits_sha256: str
    explanation_sha256: str
    data_sha256: str
    portfolio_sha256: str
    asked: datetime
    decided: datetime | None
    expires: str
    edits: list[dict[str, Any]]
    questions: list[dict[str, Any]]


class Granted(BaseModel):
    """The signed permission."""

    id: str
    status: str
    genuine: bool
    minted: datetime
    consumed: datetime | None
    quantity_budget: int
    quantity_used: int


class DataAge(BaseModel):
    """How old a piece of evidence was when the case was proposed."""

    evidence_id: str
    kind: str
    source: str
    known_at: datetime
    age_hours: float
    taint: bool
    sha256: str


class ModelCall(BaseModel):
    """One call of a model in the cycle or for the case."""

    call: str
    attempt: int
    model: str | None
    prompt: str | None
    prompt_version: str | None
    prompt_sha256: str | None
    input_tokens: int | None
    output_tokens: int | None
    usable: bool
    answer_sha256: str


class Record(BaseModel):
    """One ledger record of the case."""

    seq: int
    kind: str
    at: datetime
    hash: str


class CaseReport(BaseModel):
    """Everything about one case. `reproduced` is None when its recordings cannot be read; `trouble` then says why."""

    case: CaseDetail
    run_id: str
    run_label: str
    mode: str
    seed: int
    explanation: Explanation | None
    explanation_sha256: str | None
    why: list[str]
    asked: Asked | None
    answers: list[Answered]
    grant: Granted | None
    data: list[DataAge]
    models: list[ModelCall]
    records: list[Record]
    reproduced: bool | None
    trouble: str | None


def case_report(store: Store, case_id: str) -> CaseReport:
    """Gather the report; "not_found" for no such case."""
    detail = get_case(store, case_id)
    reproduced, trouble = _reproduced(store, case_id)
    with store.db.read() as session:
        case = session.get_one(CaseRow, case_id)
        run = session.get_one(RunRow, case.run_id)
        told = session.get(ExplanationRow, case_id)
        approval = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).first()
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == case_id)).first()
        return CaseReport(
            case=detail, run_id=run.id, run_label=str(run.config.get("label", "")), mode=run.mode, seed=run.seed,
            explanation=Explanation.model_validate(told.body) if told else None,
            explanation_sha256=told.sha256 if told else None, why=_why(session, case),
            asked=_asked(session, approval) if approval else None,
            answers=_answers(session, approval) if approval else [],
            grant=_grant(store, grant) if grant else None,
            data=[_age(item, case.as_of) for item in detail.evidence], models=_models(session, case),
            records=_records(session, case_id), reproduced=reproduced, trouble=trouble,
        )  # fmt: skip


def _reproduced(store: Store, case_id: str) -> tuple[bool | None, str | None]:
    try:
        return replay_decision(store, case_id).identical, None
    except LedgerError as error:
        return None, error.message
    except QuarterdeckError as error:
        return None, f"{error.message} [{error.code}]"


def _why(session: Session, case: CaseRow) -> list[str]:
    """Why the case stands where it stands, in sentences; for what was not selected, who took the places."""
    said = [f"The case is {case.state}" + (f": {case.reason}." if case.reason else ".")]
    if case.state != "not_selected":
        return said
    rivals = session.exec(
        select(CaseRow)
        .where(
            CaseRow.cycle_id == case.cycle_id, CaseRow.rank < case.rank, CaseRow.risk_effect != "reduces",
            CaseRow.state != "not_selected",
        )
        .order_by(col(CaseRow.rank))
    ).all()  # fmt: skip
    if case.reason in ("capacity", "people_busy"):
        names = ", ".join(f"{rival.symbol} (rank {rival.rank + 1})" for rival in rivals) or "nothing"
        said.append(f"It ranked {case.rank + 1} in its session; the places that people have went to {names}.")
    return said


def _asked(session: Session, row: ApprovalRow) -> Asked:
    edits = session.exec(select(EditRow).where(EditRow.approval_id == row.id).order_by(col(EditRow.id)))
    questions = session.exec(
        select(QuestionRow).where(QuestionRow.approval_id == row.id).order_by(col(QuestionRow.number))
    )
    return Asked(
        approval_id=row.id, status=row.status, rule=row.rule, tier=row.tier, required=row.required, roles=row.roles,
        policy_version=row.policy_version, policy_sha256=row.policy_sha256, limits_sha256=row.limits_sha256,
        explanation_sha256=row.explanation_hash, data_sha256=row.data_sha256, portfolio_sha256=row.portfolio_hash,
        asked=row.asked_wall, decided=row.decided_wall, expires=row.expires.isoformat(),
        edits=[
            {
                "principal": e.principal, "from": e.old_digest, "to": e.new_digest, "reason_code": e.reason_code,
                "reason": e.reason, "at": e.edited_wall,
            }
            for e in edits
        ],
        questions=[
            {"principal": q.principal, "question": q.question, "answer": q.answer, "at": q.asked_wall}
            for q in questions
        ],
    )  # fmt: skip


def _answers(session: Session, row: ApprovalRow) -> list[Answered]:
    views = {view.principal: view for view in session.exec(select(ViewRow).where(ViewRow.approval_id == row.id))}
    rows = session.exec(select(DecisionRow).where(DecisionRow.approval_id == row.id).order_by(col(DecisionRow.id)))
    return [
        Answered(
            principal=said.principal, decision=said.decision, at=said.decided_wall, reason_code=said.reason_code,
            reason=said.reason, digest=said.digest,
            seconds_viewed=view.seconds if (view := views.get(said.principal)) else None,
            evidence_opened=bool(view and view.evidence_opened),
        )
        for said in rows
    ]  # fmt: skip


def _grant(store: Store, row: GrantRow) -> Granted:
    return Granted(
        id=row.id, status=row.status, genuine=grants.is_genuine(store, row), minted=row.minted_wall,
        consumed=row.consumed_wall, quantity_budget=row.quantity_budget, quantity_used=row.quantity_used,
    )  # fmt: skip


def _age(item: Evidence, as_of: datetime) -> DataAge:
    return DataAge(
        evidence_id=item.id, kind=item.kind, source=item.source, known_at=item.known_at, taint=item.taint,
        age_hours=round((as_of - item.known_at).total_seconds() / 3600, 2), sha256=item.sha256,
    )  # fmt: skip


def _models(session: Session, case: CaseRow) -> list[ModelCall]:
    rows = session.exec(
        select(RecordingRow)
        .where(RecordingRow.cycle_id == case.cycle_id, RecordingRow.kind == "model")
        .order_by(col(RecordingRow.id))
    )
    return [
        ModelCall(
            call=row.call, attempt=row.attempt, model=row.meta.get("gen_ai.request.model"),
            prompt=row.meta.get("quarterdeck.prompt.id"), prompt_version=row.meta.get("quarterdeck.prompt.version"),
            prompt_sha256=row.meta.get("quarterdeck.prompt.sha256"),
            input_tokens=row.meta.get("gen_ai.usage.input_tokens"),
            output_tokens=row.meta.get("gen_ai.usage.output_tokens"),
            usable=bool(row.meta.get("quarterdeck.usable")), answer_sha256=row.output_sha256,
        )
        for row in rows
        if row.case_id in (None, case.id)
    ]  # fmt: skip


def _records(session: Session, case_id: str) -> list[Record]:
    rows = session.exec(select(LedgerRow).where(LedgerRow.case_id == case_id).order_by(col(LedgerRow.seq)))
    return [Record(seq=row.seq, kind=row.kind, at=row.envelope.get("at", row.desk_time), hash=row.hash) for row in rows]
