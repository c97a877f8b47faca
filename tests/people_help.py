"""People for tests: passwords that cost little, somebody of each role, and what the store and ledger say of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr
from sqlmodel import col, select

from memory.tables import LedgerRow
from pipeline import passwords, people
from pipeline.people import Added
from pipeline.store import Principal, Store

PASSWORD = "correct horse battery"
ROOT = Principal("local operator", "person", "cli")


def make_passwords_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with the same function but without its price."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", cheap)
    monkeypatch.setattr(passwords, "NOBODY", cheap.hash("nobody's password"))


def add(store: Store, name: str, role: str, **changes: Any) -> Added:
    """Somebody with the password of tests and an API key."""
    wishes: dict[str, Any] = {"password": SecretStr(PASSWORD), "with_key": True, **changes}
    return people.add(store, by=ROOT, name=name, role=role, **wishes)


def key_of(added: Added) -> str:
    assert added.api_key is not None
    return added.api_key.get_secret_value()


def records(store: Store, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Body and envelope of every ledger record of a kind, oldest first."""
    with store.db.read() as session:
        rows = session.exec(select(LedgerRow).where(LedgerRow.kind == kind).order_by(col(LedgerRow.seq))).all()
    return [(json.loads(row.content)["body"], row.envelope) for row in rows]


def everything_written(store: Store) -> bytes:
    """Every byte of the database, its journal and the logs of a home."""
    files = [path for path in store.home.path.rglob("*") if path.is_file() and path.suffix != ".pem"]
    return b"\n".join(path.read_bytes() for path in files if path.name != "token")
