"""Halts in the store: engage, release, ask. Orders at the broker are the halt program's business.

A halt stands until a person releases it. A `HALT` file in the home is a halt too, and a state that cannot be
read counts as halted. Releasing voids what was pending; it sends nothing.
"""

from __future__ import annotations

import secrets
import sqlite3
import subprocess
import sys
from datetime import datetime
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, HaltRow
from pipeline.notify.outbox import enqueue
from pipeline.store import Principal, Store, active_run, now
from pipeline.voiding import void_case
from tools.errors import ApprovalError
from tools.types import CaseState, Frozen

Action = Literal["no_new", "cancel", "flatten"]
Scope = Literal["firm", "symbol", "strategy"]
MAX_REASON = 2_000


class ReleaseResult(Frozen):
    """Halts released and the cases that went with them."""

    released: tuple[str, ...]
    voided_cases: tuple[str, ...]


def engage(
    store: Store,
    *,
    action: Action,
    reason: str,
    principal: Principal,
    scope: Scope = "firm",
    target: str | None = None,
    source: str = "person",
) -> HaltRow:
    """Write the halt and its record in one transaction. It is in force when this returns."""
    reason = reason.strip()
    if action not in ("no_new", "cancel", "flatten"):
        raise ApprovalError(f"halt action {action!r} is not one of no_new, cancel, flatten", code="invalid")
    if not reason or len(reason) > MAX_REASON:
        raise ApprovalError(f"a halt needs a reason of 1 to {MAX_REASON} characters", code="invalid")
    if (scope == "firm") != (target is None):
        raise ApprovalError("a firm halt has no target; a symbol or strategy halt needs one", code="invalid")
    row = HaltRow(
        id=f"halt_{secrets.token_hex(8)}", scope=scope, target=target, action=action, reason=reason,
        principal=principal.name, source=source, engaged_wall=now(), carried_out=action == "no_new",
    )  # fmt: skip
    with store.db.write() as session:
        session.add(row)
        content = {"scope": scope, "target": target, "action": action, "reason": reason, "principal": principal.name}
        _remember(session, "halt.engaged", row.id, content, principal)
        told = {"halt": row.id, "scope": scope, "target": target, "action": action, "source": source}
        enqueue(session, event="halt.engaged", subject_id=row.id, content={**told, "principal": principal.name})
    return row


def launch(store: Store) -> None:
    """Start the halt program in its own process and go on: it must not wait for a busy desk."""
    subprocess.Popen(  # noqa: S603
        [
            sys.executable, "-P", "-m", "pipeline.halt_program", "--home", str(store.home.path),
            "--mode", store.settings.mode,
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def in_force(session: Session) -> tuple[HaltRow, ...]:
    """Halts not released yet, oldest first."""
    query = select(HaltRow).where(col(HaltRow.released_wall).is_(None)).order_by(col(HaltRow.engaged_wall))
    return tuple(session.exec(query).all())


def stands(store: Store) -> bool:
    """True when anything is halted, and when nobody can tell."""
    try:
        with store.db.read() as session:
            return store.home.halt_file.exists() or bool(in_force(session))
    except (SQLAlchemyError, sqlite3.Error, OSError):
        return True


def blocks_increase(store: Store, session: Session, case: CaseRow) -> bool:
    """True when a case that adds risk may not go on. An unreadable state raises and ends the caller's step."""
    return store.home.halt_file.exists() or any(_concerns(row, case) for row in in_force(session))


def stopped_since(store: Store, session: Session, case: CaseRow, written: datetime) -> bool:
    """True when a halt holds back what was written at `written`: one in force, or one engaged later and released."""
    later = session.exec(select(HaltRow).where(HaltRow.engaged_wall >= written)).all()
    return blocks_increase(store, session, case) or any(_concerns(row, case) for row in later)


def _concerns(row: HaltRow, case: CaseRow) -> bool:
    """A scope that is neither a symbol's nor a strategy's holds everything."""
    wanted = {"symbol": case.symbol, "strategy": case.strategy}
    return row.scope not in wanted or row.target == wanted[row.scope]


def release(store: Store, *, reason: str, principal: Principal) -> ReleaseResult:
    """Release every halt and void what was pending or unsent. ApprovalError(invalid) when nothing is halted."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise ApprovalError(f"a release needs a reason of 1 to {MAX_REASON} characters", code="invalid")
    with store.db.write() as session:
        rows = in_force(session)
        if not rows and not store.home.halt_file.exists():
            raise ApprovalError("nothing is halted", code="invalid")
        for row in rows:
            row.released_wall, row.released_by, row.release_reason = now(), principal.name, reason
            session.add(row)
        stale = session.exec(
            select(CaseRow)
            .where(col(CaseRow.state).in_([CaseState.AWAITING.value, CaseState.APPROVED.value]))
            .order_by(col(CaseRow.id))
        ).all()
        for case in stale:
            void_case(
                session, case, why="a halt was released", desk_time=_desk_time(session), stage=Stage.HALT,
                detail={"halts": [row.id for row in rows]},
            )  # fmt: skip
        key = rows[-1].id if rows else f"file_{secrets.token_hex(4)}"
        if not rows:
            session.add(
                HaltRow(
                    id=key, scope="firm", action="no_new", reason="the HALT file was in the home", principal="file",
                    source="file", engaged_wall=now(), carried_out=True, released_wall=now(),
                    released_by=principal.name, release_reason=reason,
                )
            )  # fmt: skip
        _remember(session, "halt.released", key, {"reason": reason, "principal": principal.name}, principal)
        enqueue(session, event="halt.released", subject_id=key, content={"halt": key, "principal": principal.name})
    store.home.halt_file.unlink(missing_ok=True)
    store.publish_head()
    return ReleaseResult(released=tuple(row.id for row in rows), voided_cases=tuple(case.id for case in stale))


def _desk_time(session: Session) -> datetime:
    """Desk time of a halt: that of the newest case of the open run, else the wall clock."""
    run = active_run(session)
    if run is not None:
        newest = session.exec(
            select(CaseRow).where(CaseRow.run_id == run.id).order_by(col(CaseRow.opened_index).desc()).limit(1)
        ).first()
        if newest is not None:
            return newest.as_of
    return now()


def _remember(session: Session, kind: str, key: str, content: dict[str, str | None], principal: Principal) -> None:
    run = active_run(session)
    append(
        session,
        Entry(
            kind=kind, step=f"{kind}:{key}", desk_time=_desk_time(session), stage=Stage.HALT,
            run_id=run.id if run else None, content=content,
            envelope={"address": principal.address, "session": principal.session_id, "halt": key},
        ),
    )  # fmt: skip
