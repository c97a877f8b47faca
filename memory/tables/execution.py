"""Orders, what must be said about them, fills and positions."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from memory.columns import ExactDecimal
from memory.tables.fields import body, instant, json_field, money
from tools.execution.types import Fill, OrderRequest


class ParentRow(SQLModel, table=True):
    """What one grant allows in all. Child orders draw `quantity` down; no child ever draws beyond it.

    `status`: open, or stopped when no further child may be written. `plan` is an algorithm's, None for one order.
    """

    __tablename__ = "parents"
    __table_args__ = (CheckConstraint("drawn >= 0 AND drawn <= quantity", name="within_budget"),)
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str = Field(index=True)
    grant_id: str = Field(unique=True)
    symbol: str
    side: str
    quantity: int
    drawn: int = 0
    status: str = "open"
    reason: str | None = None
    plan: dict[str, Any] | None = json_field(nullable=True)
    opened: datetime = instant()


class OrderRow(SQLModel, table=True):
    """One order of ours. UNIQUE(case, leg, attempt) is what makes a second one impossible."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("run_id", "case_id", "leg", "attempt"),)
    client_order_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str = Field(index=True)
    grant_id: str = Field(index=True)
    leg: str
    attempt: int
    symbol: str = Field(index=True)
    side: str
    quantity: int
    state: str = Field(index=True)
    filled_quantity: int = 0
    average_price: Decimal | None = money(nullable=True)
    stop_price: Decimal | None = money(nullable=True)
    broker_order_id: str | None = None
    reason: str | None = None
    parent_id: str | None = Field(default=None, index=True)
    created: datetime = instant()
    body: OrderRequest = body(OrderRequest)
    updated_wall: datetime = instant()


class OutboxRow(SQLModel, table=True):
    """What must be said to the broker. `status`: pending, sent, done."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("client_order_id", "action"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    client_order_id: str
    action: str
    status: str = Field(default="pending", index=True)
    attempts: int = 0
    last_error: str | None = None
    created_wall: datetime = instant()


class FillRow(SQLModel, table=True):
    __tablename__ = "fills"
    execution_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str | None = Field(default=None, index=True)
    client_order_id: str = Field(index=True)
    symbol: str = Field(index=True)
    side: str
    quantity: int
    price: Decimal = money()
    commission: Decimal = money()
    session: date
    at: datetime = instant()
    body: Fill = body(Fill)


class PositionRow(SQLModel, table=True):
    """What is held. `atr` (money) and `adv_shares` are of the last close: a flatten needs no market data."""

    __tablename__ = "positions"
    run_id: str = Field(primary_key=True)
    symbol: str = Field(primary_key=True)
    quantity: int
    average_price: Decimal = money()
    realised: Decimal = money()
    mark: Decimal = money()
    sector: str
    strategy: str
    case_id: str
    opened_index: int
    stop_price: Decimal | None = money(nullable=True)
    opened_realised: Decimal = Field(
        default=Decimal(0), sa_column=Column(ExactDecimal, nullable=False, server_default="0")
    )
    """What the symbol had realised before this position was opened."""
    stop_why: str | None = None
    atr: Decimal | None = money(nullable=True)
    adv_shares: int | None = None
