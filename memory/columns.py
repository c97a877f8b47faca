"""Column types: a frozen domain model as canonical JSON text, aware UTC instants, exact decimals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import Dialect, String, Text, TypeDecorator

from tools.canonical import canonical_bytes, decimal_text

M = TypeVar("M", bound=BaseModel)


class ModelJson(TypeDecorator[M], Generic[M]):
    """Stores one Pydantic model; reading validates it again, so a damaged row cannot pass for data."""

    impl = Text
    cache_ok = True

    def __init__(self, model: type[M]) -> None:
        super().__init__()
        self.model = model

    def process_bind_param(self, value: M | None, dialect: Dialect) -> str | None:
        return None if value is None else value.model_dump_json()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> M | None:
        return None if value is None else self.model.model_validate_json(value)


class PlainJson(TypeDecorator[Any]):
    """Stores plain JSON (dicts and lists) in canonical form."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else canonical_bytes(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        return None if value is None else json.loads(value)


class UtcInstant(TypeDecorator[datetime]):
    """Aware UTC datetimes as ISO text, which sorts in time order in every database."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: the desk works in aware UTC")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """Decimals as plain text: no database rounds them."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else decimal_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)
