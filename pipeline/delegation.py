"""Absence and delegation: one person lends their role to another, for a time, with a reason, on the record."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import DelegationRow
from pipeline.approvals import clean_reason
from pipeline.permissions import effective_role
from pipeline.standing import role_of
from pipeline.store import Principal, Store, now
from tools.errors import ApprovalError

LONGEST = timedelta(days=14)


def delegate(
    store: Store, *, principal: Principal, giver: str, to: str, starts: datetime, ends: datetime, reason: str
) -> DelegationRow:
    """Lend `giver`'s role to `to`. A person lends their own; an admin may record it for an absent one."""
    text = clean_reason(reason)
    if not starts < ends <= starts + LONGEST or ends <= now():
        raise ApprovalError(f"a delegation runs forward, for at most {LONGEST.days} days", code="invalid")
    if giver == to:
        raise ApprovalError("a role cannot be lent to oneself", code="invalid")
    with store.db.write() as session:
        if principal.name != giver and not _is_admin(session, principal):
            raise ApprovalError(f"{principal.name} may not lend the role of {giver}", code="role")
        for name in (giver, to):
            if role_of(session, name) is None:
                raise ApprovalError(f"there is no active person {name}", code="invalid")
        row = DelegationRow(
            id=f"dele_{secrets.token_hex(8)}", giver=giver, delegate=to, starts_wall=starts, ends_wall=ends,
            reason=text, created_by=principal.name,
        )  # fmt: skip
        session.add(row)
        _note(session, "delegation.given", row, principal)
    return row


def end(store: Store, delegation_id: str, *, principal: Principal) -> DelegationRow:
    """Take a delegation back; ending it twice changes nothing."""
    with store.db.write() as session:
        row = session.get(DelegationRow, delegation_id)
        if row is None:
            raise ApprovalError(f"there is no delegation {delegation_id}", code="unknown")
        if principal.name not in (row.giver, row.delegate) and not _is_admin(session, principal):
            raise ApprovalError(f"{principal.name} may not end it", code="role")
        if row.ended_wall is None:
            row.ended_wall = now()
            session.add(row)
            _note(session, "delegation.ended", row, principal)
    return row


def _is_admin(session: Session, principal: Principal) -> bool:
    return effective_role(session, principal, now()) == "admin"


def all_of(session: Session) -> tuple[DelegationRow, ...]:
    return tuple(session.exec(select(DelegationRow).order_by(col(DelegationRow.starts_wall).desc())).all())


def _note(session: Session, kind: str, row: DelegationRow, principal: Principal) -> None:
    append(
        session,
        Entry(
            kind=kind, step=f"{kind}:{row.id}", desk_time=now(), stage=Stage.SYSTEM,
            content={"from": row.giver, "to": row.delegate, "starts": row.starts_wall, "ends": row.ends_wall,
                     "reason": row.reason, "principal": principal.name},
            envelope={"address": principal.address, "session": principal.session_id},
        ),
    )  # fmt: skip
