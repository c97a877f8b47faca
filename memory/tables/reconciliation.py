"""Differences between our book and the broker's, what was decided about them, and amended executions."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from memory.tables.fields import body, instant, money
from tools.execution.reconciliation.types import Break, Report

_OPEN_SQL = "status = 'open'"


class BreakRow(SQLModel, table=True):
    """One difference. `status`: open, explained, adopted, left, or closed when it went away by itself."""

    __tablename__ = "breaks"
    __table_args__ = (
        UniqueConstraint("run_id", "kind", "subject", "occurrence"),
        Index(
            "one_open_break", "run_id", "kind", "subject", unique=True,
            sqlite_where=text(_OPEN_SQL), postgresql_where=text(_OPEN_SQL),
        ),
    )  # fmt: skip
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    kind: str
    subject: str
    occurrence: int
    symbol: str | None = None
    status: str = Field(index=True)
    body: Break = body(Break)
    opened: datetime = instant()
    opened_wall: datetime = instant()
    ended_wall: datetime | None = instant(nullable=True)
    principal: str | None = None
    reason: str | None = None
    case_id: str | None = None


class ReconciliationRow(SQLModel, table=True):
    """The latest comparison of a run's books."""

    __tablename__ = "reconciliations"
    run_id: str = Field(primary_key=True)
    body: Report = body(Report)


class AmendmentRow(SQLModel, table=True):
    """The venue's last word on an execution that it busted (`quantity` 0) or corrected."""

    __tablename__ = "amendments"
    execution_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    message_id: str
    kind: str
    quantity: int
    price: Decimal = money()
    at: datetime = instant()
