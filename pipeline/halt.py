"""Halts in the store: engage and ask. Orders at the broker are the halt program's business.

A person's halt stands until it is released (`pipeline.halt_release`); one that a control engaged has an end. A
`HALT` file in the home is a halt of the firm, and a state that cannot be read counts as halted. What each scope
and action means is said in `pipeline.halt_scope`.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, func, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, HaltRow
from pipeline import parents
from pipeline.halt_scope import ACTIONS, NARROW, Action, Nameable, Scope, concerns, in_force, require_sense
from pipeline.heartbeats import resident
from pipeline.notify.outbox import enqueue
from pipeline.notify.targets import Event
from pipeline.order_ends import desk_tick
from pipeline.store import Principal, Store, active_run, now
from pipeline.voiding import void_case
from tools.canonical import stable_id
from tools.errors import ApprovalError
from tools.types import CaseState

MAX_REASON = 2_000
LOCK_TIMEOUT_S = 1.5
"""How long a halt waits for a store that somebody keeps locked, before it becomes the HALT file."""
FILE_SOURCE = "file"
_WAITING = (CaseState.AWAITING.value, CaseState.APPROVED.value)


class Ending(NamedTuple):
    """When a control's halt ends by itself: at this session, and outside replay not before this wall time."""

    session: int
    wall: datetime | None = None


def clean_reason(reason: str, what: str) -> str:
    """The reason without blanks around it; ApprovalError(invalid) for none or too much."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise ApprovalError(f"{what} needs a reason of 1 to {MAX_REASON} characters", code="invalid")
    return reason


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
    reason = clean_reason(reason, "a halt")
    with store.db.read() as session:
        require_sense(session, scope, target, action)
    with store.db.write() as session:
        return write(
            session, action=action, reason=reason, principal=principal, scope=scope, target=target, source=source
        )


def engage_surely(store: Store, **wish: Any) -> HaltRow:
    """Engage as `engage` does, and by the HALT file where the store stays locked: it never waits for long.

    The row that comes back for the file (`source` file) is firm-wide and not stored; the watchdog writes it in.
    """
    hasty = store.db.hasty(LOCK_TIMEOUT_S)
    try:
        return engage(replace(store, db=hasty), **wish)
    except SQLAlchemyError:
        clean_reason(wish["reason"], "a halt")
        store.home.halt_file.write_text(f"{wish['action']}: {wish['reason']}\n", encoding="utf-8")
        return file_halt(store, principal=wish["principal"].name)
    finally:
        hasty.dispose()


def write(
    session: Session,
    *,
    action: Action,
    reason: str,
    principal: Principal,
    scope: Scope = "firm",
    target: str | None = None,
    source: str = "person",
    ending: Ending | None = None,
    cause: str | None = None,
    desk_time: datetime | None = None,
    halt_id: str | None = None,
) -> HaltRow:
    """Engage in the caller's transaction; the same `halt_id` again changes nothing.

    An id follows from the run and from what was halted in it before, so that a replay has the same ones.
    """
    run = active_run(session)
    run_id = run.id if run else None
    earlier = session.exec(select(func.count()).select_from(HaltRow).where(HaltRow.run_id == run_id)).one()
    key = halt_id or stable_id("halt", run_id, earlier, scope, target, action, reason, principal.name)
    known = session.get(HaltRow, key)
    if known is not None:
        return known
    row = HaltRow(
        id=key, scope=scope, target=target, action=action, reason=reason, principal=principal.name, source=source,
        engaged_wall=now(), carried_out=action == "no_new", run_id=run_id, cause=cause,
        engaged_index=run.session_index if run else None,
        ends_index=ending.session if ending else None, ends_wall=ending.wall if ending else None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    content = {
        "scope": scope, "target": target, "action": action, "reason": reason, "principal": principal.name,
        "source": source, "ends_index": row.ends_index, "cause": cause,
    }  # fmt: skip
    remember(session, "halt.engaged", row.id, content, principal, desk_time)
    if action in ("reduce_only", "flatten"):
        void_waiting(session, (row,), "a halt left only reductions", desk_time)
    return row


def launch(store: Store) -> None:
    """Have the halt carried out: by the watchdog where one lives, else by the halt program in its own process."""
    with store.db.read() as session:
        if resident(session, "watchdog"):
            return
    subprocess.Popen(  # noqa: S603
        [
            sys.executable, "-P", "-m", "pipeline.halt_program", "--home", str(store.home.path),
            "--mode", store.settings.mode,
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def stands(store: Store) -> bool:
    """True when anything is halted, and when nobody can tell."""
    try:
        with store.db.read() as session:
            return _by_file(store) or bool(in_force(session))
    except (SQLAlchemyError, sqlite3.Error, OSError):
        return True


def holds_clock(store: Store) -> bool:
    """True when the desk does not play on by itself: the firm is halted until a person says so, or nobody can tell.

    A halt of less than the firm stops nobody else's clock, and one that ends by sessions needs them to pass.
    """
    try:
        with store.db.read() as session:
            rows = in_force(session)
        return _by_file(store) or any(row.scope not in NARROW and row.ends_index is None for row in rows)
    except (SQLAlchemyError, sqlite3.Error, OSError):
        return True


def _by_file(store: Store) -> bool:
    """True with the HALT file there, and with the database gone that would say what is halted."""
    return store.home.halt_file.exists() or store.gone


def blocks_increase(store: Store, session: Session, case: Nameable) -> bool:
    """True when a case that adds risk may not go on. An unreadable state raises and ends the caller's step."""
    return _by_file(store) or any(concerns(session, row, case) for row in in_force(session))


def stopped_since(store: Store, session: Session, case: CaseRow, written: datetime) -> bool:
    """True when a halt holds back what was written at `written`: one in force, or one engaged later and released."""
    later = session.exec(select(HaltRow).where(HaltRow.engaged_wall >= written)).all()
    return blocks_increase(store, session, case) or any(concerns(session, row, case) for row in later)


def void_waiting(
    session: Session, halts: tuple[HaltRow, ...], why: str, desk_time: datetime | None = None
) -> tuple[str, ...]:
    """Void the questions and unsent approvals that add risk and that these halts name; returns the cases.

    Worked orders among them send no further child; what they filled stays.
    """
    waiting = session.exec(select(CaseRow).where(col(CaseRow.state).in_(_WAITING)).order_by(col(CaseRow.id))).all()
    named = [c for c in waiting if c.risk_effect != "reduces" and any(concerns(session, row, c) for row in halts)]
    for case in named:
        void_case(
            session, case, why=why, desk_time=desk_time or halt_time(session), stage=Stage.HALT,
            detail={"halts": [row.id for row in halts if concerns(session, row, case)]},
        )  # fmt: skip
    _stop_working(session, halts, why, desk_time)
    return tuple(case.id for case in named)


def _stop_working(session: Session, halts: tuple[HaltRow, ...], why: str, desk_time: datetime | None) -> None:
    """Let worked orders that add risk and that these halts name send no further child."""
    for parent in parents.working(session):
        case = session.get_one(CaseRow, parent.case_id)
        if case.risk_effect != "reduces" and any(concerns(session, row, case) for row in halts):
            parents.end_plan(session, parent, why, desk_time or halt_time(session))


def halt_time(session: Session) -> datetime:
    """Desk time of a halt: that of the newest case of the open run, else the wall clock."""
    run = active_run(session)
    return desk_tick(session, run).as_of if run else now()


def remember(
    session: Session,
    kind: str,
    key: str,
    content: Mapping[str, Any],
    principal: Principal,
    desk_time: datetime | None = None,
) -> None:
    """Record what became of a halt, in the caller's transaction."""
    run = active_run(session)
    append(
        session,
        Entry(
            kind=kind, step=f"{kind}:{key}", desk_time=desk_time or halt_time(session), stage=Stage.HALT,
            run_id=run.id if run else None, content=content,
            envelope={"address": principal.address, "session": principal.session_id, "halt": key},
        ),
    )  # fmt: skip
    if kind in ("halt.engaged", "halt.released"):
        told = {"halt": key, "principal": principal.name, **content}
        enqueue(session, event=cast(Event, kind), subject_id=key, content=told)


def file_halt(store: Store, *, principal: str = "file") -> HaltRow:
    """The HALT file as a halt: its first word is the action, anything else means cancel. Not stored."""
    text = store.home.halt_file.read_text(encoding="utf-8", errors="replace")
    word, _, reason = text.strip().partition(":")
    said = word.strip().replace("-", "_")
    action: Action = "cancel"
    for known in ACTIONS:
        if said == known:
            action = known
    touched = datetime.fromtimestamp(store.home.halt_file.stat().st_mtime, UTC)
    return HaltRow(
        id=FILE_SOURCE, scope="firm", target=None, action=action, principal=principal, source=FILE_SOURCE,
        reason=(reason.strip() or "the HALT file is in the home")[:MAX_REASON], engaged_wall=touched,
        carried_out=action == "no_new",
    )  # fmt: skip
