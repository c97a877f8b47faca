"""Column types: a frozen domain model as canonical JSON text, aware UTC instants, exact decimals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlalchemy import Dialect, String, Text, TypeDecorator

from tools.canonical import canonical_bytes, decimal_text
from tools.types import CaseBody, Change, Proposal

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


class Damaged(NamedTuple):
    """What stands where a body of a case should be. It has no digest, so that nothing binds it."""

    text: str
    digest: str = ""


class CaseBodyJson(TypeDecorator[Proposal | Change | Damaged]):
    """Stores what a case is about. A body that is none comes back as `Damaged`: one bad row stops no other case."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Proposal | Change | Damaged | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.text if isinstance(value, Damaged) else value.model_dump_json()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Proposal | Change | Damaged | None:
        if value is None:
            return None
        try:
            return _CASE_BODY.validate_json(value)
        except ValidationError:
            return Damaged(str(value))


_CASE_BODY: Final[TypeAdapter[Proposal | Change]] = TypeAdapter(CaseBody)


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
