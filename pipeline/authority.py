"""In whose name an answer is given: one's own, or that of somebody who lent their role for a time.

A lent role opens the approval queue and nothing else. It is the giver's own role, never one that was lent to them,
and it is void as soon as the giver is disabled or demoted. For one question, giver and delegate are one person.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, or_, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, DecisionRow, DelegationRow, EditRow
from pipeline.roles import ROLES, Role, reaches
from pipeline.standing import role_of
from pipeline.store import Principal, Store, never_back, now

CLOCK = Principal("the clock", "control")


class Loan(NamedTuple):
    """A role that somebody may use for another person. `ends` is wall clock."""

    giver: str
    role: str
    ends: datetime


def loans(session: Session, name: str, at: datetime) -> tuple[Loan, ...]:
    """Roles lent to `name` that are live at `at`, the highest first. A clock that was set back extends nothing."""
    found = [
        Loan(row.giver, role, row.ends_wall)
        for row in _live(session, at, col(DelegationRow.delegate) == name)
        if (role := role_of(session, row.giver)) in ROLES
    ]
    return tuple(sorted(found, key=lambda loan: (-ROLES.index(loan.role), loan.giver)))


def giver_for(session: Session, row: ApprovalRow, principal: Principal, at: datetime) -> str | None:
    """Whose role a person needs to answer this question; None when their own suffices or none is lent to them.

    Of several givers it is one who has not signed yet, if there is one.
    """
    if principal.kind != "person" or principal.session_id is None:
        return None
    asked: list[Role] = [role for role in ROLES if row.roles.count(role)]
    needed: Role = asked[0] if asked and reaches(asked[0], "approver") else "approver"
    if reaches(role_of(session, principal.name) or "", needed):
        return None
    able = [loan.giver for loan in loans(session, principal.name, at) if reaches(loan.role, needed)]
    taken = {name for said in _signatures(session, row) for name in _faces(said)}
    return next((giver for giver in able if giver not in taken), able[0] if able else None)


def names_of(session: Session, row: ApprovalRow, principal: Principal, at: datetime) -> frozenset[str]:
    """Everybody who counts as one person with `principal` for a question: whom they act for or lend to, both ways."""
    either = or_(col(DelegationRow.delegate) == principal.name, col(DelegationRow.giver) == principal.name)
    linked = {name for item in _live(session, at, either) for name in (item.giver, item.delegate)}
    return frozenset({principal.name, giver_for(session, row, principal, at) or principal.name, *linked})


def signed_as(session: Session, row: ApprovalRow, principal: Principal, names: frozenset[str]) -> str | None:
    """Who else of `names` has signed what is asked now, or had it signed for them; None when nobody has."""
    others = (said for said in _signatures(session, row) if said.principal != principal.name)
    return next((said.principal for said in others if names & _faces(said)), None)


def edited_by(session: Session, row: ApprovalRow, names: frozenset[str]) -> bool:
    """True when one of `names` edited the question, or had it edited for them."""
    edits = session.exec(select(EditRow).where(EditRow.approval_id == row.id)).all()
    return any(names & {edit.principal, edit.on_behalf_of} for edit in edits)


def distinct(signatures: Iterable[DecisionRow]) -> int:
    """How many different people stand behind signatures: who signs for another and that other are one."""
    groups: list[frozenset[str]] = []
    for said in signatures:
        faces = _faces(said)
        joined = faces.union(*(group for group in groups if group & faces))
        groups = [*(group for group in groups if not group & faces), joined]
    return len(groups)


def end_due(store: Store) -> int:
    """Close what has run out, once and for good; returns how many. Called by the watch loop."""
    with store.db.read() as session:
        if not _overdue(session):
            return 0
    with store.db.write() as session:
        rows = _overdue(session)
        for row in rows:
            close(session, row, CLOCK, row.ends_wall)
    return len(rows)


def void_loans(session: Session, name: str, by: Principal, *, taken: bool) -> int:
    """End every role that `name` has lent, and with `taken` those lent to them; returns how many."""
    query = select(DelegationRow).where(col(DelegationRow.ended_wall).is_(None)).order_by(col(DelegationRow.id))
    rows = [row for row in session.exec(query).all() if row.giver == name or (taken and row.delegate == name)]
    for row in rows:
        close(session, row, by, now())
    return len(rows)


def close(session: Session, row: DelegationRow, by: Principal, at: datetime) -> None:
    """End a delegation for good and record it; what ended stays ended."""
    row.ended_wall = at
    session.add(row)
    note(session, "delegation.ended", row, by)


def note(session: Session, kind: str, row: DelegationRow, principal: Principal) -> None:
    """Record what happened to a delegation, and by whom."""
    append(
        session,
        Entry(
            kind=kind, step=f"{kind}:{row.id}", desk_time=now(), stage=Stage.SYSTEM,
            content={"from": row.giver, "to": row.delegate, "starts": row.starts_wall, "ends": row.ends_wall,
                     "reason": row.reason, "principal": principal.name},
            envelope={"address": principal.address, "session": principal.session_id},
        ),
    )  # fmt: skip


def _live(session: Session, at: datetime, whose: object) -> list[DelegationRow]:
    moment = never_back(session, at)
    query = select(DelegationRow).where(
        whose, DelegationRow.starts_wall <= moment, DelegationRow.ends_wall > moment,  # type: ignore[arg-type]
        col(DelegationRow.ended_wall).is_(None),
    )  # fmt: skip
    return list(session.exec(query.order_by(col(DelegationRow.id))).all())


def _overdue(session: Session) -> list[DelegationRow]:
    at = never_back(session, now())
    query = select(DelegationRow).where(DelegationRow.ends_wall <= at, col(DelegationRow.ended_wall).is_(None))
    return list(session.exec(query.order_by(col(DelegationRow.id))).all())


def _signatures(session: Session, row: ApprovalRow) -> list[DecisionRow]:
    query = select(DecisionRow).where(
        DecisionRow.approval_id == row.id, DecisionRow.decision == "approve", DecisionRow.digest == row.digest
    )
    return list(session.exec(query.order_by(col(DecisionRow.id))).all())


def _faces(said: DecisionRow) -> frozenset[str]:
    return frozenset({said.principal, said.on_behalf_of or said.principal})
