"""API keys `qdk_<id>_<secret>`: shown once, kept as a hash, scoped, revocable, dead with their person."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from pydantic import SecretStr
from sqlmodel import Session, col, select

from memory.tables import ApiKeyRow, PersonRow
from pipeline.record import record
from pipeline.roles import SCOPES_OF, Identity, Scope
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now
from tools.errors import AccessError
from tools.types import Frozen, Instant

PREFIX = "qdk_"
KEY_ID = re.compile(r"[0-9a-f]{12}")
_NO_SECRET = "0" * 64


class ApiKey(Frozen):
    """A key as people may see it afterwards: everything but the secret."""

    id: str
    person: str
    scopes: tuple[str, ...]
    created_by: str
    created: Instant
    revoked: Instant | None

    @classmethod
    def of(cls, row: ApiKeyRow) -> ApiKey:
        return cls(
            id=row.id, person=row.person, scopes=tuple(row.scopes), created_by=row.created_by,
            created=row.created_wall, revoked=row.revoked_wall,
        )  # fmt: skip


class NewKey(Frozen):
    """The only moment at which the secret can be read."""

    key: ApiKey
    secret: SecretStr


def issue(session: Session, person: PersonRow, scopes: Iterable[str] | None, by: Principal) -> NewKey:
    """Make a key inside the caller's write transaction; without `scopes` it may all that its person may."""
    allowed = SCOPES_OF[person.role]  # type: ignore[index]
    wanted = sorted(allowed if scopes is None else set(scopes))
    beyond = [scope for scope in wanted if scope not in allowed]
    if beyond or not wanted:
        raise AccessError(
            f"scopes {wanted} do not fit the role {person.role}: choose among {', '.join(sorted(allowed))}",
            code="invalid",
        )
    secret = secrets.token_urlsafe(32)
    row = ApiKeyRow(
        id=secrets.token_hex(6), person=person.name, secret_sha256=_digest(secret), scopes=wanted, created_by=by.name,
        created_wall=now(),
    )  # fmt: skip
    session.add(row)
    record(session, "key.issued", row.id, {"person": person.name, "key": row.id, "scopes": wanted}, by)
    return NewKey(key=ApiKey.of(row), secret=SecretStr(f"{PREFIX}{row.id}_{secret}"))


def revoke(store: Store, key_id: str, *, by: Principal) -> ApiKey:
    """Make a key worthless at once. Again changes nothing; AccessError(not_found) for an unknown id."""
    with store.db.write() as session:
        confirm(session, by, "admin")
        row = _find(session, key_id)
        if row is None:
            raise AccessError(
                f"there is no API key {key_id[:40]!r}: `quarterdeck people list` shows them", code="not_found"
            )
        if row.revoked_wall is None:
            row.revoked_wall, row.revoked_by = now(), by.name
            session.add(row)
            record(session, "key.revoked", row.id, {"person": row.person, "key": row.id}, by)
        return ApiKey.of(row)


def follow_role(session: Session, person: str, before: str, after: str) -> list[str]:
    """Let the keys of a person that could do all of the role `before` do all of `after`; returns their ids."""
    old, new = SCOPES_OF[before], sorted(SCOPES_OF[after])  # type: ignore[index]
    query = select(ApiKeyRow).where(ApiKeyRow.person == person, col(ApiKeyRow.revoked_wall).is_(None))
    full = [row for row in session.exec(query.order_by(col(ApiKeyRow.id))) if old <= set(row.scopes)]
    for row in full:
        row.scopes = list(new)
        session.add(row)
    return [row.id for row in full]


def identify(session: Session, presented: str, address: str | None) -> Identity | None:
    """Whom a key speaks for; None when it is wrong, revoked, or its person is disabled."""
    key_id, _, secret = presented.removeprefix(PREFIX).partition("_")
    row = _find(session, key_id)
    fits = hmac.compare_digest(_digest(secret), row.secret_sha256 if row else _NO_SECRET)
    if row is None or not fits or row.revoked_wall is not None:
        return None
    person = session.get(PersonRow, row.person)
    if person is None or person.disabled_wall is not None or person.role not in SCOPES_OF:
        return None
    granted: set[Scope] = {scope for scope in SCOPES_OF[person.role] if scope in row.scopes}  # type: ignore[index]
    return Identity(
        person.name, person.role, "person", frozenset(granted), f"key:{row.id}", address,  # type: ignore[arg-type]
    )  # fmt: skip


def keys_of(session: Session) -> dict[str, list[ApiKey]]:
    """Every key by person, oldest first."""
    found: dict[str, list[ApiKey]] = {}
    for row in session.exec(select(ApiKeyRow).order_by(col(ApiKeyRow.created_wall), col(ApiKeyRow.id))):
        found.setdefault(row.person, []).append(ApiKey.of(row))
    return found


def _find(session: Session, key_id: str) -> ApiKeyRow | None:
    """Text that cannot be an id never reaches the database."""
    return session.get(ApiKeyRow, key_id) if KEY_ID.fullmatch(key_id) else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
