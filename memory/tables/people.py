"""People, their keys and their sessions. Secrets are here as hashes only; all times are wall clock."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel import Field, SQLModel

from memory.tables.fields import instant, json_field, money


class PersonRow(SQLModel, table=True):
    """One person. Never deleted: the ledger and old decisions name them. Limits are in account currency."""

    __tablename__ = "people"
    name: str = Field(primary_key=True)
    role: str
    password_hash: str | None = Field(default=None, repr=False)
    order_limit: Decimal | None = money(nullable=True)
    day_limit: Decimal | None = money(nullable=True)
    created_by: str
    created_wall: datetime = instant()
    disabled_by: str | None = None
    disabled_wall: datetime | None = instant(nullable=True)


class ApiKeyRow(SQLModel, table=True):
    """A key of one person. The secret has 256 random bits, so its plain SHA-256 tells nothing."""

    __tablename__ = "api_keys"
    id: str = Field(primary_key=True)
    person: str = Field(index=True, foreign_key="people.name")
    secret_sha256: str = Field(repr=False)
    scopes: list[str] = json_field()
    created_by: str
    created_wall: datetime = instant()
    revoked_by: str | None = None
    revoked_wall: datetime | None = instant(nullable=True)


class LoginSessionRow(SQLModel, table=True):
    """A browser that a person logged in. `seen_wall` is the last time the person did something in it."""

    __tablename__ = "login_sessions"
    id: str = Field(primary_key=True)
    token_sha256: str = Field(unique=True, repr=False)
    person: str = Field(index=True, foreign_key="people.name")
    address: str | None = None
    created_wall: datetime = instant()
    seen_wall: datetime = instant()
    ended_wall: datetime | None = instant(nullable=True)
    ended_why: str | None = None


class LoginAttemptRow(SQLModel, table=True):
    """An attempt that has not succeeded (yet). `name_key` is a keyed hash: people type passwords into name fields."""

    __tablename__ = "login_attempts"
    id: int | None = Field(default=None, primary_key=True)
    name_key: str = Field(index=True)
    address: str = Field(index=True)
    at_wall: datetime = instant()


class BootstrapRow(SQLModel, table=True):
    """A one-time token that makes the first admin. `status`: open, used, replaced."""

    __tablename__ = "bootstrap_tokens"
    id: int | None = Field(default=None, primary_key=True)
    token_sha256: str = Field(unique=True, repr=False)
    status: str = Field(default="open", index=True)
    created_wall: datetime = instant()
    expires_wall: datetime = instant()
    used_by: str | None = None
