"""Logins of people: a password opens a session, which locks when nobody is there and ends after its time.

The browser holds a random token, the store its hash. A session that locked or ended never opens again: the person
logs in anew. Reading keeps no session open, because a console reads by itself; what counts is what a person does.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import SecretStr
from sqlmodel import Session, select

from memory.tables import LoginSessionRow, PersonRow
from pipeline import throttle
from pipeline.findings import raise_finding
from pipeline.passwords import is_password
from pipeline.people import set_password
from pipeline.record import record
from pipeline.roles import SCOPES_OF, Identity
from pipeline.settings import Settings
from pipeline.standing import find
from pipeline.store import Principal, Store, now
from tools.errors import AccessError

PREFIX = "qds_"
TOUCH_EVERY = timedelta(seconds=15)
BACKWARDS = timedelta(minutes=1)
"""A wall clock that jumped back by more than this ends sessions: it would otherwise extend them."""
WRONG = "name or password is wrong, or the account is disabled"


class Login(NamedTuple):
    """A session that was just opened; the token goes into the cookie and nowhere else."""

    identity: Identity
    token: SecretStr


def login(store: Store, *, name: str, password: SecretStr, address: str | None) -> Login:
    """Open a session. AccessError: too_many_attempts (before any password is looked at), unauthorized.

    A wrong name costs the same time and gives the same answer as a wrong password.
    """
    attempt = throttle.begin(store, name, address)
    with store.db.read() as session:
        seen = find(session, name)
        stored = seen.password_hash if seen else None
    fits = is_password(stored, password)
    opened: Login | None = None
    with store.db.write() as session:
        person = find(session, name)
        why = _why_not(person, stored, fits=fits)
        if person is not None and why is None:
            throttle.forgive(session, attempt)
            opened = _open(session, person, address)
        else:
            _remember_failure(session, person, str(why), attempt, address)
    if opened is None:
        raise AccessError(WRONG, code="unauthorized")
    return opened


def resume(store: Store, token: str, address: str | None, *, active: bool) -> Identity:
    """Whose session a cookie opens. `active` when the person is doing something, which holds off the lock.

    AccessError: session_locked when it was idle for too long, unauthorized when it ended or never was.
    """
    with store.db.read() as session:
        row = _find(session, token)
        person = session.get(PersonRow, row.person) if row else None
    if row is None or person is None or row.ended_wall is not None or person.disabled_wall is not None:
        locked = row is not None and row.ended_why == "idle"
        raise _locked(store.settings) if locked else AccessError("this login has ended: log in", code="unauthorized")
    at = now()
    why = _overdue(row, store.settings, at)
    if why is not None:
        _end(store, row.id, why, Principal(person.name, "person", address, row.id))
        raise (
            _locked(store.settings)
            if why == "idle"
            else AccessError("this login has ended: log in", code="unauthorized")
        )
    if active and at - row.seen_wall >= TOUCH_EVERY:
        _touch(store, row.id, at)
    if person.role not in SCOPES_OF:
        raise AccessError(f"the role {person.role!r} of {person.name} is not known here", code="unauthorized")
    role = person.role
    return Identity(person.name, role, "person", SCOPES_OF[role], row.id, address)  # type: ignore[arg-type, index]


def logout(store: Store, identity: Identity) -> None:
    """End the session of an identity; nothing happens to one that has none."""
    if identity.session_id is not None and not identity.session_id.startswith("key:"):
        _end(store, identity.session_id, "logout", identity.principal())


def change_password(store: Store, identity: Identity, *, current: SecretStr, new: SecretStr) -> None:
    """Let a person replace their own password; every session of theirs ends. AccessError as for a login."""
    attempt = throttle.begin(store, identity.name, identity.address)
    with store.db.read() as session:
        row = session.get(PersonRow, identity.name)
        stored = row.password_hash if row else None
    if not is_password(stored, current):
        with store.db.write() as session:
            person = session.get(PersonRow, identity.name)
            _remember_failure(session, person, "password", attempt, identity.address)
        raise AccessError("the current password is wrong", code="unauthorized")
    set_password(store, identity.name, new, by=identity.principal())
    with store.db.write() as session:
        throttle.forgive(session, attempt)


def _why_not(person: PersonRow | None, stored: str | None, *, fits: bool) -> str | None:
    if person is None:
        return "unknown"
    if person.password_hash is None:
        return "no password"
    if not fits or person.password_hash != stored:
        return "password"
    return "disabled" if person.disabled_wall is not None else None


def _open(session: Session, person: PersonRow, address: str | None) -> Login:
    token = PREFIX + secrets.token_urlsafe(32)
    row = LoginSessionRow(
        id=f"sess_{secrets.token_hex(6)}", token_sha256=_digest(token), person=person.name, address=address,
        created_wall=now(), seen_wall=now(),
    )  # fmt: skip
    session.add(row)
    role = person.role
    identity = Identity(person.name, role, "person", SCOPES_OF[role], row.id, address)  # type: ignore[arg-type, index]
    record(session, "login.succeeded", row.id, {"name": person.name}, identity.principal())
    return Login(identity, SecretStr(token))


def _remember_failure(
    session: Session, person: PersonRow | None, why: str, attempt: throttle.Attempt, address: str | None
) -> None:
    """Keep the failure, and raise a finding when it was the last that is free. An unknown name is not written down."""
    name = person.name if person else None
    nobody = Principal("nobody", "control", address)
    record(session, "login.failed", str(attempt.id), {"name": name, "why": why}, nobody)
    if throttle.spent(session, attempt):
        raise_finding(
            session, None, code="login_failures", severity="warning", component="api", as_of=now(),
            message=f"logins as {name or 'an unknown name'} failed until the limit; the ledger has the addresses",
            recommendation="Ask the person. If it was not them, look at login.failed in the ledger and disable them.",
        )  # fmt: skip


def _overdue(row: LoginSessionRow, settings: Settings, at: datetime) -> str | None:
    if at - row.created_wall >= timedelta(hours=settings.login_hours) or at < row.seen_wall - BACKWARDS:
        return "lifetime"
    return "idle" if at - row.seen_wall >= timedelta(minutes=settings.idle_lock_minutes) else None


def _end(store: Store, session_id: str, why: str, by: Principal) -> None:
    with store.db.write() as session:
        row = session.get(LoginSessionRow, session_id)
        if row is None or row.ended_wall is not None:
            return
        row.ended_wall, row.ended_why = now(), why
        session.add(row)
        kind = {"logout": "logout", "idle": "session.locked"}.get(why, "session.ended")
        record(session, kind, row.id, {"name": row.person, "why": why}, by)


def _touch(store: Store, session_id: str, at: datetime) -> None:
    with store.db.write() as session:
        row = session.get(LoginSessionRow, session_id)
        if row is not None and row.ended_wall is None and row.seen_wall < at:
            row.seen_wall = at
            session.add(row)


def _find(session: Session, token: str) -> LoginSessionRow | None:
    return session.exec(select(LoginSessionRow).where(LoginSessionRow.token_sha256 == _digest(token))).first()


def _locked(settings: Settings) -> AccessError:
    return AccessError(
        f"locked after {settings.idle_lock_minutes:g} minutes without you: log in again", code="session_locked"
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
