"""The queue's clocks: sessions on the desk clock, minutes on the wall clock. Nothing but a person extends a question.

Wall time is aware UTC and never steps back behind what this home has seen: a clock that was turned back, daylight
saving, sleep and a restart extend nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CaseRow, RunRow
from pipeline import authority, permissions
from pipeline.approvals import Question, behalf, clean_reason, envelope_of, find_question, require_active, wall
from pipeline.cases import advance
from pipeline.notify.outbox import enqueue
from pipeline.store import Principal, Store, now
from tools.errors import ApprovalError
from tools.types import CaseState

WARNINGS = (80, 50)
MAX_EXTENSIONS = 1


def expire_due(session: Session, run: RunRow, desk_time: datetime) -> list[str]:
    """Close every question whose time has run out, in sessions or in minutes; no answer in time is a refusal."""
    at = wall(session)
    pending = session.exec(
        select(ApprovalRow)
        .where(ApprovalRow.run_id == run.id, ApprovalRow.status == "pending")
        .order_by(col(ApprovalRow.id))
    ).all()
    due = [row for row in pending if row.expires_index <= run.session_index or _minutes_over(row, at)]
    for row in due:
        row.status, row.decided_wall = "expired", now()
        session.add(row)
        case = session.get_one(CaseRow, row.case_id)
        advance(
            session, case, CaseState.EXPIRED, content={"approval": row.id}, desk_time=desk_time, stage=Stage.EXPIRE,
            reason="nobody answered in time",
        )  # fmt: skip
        enqueue(session, event="approval.expired", subject_id=row.id, content=_content(row, case))
    return [row.case_id for row in due]


def _minutes_over(row: ApprovalRow, at: datetime) -> bool:
    return row.expires_wall is not None and row.expires_wall <= at


def attend(store: Store, run_id: str) -> int:
    """Warn at 50 % and 80 % of the minutes, escalate, expire; end what was lent and has run out.

    Called by the watch loop; a repeat does nothing.
    """
    authority.end_due(store)
    with store.db.read() as session:
        timed = session.exec(
            select(ApprovalRow.id).where(
                ApprovalRow.run_id == run_id,
                ApprovalRow.status == "pending",
                col(ApprovalRow.expires_wall).is_not(None),
            )
        ).all()
    done = 0
    for approval_id in timed:
        with store.db.write() as session:
            done += _attend_one(session, approval_id)
    return done


def _attend_one(session: Session, approval_id: str) -> int:
    row = session.get_one(ApprovalRow, approval_id)
    if row.status != "pending" or row.expires_wall is None:
        return 0
    at = wall(session)
    case = session.get_one(CaseRow, row.case_id)
    run = session.get_one(RunRow, row.run_id)
    if _minutes_over(row, at):
        return len(expire_due(session, run, case.as_of))
    share = Decimal((at - row.asked_wall) / (row.expires_wall - row.asked_wall))
    done = 0
    for warning in WARNINGS:
        if share * 100 >= warning > row.warned:
            row.warned = warning
            enqueue(
                session, event="approval.warning", subject_id=row.id, content={**_content(row, case), "at": warning}
            )
            done += 1
            break
    due = sum(share >= Decimal(str(level["after"])) for level in row.escalation)
    if due > row.escalation_level:
        row.escalation_level = due
        told = row.escalation[due - 1]["to"]
        enqueue(session, event="approval.escalated", subject_id=row.id, content={**_content(row, case), "to": told})
        _note(
            session, Question(row, case, run, ()), "approval.escalated", f"escalated:{due}", {"level": due, "to": told}
        )
        done += 1
    session.add(row)
    return done


def extend(store: Store, approval_id: str, *, principal: Principal, reason: str) -> ApprovalRow:
    """Give a waiting question its own time once more, once, never past the session it belongs to."""
    text = clean_reason(reason)
    with store.db.write() as session:
        asked = _waiting(session, approval_id, principal)
        row = asked.row
        if row.expires_wall is None:
            raise ApprovalError("this question runs on sessions, not on minutes: it cannot be extended", code="invalid")
        if row.extensions >= MAX_EXTENSIONS:
            raise ApprovalError("the question was extended before: once is the limit", code="invalid")
        row.expires_wall = row.expires_wall + (row.expires_wall - row.asked_wall)
        row.extensions += 1
        row.warned = 0
        session.add(row)
        content = {"principal": principal.name, "reason_text": text, "extensions": row.extensions}
        _note(session, asked, "approval.extended", f"extended:{row.extensions}", content, principal)
    return row


def acknowledge(store: Store, approval_id: str, *, principal: Principal) -> ApprovalRow:
    """Say that somebody has seen the question; the first one stays."""
    with store.db.write() as session:
        asked = _waiting(session, approval_id, principal)
        row = asked.row
        if row.acknowledged_by is None:
            row.acknowledged_by, row.acknowledged_wall = principal.name, now()
            session.add(row)
            _note(session, asked, "approval.acknowledged", "acknowledged", {"principal": principal.name}, principal)
    return row


def _waiting(session: Session, approval_id: str, principal: Principal) -> Question:
    asked = find_question(session, approval_id)
    permissions.require_approver(session, principal)
    require_active(asked)
    row = asked.row
    over = asked.run.session_index >= row.expires_index or _minutes_over(row, wall(session))
    if row.status != "pending" or over:
        raise ApprovalError(f"the question is {row.status if row.status != 'pending' else 'expired'}", code="expired")
    return asked


def _content(row: ApprovalRow, case: CaseRow) -> dict[str, object]:
    return {
        "approval": row.id, "case": case.id, "symbol": case.symbol, "side": case.side, "tier": row.tier,
        "rule": row.rule, "expires": row.expires, "expires_wall": row.expires_wall,
    }  # fmt: skip


def _note(
    session: Session,
    asked: Question,
    kind: str,
    step: str,
    content: dict[str, object],
    principal: Principal | None = None,
) -> None:
    giver = authority.giver_for(session, asked.row, principal, now()) if principal else None
    append(
        session,
        Entry(
            kind=kind, step=step, case_id=asked.case.id, revision=asked.case.revision, run_id=asked.run.id,
            desk_time=asked.case.as_of, stage=Stage.DECIDE, rank=asked.case.rank,
            content={"approval": asked.row.id, **content, **behalf(giver)},
            envelope=envelope_of(principal, now()) if principal else {},
        ),
    )  # fmt: skip
