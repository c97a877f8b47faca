"""Damaged cases and lessons: what cannot be read is set aside with a critical finding, and every other goes on."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Text, delete, type_coerce, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, or_, select

from memory.columns import Damaged
from memory.ledger import Stage
from memory.tables import OPEN_CASE_STATES, CaseRow, FindingRow, LedgerRow, LessonRow, OutcomeRow, RunRow
from pipeline.findings import raise_finding
from pipeline.store import Store
from pipeline.voiding import void_case
from tools.types import CaseBody, CaseState, Change, Lesson, Proposal

_BODY: TypeAdapter[Proposal | Change] = TypeAdapter(CaseBody)
_UNSENT = (CaseState.DRAFTED.value, CaseState.AWAITING.value, CaseState.APPROVED.value)


def set_aside(store: Store, run_id: str) -> tuple[str, ...]:
    """Void what is damaged and unsent, restore the record of the rest from the ledger; ids of all that were found.

    Looks at the cases of a run that still matter: open ones and those whose outcome is not settled.
    """
    unsettled = select(OutcomeRow.case_id).where(OutcomeRow.run_id == run_id, ~col(OutcomeRow.settled))
    with store.db.read() as session:
        rows = session.exec(
            select(CaseRow.id, col(CaseRow.body)).where(
                CaseRow.run_id == run_id,
                or_(
                    col(CaseRow.state).in_([state.value for state in OPEN_CASE_STATES]),
                    col(CaseRow.id).in_(unsettled),
                ),
            )
        ).all()
    damaged = tuple(sorted(case_id for case_id, body in rows if isinstance(body, Damaged)))
    for case_id in damaged:
        with store.db.write() as session:
            _set_aside(session, session.get_one(CaseRow, case_id))
    return damaged


def mend_lessons(store: Store, run_id: str, as_of: datetime) -> tuple[str, ...]:
    """Put back, as the ledger holds them, lessons that cannot be read, and drop those it does not know; their ids."""
    with store.db.read() as session:
        rows = session.execute(
            select_columns(col(LessonRow.id), type_coerce(col(LessonRow.body), Text))
            .where(col(LessonRow.run_id) == run_id)
            .order_by(col(LessonRow.id))
        ).all()
    damaged = tuple(lesson_id for lesson_id, text in rows if _read_lesson(text) is None)
    for lesson_id in damaged:
        with store.db.write() as session:
            written = session.exec(
                select(LedgerRow.content).where(LedgerRow.run_id == run_id, LedgerRow.step == f"lesson:{lesson_id}")
            ).first()
            mine = col(LessonRow.id) == lesson_id
            if written is None:
                session.execute(delete(LessonRow).where(mine))
            else:
                body = Lesson.model_validate(json.loads(written)["body"])
                session.execute(update(LessonRow).where(mine).values(body=body))
            raise_finding(
                session, session.get_one(RunRow, run_id), code="tampered", severity="critical", component="learning",
                message=f"lesson {lesson_id} could not be read: "
                + ("no record knows it, so it was dropped" if written is None else "it was put back from its record"),
                recommendation="Halt, verify the ledger and compare the database with a backup.", as_of=as_of,
            )  # fmt: skip
    return damaged


def _read_lesson(text: str | None) -> Lesson | None:
    try:
        return Lesson.model_validate_json(text or "")
    except ValidationError:
        return None


def _set_aside(session: Session, case: CaseRow) -> None:
    if not isinstance(case.body, Damaged):
        return
    message = f"the record of case {case.id} ({case.kind} {case.symbol}) is damaged"
    run = session.get_one(RunRow, case.run_id)
    told = session.exec(select(FindingRow).where(FindingRow.run_id == run.id, FindingRow.code == "tampered")).all()
    as_of = case.as_of
    if case.state in _UNSENT:
        void_case(session, case, why="its record was damaged", desk_time=as_of, stage=Stage.CASE, detail={})
    restored = _from_ledger(session, case)
    if not any(row.body.message == message for row in told):
        raise_finding(
            session, run, code="tampered", severity="critical", component="approvals", symbol=case.symbol,
            message=message, as_of=as_of,
            recommendation="Halt, verify the ledger and compare the database with a backup.",
        )  # fmt: skip
    if restored is not None:
        case.body = restored
        session.add(case)


def _from_ledger(session: Session, case: CaseRow) -> Proposal | Change | None:
    """The body as the ledger last recorded it; None unless it has the digest of the case."""
    records = session.exec(
        select(LedgerRow.content).where(LedgerRow.case_id == case.id).order_by(col(LedgerRow.seq).desc())
    ).all()
    for content in records:
        try:
            said: Any = json.loads(content)["body"].get("proposal")
            body = _BODY.validate_python(said) if said else None
        except (ValueError, KeyError, AttributeError, ValidationError):
            continue
        if body is not None and body.digest == case.digest:
            return body
    return None
