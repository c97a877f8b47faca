"""Homes, runs and what is in force."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Field, SQLModel

from memory.tables.fields import instant, json_field, money


class HomeRow(SQLModel, table=True):
    """One row: what this home is. A home never changes its mode."""

    __tablename__ = "home"
    id: int = Field(default=1, primary_key=True)
    mode: str
    schema_version: str
    created_wall: datetime = instant()


class RunRow(SQLModel, table=True):
    """One replay or one paper/live book. `session_index`, `phase` and `stage` are where its clock stands."""

    __tablename__ = "runs"
    id: str = Field(primary_key=True)
    ordinal: int = Field(unique=True)
    mode: str
    fingerprint: str
    seed: int
    start: date
    config: dict[str, Any] = json_field()
    session_index: int
    sessions_played: int = 0
    stage: str = "closed"
    equity_start: Decimal = money()
    cash: Decimal = money()
    peak_equity: Decimal = money()
    day_start_equity: Decimal = money()
    broker_sequence: int = 0
    loss_streak: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    active: bool = True
    created_wall: datetime = instant()


class StrategyRow(SQLModel, table=True):
    """Who enabled a strategy again, and how many automatic executions it had by then."""

    __tablename__ = "strategies"
    run_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    executions: int
    enabled_by: str
    reason: str
    enabled_wall: datetime = instant()


class BreachRow(SQLModel, table=True):
    """A limit that the book passed without an order: since which session, until which."""

    __tablename__ = "breaches"
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    control: str
    subject: str
    since_index: int
    ended_index: int | None = None
    overdue: bool = False
    value: Decimal = money()
    limit: Decimal = money()


class ActivationRow(SQLModel, table=True):
    """Which hash of a limits or policy file is in force. A file is a candidate; this row activates it."""

    __tablename__ = "activations"
    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(index=True)
    version: str
    sha256: str
    body: str
    principal: str
    activated_wall: datetime = instant()


class EquityRow(SQLModel, table=True):
    """Marked equity at each close of a run, from our own book."""

    __tablename__ = "equity"
    run_id: str = Field(primary_key=True)
    session: date = Field(primary_key=True)
    equity: Decimal = money()
    cash: Decimal = money()
    drawdown: Decimal = money()
    index_close: float
