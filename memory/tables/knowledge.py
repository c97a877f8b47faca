"""What was known, noticed, explained and learned."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Index, LargeBinary, false, text
from sqlmodel import Field, SQLModel

from memory.tables.fields import body, instant, json_field, money
from tools.data.types import Headline
from tools.types import Evidence, Finding, Lesson, Outcome, Signal

EMPTY = {"server_default": text("''")}


class EvidenceRow(SQLModel, table=True):
    __tablename__ = "evidence"
    id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    symbol: str | None = Field(default=None, index=True)
    known_at: datetime = instant()
    body: Evidence = body(Evidence)


class HeadlineRow(SQLModel, table=True):
    """Headlines a run has seen, kept for the text screens and for replay."""

    __tablename__ = "headlines"
    run_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    known_at: datetime = instant()
    body: Headline = body(Headline)


class SignalRow(SQLModel, table=True):
    __tablename__ = "signals"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str
    symbol: str = Field(index=True)
    as_of: datetime = instant()
    body: Signal = body(Signal)


class FindingRow(SQLModel, table=True):
    """One standing finding: `key` says what it is about, `as_of` when it was last seen, `body` what was said then."""

    __tablename__ = "findings"
    id: str = Field(primary_key=True)
    run_id: str | None = Field(default=None, index=True)
    key: str | None = Field(default=None, index=True)
    code: str
    severity: str = Field(index=True)
    worst: str | None = None
    component: str
    symbol: str | None = None
    as_of: datetime = instant()
    first_as_of: datetime | None = instant(nullable=True)
    times_seen: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    cleared_as_of: datetime | None = instant(nullable=True)
    body: Finding = body(Finding)
    acknowledged_by: str | None = None
    acknowledged_reason: str | None = None
    acknowledged_wall: datetime | None = instant(nullable=True)
    silenced_by: str | None = None
    silenced_reason: str | None = None
    silenced_until_wall: datetime | None = instant(nullable=True)
    silenced_until_index: int | None = None


class HealthRow(SQLModel, table=True):
    """One fact about the desk's health at the close of one session: the history that monitoring compares with."""

    __tablename__ = "health"
    run_id: str = Field(primary_key=True)
    session_index: int = Field(primary_key=True)
    component: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    session: date
    value: float


class ExplanationRow(SQLModel, table=True):
    """A bound explanation: the claim graph, its hash, and prose rendered from it."""

    __tablename__ = "explanations"
    case_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    sha256: str
    claims: int
    numbers: int
    unresolved: int
    dropped: int
    reasoner: str
    body: dict[str, Any] = json_field()


class OutcomeRow(SQLModel, table=True):
    __tablename__ = "outcomes"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str = Field(index=True)
    strategy: str
    symbol: str = Field(index=True)
    disposition: str = Field(index=True)
    settled: bool = Field(default=False, index=True)
    opened_index: int
    due_index: int = Field(index=True)
    index_entry: float
    body: Outcome = body(Outcome)
    kind: str | None = None
    horizon_sessions: int | None = None
    excess_return: float | None = None
    confidence: float | None = None
    regime: str | None = None
    refused_for: str | None = None


class LessonRow(SQLModel, table=True):
    """A lesson as it was written, and where it stands. `revision` rises by one with every move, `since_index` is the
    session of the last one, `case_id` the case that made it; `confirmed_index` when newer outcomes last agreed."""

    __tablename__ = "lessons"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    state: str = Field(index=True)
    scope: str
    as_of: datetime = instant()
    body: Lesson = body(Lesson)
    revision: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    since_index: int | None = None
    confirmed_index: int | None = None
    case_id: str | None = None


class LessonShadowRow(SQLModel, table=True):
    """What a lesson in shadow would have made of one review: the factor that was given and the one it asks for."""

    __tablename__ = "lesson_shadows"
    lesson_id: str = Field(primary_key=True)
    case_id: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    run_id: str = Field(index=True)
    session_index: int
    verdict: str
    factor: Decimal = money()
    would_factor: Decimal = money()


class MemoryRow(SQLModel, table=True):
    """One remembered item: its text, its vector and what is known of it. Chroma is only an index over these rows.

    `run_id` is the run that remembers, or "desk" for runbooks; `subject` the case, lesson or runbook it is about.
    `outcome` is a case's disposition, `regime` the market's when the case opened ("" is not known). From session
    `superseded_index` on something newer stands in its place. `cluster` is the first of the near-duplicates that it
    belongs to, `encoder` the fingerprint of what made the vector.
    """

    __tablename__ = "memories"
    __table_args__ = (Index("ix_memories_shelf", "run_id", "kind", "strategy", "known_index"),)
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    kind: str
    symbol: str
    strategy: str
    known_index: int
    text: str
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    subject: str = Field(default="", sa_column_kwargs=EMPTY)
    outcome: str | None = None
    regime: str = Field(default="", sa_column_kwargs=EMPTY)
    taint: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    superseded_index: int | None = None
    cluster: str = Field(default="", index=True, sa_column_kwargs=EMPTY)
    encoder: str = Field(default="", sa_column_kwargs=EMPTY)


class ChatRow(SQLModel, table=True):
    """One question of a person or one answer to it. `body` is the answer's spans, intent and what it was about;
    `reply_to` the question's id; `put_away` is set on every row of a thread that its owner took off their list."""

    __tablename__ = "chat"
    id: int | None = Field(default=None, primary_key=True)
    thread_id: str = Field(index=True)
    role: str
    principal: str
    text: str
    evidence_ids: list[str] = json_field()
    at_wall: datetime = instant()
    reply_to: int | None = None
    body: dict[str, Any] | None = json_field(nullable=True)
    put_away: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
