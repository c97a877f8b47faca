"""Letting go of halts: by people under the profile's rule, or at the end that a control gave its own halt.

What a halt held is voided with it, and nothing else: it must be proposed again. Nothing is ever sent by a release.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlmodel import Session, col, select

from memory.tables import ActivationRow, HaltRow
from pipeline.halt import FILE_SOURCE, clean_reason, file_halt, remember, void_waiting, write
from pipeline.halt_scope import Action, in_force
from pipeline.order_ends import deny_unsent, desk_tick
from pipeline.policy import Policy, default_policy_text, load_policy
from pipeline.store import Principal, Store, active_run, now
from tools.errors import ApprovalError
from tools.types import Frozen


class ReleaseResult(Frozen):
    """Halts released, the cases that went with them, and halts that wait for another person's word."""

    released: tuple[str, ...]
    voided_cases: tuple[str, ...]
    waiting: tuple[str, ...] = ()


def release(store: Store, *, reason: str, principal: Principal, halt_id: str | None = None) -> ReleaseResult:
    """Release one halt or all, and void what they held.

    ApprovalError: `invalid` when nothing is halted or no such halt is in force, `separation` when the profile asks
    for another person than who engaged it. Where it asks for two, the first word is kept and the halt stands.
    """
    reason = clean_reason(reason, "a release")
    with store.db.write() as session:
        rows = _chosen(store, session, halt_id)
        policy = _policy(session)
        _require_another(policy, rows, principal)
        waiting = [row for row in rows if not _agreed(session, policy, row, principal, reason)]
        going = [row for row in rows if row not in waiting]
        for row in going:
            _end(session, row, principal.name, reason)
            content = {"reason": reason, "principal": principal.name, "scope": row.scope, "target": row.target}
            remember(session, "halt.released", row.id, content, principal)
        voided = _let_go(session, going, "a halt was released")
    if any(row.source == FILE_SOURCE for row in going):
        store.home.halt_file.unlink(missing_ok=True)
    store.publish_head()
    return ReleaseResult(
        released=tuple(row.id for row in going), voided_cases=voided, waiting=tuple(row.id for row in waiting)
    )


def keep(store: Store, halt_id: str, *, reason: str, principal: Principal) -> HaltRow:
    """Make a control's halt permanent: from now on it ends only by release. ApprovalError(invalid) otherwise."""
    reason = clean_reason(reason, "keeping a halt")
    with store.db.write() as session:
        row = next((row for row in in_force(session) if row.id == halt_id), None)
        if row is None or row.ends_index is None:
            raise ApprovalError(f"{halt_id!r} is no halt in force that would end by itself", code="invalid")
        row.ends_index = row.ends_wall = None
        session.add(row)
        remember(session, "halt.kept", row.id, {"reason": reason, "principal": principal.name}, principal)
    return row


def end_due(session: Session, run_id: str, index: int, desk_time: datetime, *, replay: bool) -> tuple[str, ...]:
    """End the halts whose time has come, in the caller's transaction; a person's halt never ends here.

    The time is `ends_index` of their own run, which ends with it, and outside replay `ends_wall` as well.
    """
    due = [row for row in in_force(session) if _due(row, run_id, index, replay)]
    for row in due:
        who = Principal(row.source, "control")
        _end(session, row, row.source, "its end came")
        remember(session, "halt.ended", row.id, {"source": row.source, "ends_index": row.ends_index}, who, desk_time)
    _let_go(session, due, "a halt ended", desk_time)
    return tuple(row.id for row in due)


def _due(row: HaltRow, run_id: str, index: int, replay: bool) -> bool:
    if row.ends_index is None:
        return False
    early = not replay and row.ends_wall is not None and now() < row.ends_wall
    return (row.run_id != run_id or index >= row.ends_index) and not early


def _chosen(store: Store, session: Session, halt_id: str | None) -> list[HaltRow]:
    rows = list(in_force(session))
    filed = store.home.halt_file.exists()
    if filed and not any(row.source == FILE_SOURCE for row in rows):
        rows.append(adopt_file(store, session))
    chosen = [row for row in rows if halt_id in (None, row.id) or (halt_id == row.source == FILE_SOURCE)]
    if not chosen:
        what = "nothing is halted" if halt_id is None else f"no halt {halt_id!r} is in force"
        raise ApprovalError(what, code="invalid")
    return chosen


def adopt_file(store: Store, session: Session) -> HaltRow:
    """Write the HALT file into the store as the halt that it is, in the caller's transaction."""
    found = file_halt(store)
    return write(
        session, action=cast(Action, found.action), reason=found.reason, principal=Principal(FILE_SOURCE, "control"),
        source=FILE_SOURCE,
    )  # fmt: skip


def _policy(session: Session) -> Policy:
    query = select(ActivationRow).where(ActivationRow.kind == "policy").order_by(col(ActivationRow.id).desc())
    row = session.exec(query.limit(1)).first()
    return load_policy(row.body if row else default_policy_text())


def _require_another(policy: Policy, rows: Sequence[HaltRow], principal: Principal) -> None:
    if policy.profile != "desk" or not policy.release.separate:
        return
    own = next((row for row in rows if row.principal == principal.name and _needed(policy, row) == 1), None)
    if own is not None:
        raise ApprovalError(
            f"{principal.name} engaged halt {own.id}: another person releases it (policy: release.separate)",
            code="separation",
        )


def _agreed(session: Session, policy: Policy, row: HaltRow, principal: Principal, reason: str) -> bool:
    """Add this person's word; True when there are enough."""
    needed, before = _needed(policy, row), row.asked_release or []
    said = sorted({*before, principal.name})
    if len(said) >= needed or said == before:
        return len(said) >= needed
    row.asked_release = said
    session.add(row)
    content = {"reason": reason, "principal": principal.name, "needed": needed, "said": said}
    remember(session, "halt.release_asked", f"{row.id}:{principal.name}", content, principal)
    return False


def _needed(policy: Policy, row: HaltRow) -> int:
    return policy.release.flatten_people if policy.profile == "desk" and row.action == "flatten" else 1


def _end(session: Session, row: HaltRow, who: str, reason: str) -> None:
    row.released_wall, row.released_by, row.release_reason = now(), who, reason
    session.add(row)


def _let_go(session: Session, rows: Sequence[HaltRow], why: str, desk_time: datetime | None = None) -> tuple[str, ...]:
    """Void the questions, approvals and unsent orders that these halts held."""
    if not rows:
        return ()
    voided = void_waiting(session, tuple(rows), why, desk_time)
    run = active_run(session)
    if run is not None:
        deny_unsent(session, run.id, rows, why, desk_tick(session, run))
    return voided
