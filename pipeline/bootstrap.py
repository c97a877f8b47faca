"""The first admin: a one-time token, printed where the desk starts, makes one and is then worthless."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from pydantic import SecretStr
from sqlmodel import Session, col, select

from memory.tables import BootstrapRow, PersonRow
from pipeline import people, throttle
from pipeline.passwords import check_password, hash_password
from pipeline.people import Person
from pipeline.record import record
from pipeline.store import Principal, Store, now
from tools.errors import AccessError

PREFIX = "qdb_"
LIFETIME = timedelta(hours=1)
SETUP = Principal("setup", "control")
_WHO = "bootstrap token"
"""Under what name attempts with a token are counted; nobody can be called that."""


def issue(store: Store) -> SecretStr:
    """Make a token, which replaces every earlier one. AccessError(exists) when the home has an active admin."""
    token = PREFIX + secrets.token_urlsafe(32)
    with store.db.write() as session:
        _refuse_if_needless(session)
        for row in session.exec(select(BootstrapRow).where(BootstrapRow.status == "open")).all():
            row.status = "replaced"
            session.add(row)
        row = BootstrapRow(token_sha256=_digest(token), created_wall=now(), expires_wall=now() + LIFETIME)
        session.add(row)
        session.flush()
        record(session, "bootstrap.issued", str(row.id), {"expires": row.expires_wall}, SETUP)
    return SecretStr(token)


def issue_at_start(store: Store) -> SecretStr | None:
    """What a starting desk prints: a token when nobody could log in, none in replay, where it is made on request."""
    if store.settings.mode == "replay":
        return None
    with store.db.read() as session:
        if people.has_admin(session):
            return None
    return issue(store)


def use(store: Store, *, token: SecretStr, name: str, password: SecretStr, address: str | None) -> Person:
    """Make the first admin. AccessError: unauthorized (wrong, used, replaced or expired), exists, invalid.

    A name or password that will not do leaves the token good.
    """
    people.check_name(name)
    check_password(name, password)
    attempt = throttle.begin(store, _WHO, address)
    digest = _digest(token.get_secret_value())
    with store.db.read() as session:
        usable = _usable(session, digest) is not None
    hashed = hash_password(name, password) if usable else ""
    made: Person | None = None
    with store.db.write() as session:
        row = _usable(session, digest)
        if row is None:
            content = {"name": None, "why": "bootstrap token"}
            record(session, "login.failed", str(attempt.id), content, Principal("nobody", "control", address))
        else:
            _refuse_if_needless(session)
            by = Principal("setup", "control", address)
            person = people.insert(session, by=by, name=name, role="admin", password_hash=hashed)
            row.status, row.used_by = "used", name
            session.add(row)
            record(session, "bootstrap.used", str(row.id), {"name": name}, by)
            throttle.forgive(session, attempt)
            made = _shown(person)
    if made is None:
        raise AccessError(
            "this token is wrong, used, replaced or expired: `quarterdeck people bootstrap` prints a new one",
            code="unauthorized",
        )
    return made


def _usable(session: Session, digest: str) -> BootstrapRow | None:
    query = select(BootstrapRow).where(
        BootstrapRow.token_sha256 == digest, BootstrapRow.status == "open", col(BootstrapRow.expires_wall) > now()
    )
    return session.exec(query).first()


def _refuse_if_needless(session: Session) -> None:
    if people.has_admin(session):
        raise AccessError("this home has an admin: admins add people with `quarterdeck people add`", code="exists")


def _shown(row: PersonRow) -> Person:
    return Person(
        name=row.name, role=row.role, disabled=False, has_password=True, order_limit=None, day_limit=None,
        created_by=row.created_by, created=row.created_wall,
    )  # fmt: skip


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
