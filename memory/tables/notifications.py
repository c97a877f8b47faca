"""What is to be told to the outside, who has looked at what, and the planted cases."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from memory.tables.fields import instant, json_field


class NotificationRow(SQLModel, table=True):
    """One message to one target. `status`: pending, sent, given_up.

    `id` follows from target, event, subject and content and is the delivery id that receivers see. From
    `next_attempt_wall` on anybody may take it: a taker moves it ahead, so that a crash only means a later attempt.
    """

    __tablename__ = "notifications"
    __table_args__ = (Index("due_notifications", "status", "next_attempt_wall"),)
    id: str = Field(primary_key=True)
    event: str = Field(index=True)
    subject_id: str = Field(index=True)
    target: str = Field(index=True)
    content: dict[str, Any] = json_field()
    status: str = "pending"
    attempts: int = 0
    claim: str | None = None
    last_error: str | None = None
    next_attempt_wall: datetime = instant()
    created_wall: datetime = instant()
    closed_wall: datetime | None = instant(nullable=True)


class ViewRow(SQLModel, table=True):
    """One person's looks at one question, added up. `seconds` is time before that person answered."""

    __tablename__ = "views"
    approval_id: str = Field(primary_key=True)
    principal: str = Field(primary_key=True)
    case_id: str = Field(index=True)
    views: int = 0
    seconds: float = 0.0
    evidence_opened: bool = False
    first_wall: datetime = instant()
    last_wall: datetime = instant()


class CanaryRow(SQLModel, table=True):
    """What was committed for one cycle: a planted case, or nothing. The salt is secret until it is revealed.

    `status`: empty (nothing planted), committed, planted, passed, caught, unanswered.
    """

    __tablename__ = "canaries"
    __table_args__ = (UniqueConstraint("run_id", "cycle_index"),)
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    cycle_index: int
    flaw: str | None = None
    pick: int
    salt: str = Field(repr=False)
    commitment: str
    status: str = Field(index=True)
    case_id: str | None = Field(default=None, unique=True)
    principal: str | None = Field(default=None, index=True)
    revealed: bool = False
    committed_wall: datetime = instant()
    closed_wall: datetime | None = instant(nullable=True)
