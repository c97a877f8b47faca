"""Absence and delegation: one person lends their role to another, for a time, with a reason, on the record."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from memory.tables import DelegationRow
from pipeline import authority
from pipeline.approvals import clean_reason
from pipeline.standing import role_of
from pipeline.store import Principal, Store, now
from tools.errors import ApprovalError

LONGEST = timedelta(days=14)


def delegate(
    store: Store, *, principal: Principal, giver: str, to: str, starts: datetime, ends: datetime, reason: str
) -> DelegationRow:
    """Lend `giver`'s role to `to`, whoever they are, for answering the queue. A person lends their own; an admin may
    record it for an absent one. ApprovalError: invalid, role."""
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
        authority.note(session, "delegation.given", row, principal)
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
            authority.close(session, row, principal, now())
    return row


def _is_admin(session: Session, principal: Principal) -> bool:
    """An admin of one's own right: a lent role answers questions and gives nothing away."""
    return principal.session_id is None or role_of(session, principal.name) == "admin"


def all_of(session: Session) -> tuple[DelegationRow, ...]:
    return tuple(session.exec(select(DelegationRow).order_by(col(DelegationRow.starts_wall).desc())).all())
