"""People: their names, roles, own limits, and whether they may act. Who decided comes from a login, never a payload.

A person is never deleted, because the record names them; a disabled one can do nothing from that moment on.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from pydantic import SecretStr
from sqlmodel import Session, col, select

from memory.tables import LoginSessionRow, PersonRow
from pipeline import api_keys, authority
from pipeline.api_keys import ApiKey, NewKey
from pipeline.passwords import hash_password
from pipeline.record import record
from pipeline.roles import LOCAL_OPERATOR, ROLES, SCOPES_OF, Identity, Role, Scope, reaches
from pipeline.standing import NAME, active_admins, confirm, find, has_admin, role_of
from pipeline.store import Principal, Store, now
from tools.errors import AccessError
from tools.types import Frozen, Instant

__all__ = [
    "LOCAL_OPERATOR", "ROLES", "SCOPES_OF", "Added", "Identity", "Person", "PersonLimits", "Role", "Scope", "add",
    "change_role", "confirm", "disable", "enable", "has_admin", "limits_of", "list_people", "new_key", "role_of",
    "set_password",
]  # fmt: skip

MAX_REASON = 2_000
RESERVED = frozenset({"setup", "file", "keys", "bootstrap"})
RESERVED_PREFIXES = ("stand-in", "policy")


class PersonLimits(NamedTuple):
    """What one person may release, in account currency; None means no limit of their own."""

    order: Decimal | None
    day: Decimal | None


class Person(Frozen):
    """A person as others may see them."""

    name: str
    role: str
    disabled: bool
    has_password: bool
    order_limit: Decimal | None
    day_limit: Decimal | None
    created_by: str
    created: Instant
    keys: tuple[ApiKey, ...] = ()


class Added(Frozen):
    """A new person, and the key if one was asked for; its secret cannot be read again."""

    person: Person
    api_key: SecretStr | None


def add(
    store: Store,
    *,
    by: Principal,
    name: str,
    role: str,
    password: SecretStr | None = None,
    with_key: bool = False,
    scopes: Iterable[str] | None = None,
    order_limit: Decimal | None = None,
    day_limit: Decimal | None = None,
) -> Added:
    """Add a person. AccessError: invalid (name, role, password, scopes, limits), exists."""
    check_name(name)
    if scopes is not None and not with_key:
        raise AccessError("scopes belong to an API key: ask for one, or leave them out", code="invalid")
    hashed = None if password is None else hash_password(name, password)
    with store.db.write() as session:
        confirm(session, by, "admin")
        row = insert(session, by=by, name=name, role=role, password_hash=hashed, limits=(order_limit, day_limit))
        made = api_keys.issue(session, row, scopes, by) if with_key else None
        person = _person(row, [made.key] if made else [])
    store.publish_head()
    return Added(person=person, api_key=made.secret if made else None)


def check_name(name: str) -> None:
    """AccessError(invalid) unless a person may have this name."""
    if not NAME.fullmatch(name):
        raise AccessError(
            f"{name[:40]!r} cannot be a person's name: 2 to 32 of a-z 0-9 . _ -, a letter first", code="invalid"
        )
    if name in RESERVED or name.startswith(RESERVED_PREFIXES):
        raise AccessError(f"the name {name!r} belongs to the desk itself: choose another", code="invalid")


def insert(
    session: Session,
    *,
    by: Principal,
    name: str,
    role: str,
    password_hash: str | None,
    limits: tuple[Decimal | None, Decimal | None] = (None, None),
) -> PersonRow:
    """Write a person and the record inside the caller's transaction."""
    if role not in ROLES:
        raise AccessError(f"{role[:40]!r} is not a role: choose among {', '.join(ROLES)}", code="invalid")
    for limit in limits:
        if limit is not None and not (limit.is_finite() and limit > 0):
            raise AccessError(f"a limit is an amount above zero, not {limit}", code="invalid")
    if session.get(PersonRow, name) is not None:
        raise AccessError(f"{name} is there already: names are never given twice", code="exists")
    row = PersonRow(
        name=name, role=role, password_hash=password_hash, order_limit=limits[0], day_limit=limits[1],
        created_by=by.name, created_wall=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    content = {"name": name, "role": role, "order_limit": limits[0], "day_limit": limits[1]}
    record(session, "person.added", name, content, by)
    return row


def list_people(store: Store) -> tuple[Person, ...]:
    """Everybody by name, the disabled included."""
    with store.db.read() as session:
        keys = api_keys.keys_of(session)
        rows = session.exec(select(PersonRow).order_by(col(PersonRow.name))).all()
        return tuple(_person(row, keys.get(row.name, [])) for row in rows)


def disable(store: Store, name: str, *, by: Principal) -> Person:
    """Shut somebody out at once, open sessions and lent roles included; AccessError last_admin for the only admin."""
    with store.db.write() as session:
        confirm(session, by, "admin")
        row = _existing(session, name)
        if row.disabled_wall is None:
            _require_another_admin(session, row)
            row.disabled_wall, row.disabled_by = now(), by.name
            session.add(row)
            ended = end_sessions(session, name, "disabled")
            authority.void_loans(session, name, by, taken=True)
            record(session, "person.disabled", name, {"name": name, "sessions_ended": ended}, by)
        return _person(row, api_keys.keys_of(session).get(name, []))


def enable(store: Store, name: str, *, by: Principal) -> Person:
    """Let somebody in again. Ended sessions stay ended; keys that were not revoked work again."""
    with store.db.write() as session:
        confirm(session, by, "admin")
        row = _existing(session, name)
        if row.disabled_wall is not None:
            row.disabled_wall, row.disabled_by = None, None
            session.add(row)
            record(session, "person.enabled", name, {"name": name}, by)
        return _person(row, api_keys.keys_of(session).get(name, []))


def change_role(store: Store, name: str, role: str, *, by: Principal, reason: str) -> Person:
    """Give somebody another role, at once for their open sessions and keys.

    A key that could do all that its person could goes on doing so; one that was narrowed keeps what it has of the new
    role. Losing a role ends what was lent of it. AccessError: invalid (role, reason), not_found, separation (nobody
    changes their own role), last_admin.
    """
    text = reason.strip()
    if not text or len(text) > MAX_REASON:
        raise AccessError(f"a reason of 1 to {MAX_REASON} characters is needed", code="invalid")
    if role not in ROLES:
        raise AccessError(f"{role[:40]!r} is not a role: choose among {', '.join(ROLES)}", code="invalid")
    if by.name == name:
        raise AccessError(f"{name} cannot change their own role: another admin has to", code="separation")
    with store.db.write() as session:
        confirm(session, by, "admin")
        row = _existing(session, name)
        before = row.role
        if before != role:
            if row.disabled_wall is None:
                _require_another_admin(session, row)
            row.role = role
            session.add(row)
            if not reaches(role, before):  # type: ignore[arg-type]
                authority.void_loans(session, name, by, taken=False)
            widened = api_keys.follow_role(session, name, before, role)
            content = {"name": name, "from": before, "to": role, "reason": text, "keys_changed": widened}
            record(session, "person.role", name, content, by)
        return _person(row, api_keys.keys_of(session).get(name, []))


def set_password(store: Store, name: str, password: SecretStr, *, by: Principal) -> Person:
    """Give somebody another password and end their sessions."""
    hashed = hash_password(name, password)
    with store.db.write() as session:
        row = _existing(session, name)
        row.password_hash = hashed
        session.add(row)
        ended = end_sessions(session, name, "password")
        record(session, "person.password", name, {"name": name, "sessions_ended": ended}, by)
        return _person(row, api_keys.keys_of(session).get(name, []))


def new_key(store: Store, name: str, *, by: Principal, scopes: Iterable[str] | None = None) -> NewKey:
    """Give an active person another key; its secret is in the answer and nowhere else."""
    with store.db.write() as session:
        confirm(session, by, "admin")
        row = _existing(session, name)
        if row.disabled_wall is not None:
            raise AccessError(f"{name} is disabled: enable them before giving a key", code="invalid")
        return api_keys.issue(session, row, scopes, by)


def limits_of(session: Session, name: str) -> PersonLimits:
    """A person's own limits; none for those who have no account."""
    row = find(session, name)
    return PersonLimits(None, None) if row is None else PersonLimits(row.order_limit, row.day_limit)


def end_sessions(session: Session, name: str, why: str) -> int:
    """End every open session of a person; returns how many there were."""
    query = select(LoginSessionRow).where(
        LoginSessionRow.person == name, col(LoginSessionRow.ended_wall).is_(None)
    )  # fmt: skip
    rows = session.exec(query).all()
    for row in rows:
        row.ended_wall, row.ended_why = now(), why
        session.add(row)
    return len(rows)


def _require_another_admin(session: Session, row: PersonRow) -> None:
    if row.role == "admin" and active_admins(session) == 1:
        raise AccessError(
            f"{row.name} is the only active admin: add another one first, nobody could manage people otherwise",
            code="last_admin",
        )


def _existing(session: Session, name: str) -> PersonRow:
    row = find(session, name)
    if row is None:
        raise AccessError(f"there is no person {name[:40]!r}: `quarterdeck people list` shows them", code="not_found")
    return row


def _person(row: PersonRow, keys: Iterable[ApiKey]) -> Person:
    return Person(
        name=row.name, role=row.role, disabled=row.disabled_wall is not None,
        has_password=row.password_hash is not None, order_limit=row.order_limit, day_limit=row.day_limit,
        created_by=row.created_by, created=row.created_wall, keys=tuple(keys),
    )  # fmt: skip
