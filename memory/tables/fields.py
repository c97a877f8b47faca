"""Field helpers shared by the tables."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from sqlalchemy import Column
from sqlmodel import Field

from memory.columns import ExactDecimal, ModelJson, PlainJson, UtcInstant


def instant(nullable: bool = False) -> Any:
    """An aware UTC datetime."""
    return Field(default=None, sa_column=Column(UtcInstant, nullable=nullable))


def json_field(nullable: bool = False) -> Any:
    """Plain JSON in canonical form."""
    return Field(default=None, sa_column=Column(PlainJson, nullable=nullable))


def money(nullable: bool = False) -> Any:
    """An exact decimal."""
    return Field(default=None, sa_column=Column(ExactDecimal, nullable=nullable))


def body(model: type[BaseModel]) -> Any:
    """One frozen domain model."""
    return Field(sa_column=Column(ModelJson(model), nullable=False))
