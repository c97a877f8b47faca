"""Halts, commands, heartbeats, the ledger and recordings."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from memory.tables.fields import instant, json_field


class HaltRow(SQLModel, table=True):
    """An engaged stop. In force until `released_wall` is set.

    `ends_index` (a session of `run_id`) and `ends_wall` are when it ends by itself; a person's halt has neither.
    `detail` says what is still to be done, `asked_release` who wants it gone where one person is not enough.
    """

    __tablename__ = "halts"
    id: str = Field(primary_key=True)
    scope: str
    target: str | None = None
    action: str
    reason: str
    principal: str
    source: str
    engaged_wall: datetime = instant()
    carried_out: bool = False
    released_wall: datetime | None = instant(nullable=True)
    released_by: str | None = None
    release_reason: str | None = None
    run_id: str | None = None
    engaged_index: int | None = None
    ends_index: int | None = None
    ends_wall: datetime | None = instant(nullable=True)
    cause: str | None = None
    detail: str | None = None
    asked_release: list[str] | None = json_field(nullable=True)


class CommandRow(SQLModel, table=True):
    """A wish of a person to the engine, e.g. `next`. `status`: pending, done, refused."""

    __tablename__ = "commands"
    id: str = Field(primary_key=True)
    kind: str
    principal: str
    status: str = Field(default="pending", index=True)
    detail: str | None = None
    asked_wall: datetime = instant()


class HeartbeatRow(SQLModel, table=True):
    """Which processes live and what they do."""

    __tablename__ = "heartbeats"
    component: str = Field(primary_key=True)
    pid: int
    state: str
    detail: str
    at_wall: datetime = instant()


class LedgerRow(SQLModel, table=True):
    """One record. `content` is hashed and chained; `envelope` is not (P11)."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("case_id", "step", "revision"),)
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    run_id: str | None = Field(default=None, index=True)
    kind: str = Field(index=True)
    case_id: str | None = Field(default=None, index=True)
    step: str
    revision: int
    desk_time: datetime = instant()
    stage: int
    rank: int
    content: str
    leaf: str
    prev_hash: str = Field(unique=True)
    hash: str = Field(unique=True)
    envelope: dict[str, Any] = json_field()


class BlobRow(SQLModel, table=True):
    """Content-addressed bytes (zlib of canonical JSON) of a recorded input or output."""

    __tablename__ = "blobs"
    sha256: str = Field(primary_key=True)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RecordingRow(SQLModel, table=True):
    """One tool or model call: who was called, with what, answering what, in the order of `seq`."""

    __tablename__ = "recordings"
    __table_args__ = (UniqueConstraint("run_id", "cycle_id", "call", "input_sha256", "attempt"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str = Field(index=True)
    case_id: str | None = Field(default=None, index=True)
    kind: str
    call: str
    attempt: int = 0
    input_sha256: str
    output_sha256: str
    meta: dict[str, Any] = json_field()
    at_wall: datetime = instant()
