"""What a report of one case says, read from the tables and the ledger. Nothing in it depends on when it is asked."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from agents.explanation.output import Explanation
from api.queries.cases import get_case
from api.reports.types import (
    Answered,
    Asked,
    CaseReport,
    DataAge,
    Figure,
    Granted,
    ModelCall,
    Record,
    Similar,
)
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
from pipeline.why_not import REFUSED, WhyNot, why_not
from tools.errors import LedgerError, QuarterdeckError
from tools.risk.types import Counterfactual
from tools.types import Evidence


def case_report(store: Store, case_id: str) -> CaseReport:
    """Gather the report; "not_found" for no such case."""
    detail = get_case(store, case_id)
    reproduced, trouble = _reproduced(store, case_id)
    refused = _refused(store, detail)
    with store.db.read() as session:
        case = session.get_one(CaseRow, case_id)
        run = session.get_one(RunRow, case.run_id)
        told = session.get(ExplanationRow, case_id)
        approval = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).first()
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == case_id)).first()
        explanation = Explanation.model_validate(told.body) if told else None
        return CaseReport(
            case=detail, run_id=run.id, run_label=str(run.config.get("label", "")), mode=run.mode, seed=run.seed,
            explanation=explanation,
            explanation_sha256=told.sha256 if told else None, why=_why(detail, refused), why_not=refused,
            changes=_changes(refused, explanation),
            similar=_similar(explanation), figures=_figures(explanation),
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


def _why(detail: CaseDetail, refused: WhyNot | None) -> list[str]:
    """Why the case stands where it stands, in sentences; what would have changed it has its own chapter."""
    if refused is None:
        return [f"The case is {detail.state}" + (f": {detail.reason}." if detail.reason else ".")]
    changes = {item.text for item in refused.changes}
    return [text for text in refused.sentences if text not in changes]


def _changes(refused: WhyNot | None, explanation: Explanation | None) -> tuple[Counterfactual, ...]:
    if refused is not None and refused.changes:
        return refused.changes
    return explanation.counterfactuals if explanation else ()


def _similar(explanation: Explanation | None) -> list[Similar]:
    cases = explanation.similar_cases if explanation else ()
    return [Similar.model_validate(item.model_dump(exclude={"summary"})) for item in cases]


def _figures(explanation: Explanation | None) -> list[Figure]:
    claims = explanation.claims if explanation else ()
    return [Figure(claim=claim.id, **ref.model_dump()) for claim in claims for ref in claim.numbers]


def _refused(store: Store, detail: CaseDetail) -> WhyNot | None:
    if detail.state not in REFUSED or detail.proposal is None:
        return None
    return why_not(store, detail.id, today=False)


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
            principal=said.principal, on_behalf_of=said.on_behalf_of, decision=said.decision, at=said.decided_wall,
            reason_code=said.reason_code,
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
