"""How often somebody may try to log in: counted in the store, so that neither a restart nor a second process resets it.

An attempt is counted before its password is looked at and taken back when it succeeds: attempts at the same moment
cannot slip past the count together.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel import Session, col, delete, func, select

from memory.tables import LoginAttemptRow
from pipeline.store import Store, now
from tools.errors import AccessError

WINDOW = timedelta(minutes=5)
TRIES = 5
"""For one name from one address."""
TRIES_OF_A_NAME = 20
"""For one name from anywhere: many machines guessing one password."""
TRIES_OF_AN_ADDRESS = 20
"""From one address for any name: one machine trying a password on everybody."""


class Attempt(NamedTuple):
    """One counted attempt."""

    id: int
    name_key: str
    address: str


def begin(store: Store, name: str, address: str | None) -> Attempt:
    """Count an attempt; AccessError(too_many_attempts) with `retry_after` when there were too many."""
    name_key, place = _name_key(store, name), _place(address)
    with store.db.read() as session:
        _refuse_if_spent(session, name_key, place)
    with store.db.write() as session:
        _refuse_if_spent(session, name_key, place)
        session.exec(delete(LoginAttemptRow).where(col(LoginAttemptRow.at_wall) <= now() - WINDOW))
        row = LoginAttemptRow(name_key=name_key, address=place, at_wall=now())
        session.add(row)
        session.flush()
        assert row.id is not None
        return Attempt(row.id, name_key, place)


def forgive(session: Session, attempt: Attempt) -> None:
    """Forget what this name tried from this address: it was the person after all."""
    session.exec(
        delete(LoginAttemptRow).where(
            col(LoginAttemptRow.name_key) == attempt.name_key, col(LoginAttemptRow.address) == attempt.address
        )
    )


def spent(session: Session, attempt: Attempt) -> bool:
    """True when the next attempt like this one will be refused."""
    return _wait(session, attempt.name_key, attempt.address, now()) is not None


def _refuse_if_spent(session: Session, name_key: str, place: str) -> None:
    at = now()
    free = _wait(session, name_key, place, at)
    if free is None:
        return
    seconds = max(1, math.ceil((free - at).total_seconds()))
    raise AccessError(
        f"too many attempts to log in: try again in {seconds} s", code="too_many_attempts", retry_after=seconds
    )


def _wait(session: Session, name_key: str, place: str, at: datetime) -> datetime | None:
    """When the next attempt is free; None when it is free now."""
    same_name, same_place = col(LoginAttemptRow.name_key) == name_key, col(LoginAttemptRow.address) == place
    recent = col(LoginAttemptRow.at_wall) > at - WINDOW
    waits: list[datetime] = []
    for condition, tries in (
        (same_name & same_place, TRIES), (same_name, TRIES_OF_A_NAME), (same_place, TRIES_OF_AN_ADDRESS),
    ):  # fmt: skip
        count = session.exec(select(func.count()).select_from(LoginAttemptRow).where(recent, condition)).one()
        if count >= tries:
            query = select(LoginAttemptRow.at_wall).where(recent, condition).order_by(col(LoginAttemptRow.at_wall))
            waits.append(session.exec(query.offset(count - tries).limit(1)).one() + WINDOW)
    return max(waits, default=None)


def _name_key(store: Store, name: str) -> str:
    """A name as it is counted: people type passwords into name fields, so it is kept under a keyed hash only."""
    key = hashlib.sha256(b"quarterdeck login names" + store.home.token().encode()).digest()
    return hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _place(address: str | None) -> str:
    """An address as it is counted: whoever has one IPv6 address has the whole /64."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return (address or "unknown")[:64]
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network(f"{found}/64", strict=False).network_address)
    return str(found)
