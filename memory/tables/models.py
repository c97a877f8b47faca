"""What model calls may cost and did cost, and what they changed."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlmodel import Field, SQLModel

from memory.tables.fields import instant, money


class SpendRow(SQLModel, table=True):
    """One model call: what was set aside for it until it is settled, then what it used.

    `day` is a UTC day of the wall clock. `money` is None where the model has no price.
    """

    __tablename__ = "model_spend"
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str
    call: str
    model_id: str
    day: date = Field(index=True)
    tokens: int
    money: Decimal | None = money(nullable=True)
    settled: bool = False
    at_wall: datetime = instant()


class ModelReviewRow(SQLModel, table=True):
    """One review by a model: its own word, the rules' word, and what came of the two.

    Factors are the share let through. `agreement` is the share of samples that said it, None for one sample.
    """

    __tablename__ = "model_reviews"
    case_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str = Field(index=True)
    framework: str
    said: str
    said_factor: Decimal = money()
    ruled: str
    ruled_factor: Decimal = money()
    verdict: str
    factor: Decimal = money()
    abstain_reason: str | None = None
    agreement: float | None = None
