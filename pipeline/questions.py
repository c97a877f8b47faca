"""Respond: a person asks the agent about a waiting case. The clock keeps running and nothing is decided."""

from __future__ import annotations

import asyncio

from sqlmodel import Session, col, select

from agents.operator.node import answer_text
from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, ExplanationRow, QuestionRow
from pipeline import authority, permissions
from pipeline.approvals import (
    DecisionResult,
    Question,
    behalf,
    clean_reason,
    envelope_of,
    find_question,
    require_digest,
    require_open,
)
from pipeline.operator_tools import chat_context, operator_tools, reader_of
from pipeline.store import Principal, Store, now
from tools.types import ORDER_KINDS


async def respond(
    store: Store, approval_id: str, *, principal: Principal, digest: str, question: str
) -> DecisionResult:
    """Ask, keep question and answer with the case, and give the answer back. Codes as in `approvals.decide`."""
    text = clean_reason(question)

    def look() -> Question:
        with store.db.read() as session:
            asked = find_question(session, approval_id)
            require_digest(asked, digest)
            require_open(session, asked, None, "respond")
            permissions.require_approver(session, principal)
            return asked

    asked = await asyncio.to_thread(look)
    if asked.case.kind in ORDER_KINDS:
        about = text if asked.case.symbol in text.upper().split() else f"{text} ({asked.case.symbol})"
        said = await answer_text(about, operator_tools(store, reader_of(principal)), chat_context(store))
    else:
        said = await asyncio.to_thread(_about_change, store, asked.case)
    await asyncio.to_thread(_keep, store, approval_id, principal, text, said)
    row = asked.row
    return DecisionResult(
        approval_id=row.id, case_id=row.case_id, status=row.status, digest=row.digest, required=row.required,
        given=asked.given, decided_by=principal.name, decided_at=now(), repeated=False, answer=said,
    )  # fmt: skip


def _about_change(store: Store, case: CaseRow) -> str:
    """What is known of a change: its bound explanation and the proposer's reason; no agent adds to it."""
    with store.db.read() as session:
        told = session.get_one(ExplanationRow, case.id)
    return f"{told.body['prose']} The reason given by {case.change.proposer}: {case.change.reason}"


def _keep(store: Store, approval_id: str, principal: Principal, question: str, said: str) -> None:
    with store.db.write() as session:
        asked = find_question(session, approval_id)
        permissions.require_approver(session, principal)
        number = len(questions_of(session, approval_id)) + 1
        at = now()
        giver = authority.giver_for(session, asked.row, principal, at)
        session.add(
            QuestionRow(
                approval_id=approval_id, case_id=asked.case.id, number=number, principal=principal.name,
                question=question, answer=said, asked_wall=at,
            )
        )  # fmt: skip
        append(
            session,
            Entry(
                kind="approval.question", step=f"question:{number}", case_id=asked.case.id,
                revision=asked.case.revision, run_id=asked.run.id, desk_time=asked.case.as_of,
                stage=Stage.DECIDE, rank=asked.case.rank, envelope=envelope_of(principal, at),
                content={"approval": approval_id, "principal": principal.name, "question": question, "answer": said,
                         **behalf(giver)},
            ),
        )  # fmt: skip


def questions_of(session: Session, approval_id: str) -> tuple[QuestionRow, ...]:
    query = select(QuestionRow).where(QuestionRow.approval_id == approval_id).order_by(col(QuestionRow.number))
    return tuple(session.exec(query).all())
