"""Whether somebody may still act: asked again inside the transaction of every effect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlmodel import Session, col, func, select

from memory.database import Database
from memory.tables import ApiKeyRow, LoginSessionRow, PersonRow
from pipeline.roles import Identity, Role, reaches
from pipeline.store import Principal, Store
from tools.errors import AccessError

NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")


def find(session: Session, name: str) -> PersonRow | None:
    """The row of a person; text that cannot be a name never reaches the database."""
    return session.get(PersonRow, name) if NAME.fullmatch(name) else None


def role_of(session: Session, name: str) -> str | None:
    """The role of an active person; None when there is no such person or they are disabled."""
    row = find(session, name)
    return row.role if row is not None and row.disabled_wall is None else None


def has_admin(session: Session) -> bool:
    """True when an active admin exists."""
    return active_admins(session) > 0


def confirm(session: Session, principal: Principal, needed: Role = "approver") -> None:
    """Look again, inside the transaction of an effect, whether its person may still act.

    Between the check at the door and this transaction somebody may have been disabled, or their session or key
    ended. Principals without a credential (policy, controls, stand-ins, the local operator) pass.
    """
    if principal.session_id is None:
        return
    role = role_of(session, principal.name)
    if role is None or not _credential_lives(session, principal.session_id, principal.name):
        raise AccessError(f"the login of {principal.name} has ended: nothing was saved", code="unauthorized")
    if not reaches(role, needed):
        raise AccessError(
            f"this needs the role {needed}; {principal.name} is {role}",
            code="role", detail={"needed": needed, "role": role},
        )  # fmt: skip


def acting_for(store: Store, identity: Identity, needed: Role) -> Store:
    """The same store, each of whose write transactions begins by asking whether this person may still act.

    A route hands it to the service function, so that no effect is written for somebody who was shut out meanwhile.
    """
    return replace(store, db=_ActingDatabase(store.db, identity.principal(), needed))


class _ActingDatabase(Database):
    """A database that writes for one person; it shares everything with the one it was made from."""

    def __init__(self, shared: Database, principal: Principal, needed: Role) -> None:
        self.__dict__.update(vars(shared))
        self._principal = principal
        self._needed: Role = needed

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            confirm(session, self._principal, self._needed)
            yield session


def _credential_lives(session: Session, session_id: str, name: str) -> bool:
    if session_id.startswith("key:"):
        key = session.get(ApiKeyRow, session_id.removeprefix("key:"))
        return key is not None and key.person == name and key.revoked_wall is None
    row = session.get(LoginSessionRow, session_id)
    return row is not None and row.person == name and row.ended_wall is None


def active_admins(session: Session) -> int:
    """How many admins are not disabled."""
    query = select(func.count()).select_from(PersonRow)
    return session.exec(query.where(PersonRow.role == "admin", col(PersonRow.disabled_wall).is_(None))).one()
