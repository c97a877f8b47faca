"""The life of a case: one table of legal steps, and one function that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow
from tools.errors import ExecutionError
from tools.types import CaseState as S

STEPS: Mapping[S, frozenset[S]] = {
    S.DRAFTED: frozenset({S.BLOCKED, S.AWAITING, S.APPROVED, S.VOIDED}),
    S.BLOCKED: frozenset({S.DRAFTED}),
    S.AWAITING: frozenset({S.APPROVED, S.REJECTED, S.EXPIRED, S.VOIDED, S.SUPERSEDED}),
    S.APPROVED: frozenset({S.SUBMITTED, S.VOIDED, S.REJECTED, S.CANCELLED}),
    S.SUBMITTED: frozenset({S.DONE, S.CANCELLED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.DONE, S.CANCELLED, S.SUBMITTED}),
    S.DONE: frozenset({S.SETTLED}),
}
"""From each state, the states that may follow. A state that is not a key is final; what was blocked is drafted again
only by an override."""


def advance(
    session: Session,
    case: CaseRow,
    to: S,
    *,
    content: Mapping[str, Any],
    desk_time: datetime,
    stage: Stage,
    reason: str | None = None,
    envelope: Mapping[str, Any] | None = None,
) -> None:
    """Move a case and record it, in the caller's transaction.

    The row is taken by its revision: a second mover finds nothing to move and gets ExecutionError(case_moved).
    """
    before = S(case.state)
    if to not in STEPS.get(before, frozenset()):
        raise ExecutionError(f"case {case.id} cannot go from {before.value} to {to.value}", code="illegal_step")
    revision = case.revision + 1
    moved = session.connection().execute(
        update(CaseRow)
        .where(col(CaseRow.id) == case.id, col(CaseRow.revision) == case.revision, col(CaseRow.state) == before.value)
        .values(state=to.value, revision=revision, reason=reason, updated_wall=datetime.now(UTC))
    )
    if moved.rowcount != 1:
        raise ExecutionError(f"case {case.id} was moved by somebody else", code="case_moved")
    session.expire(case)
    append(
        session,
        Entry(
            kind=f"case.{to.value}", step=to.value, case_id=case.id, revision=revision, run_id=case.run_id,
            desk_time=desk_time, stage=stage, rank=case.rank, envelope=envelope or {},
            content={"from": before.value, "reason": reason, "digest": case.digest, **content},
        ),
    )  # fmt: skip
