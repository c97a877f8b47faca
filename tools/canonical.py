"""Canonical form, hashes and ids: the same content gives the same bytes on every machine.

JSON follows RFC 8785 (JCS). Before hashing, floats are rounded to ten significant digits, decimals become
plain strings, datetimes become ISO 8601 in UTC with a trailing `Z`, dates ISO 8601, enums their value.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import rfc8785
from pydantic import BaseModel
from pydantic.fields import FieldInfo

SIGNIFICANT_DIGITS = 10


def round_float(value: float) -> float:
    """Round to ten significant digits; refuses NaN and infinities with ValueError."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no canonical form")
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def decimal_text(value: Decimal) -> str:
    """Plain notation without trailing zeros: Decimal('1.50') -> '1.5', Decimal('1E+2') -> '100'."""
    if not value.is_finite():
        raise ValueError(f"{value} has no canonical form")
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant_text(value: datetime) -> str:
    """ISO 8601 in UTC; refuses naive datetimes with ValueError."""
    if value.tzinfo is None:
        raise ValueError(f"naive datetime {value.isoformat()}: the desk works in aware UTC")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Reduce models, decimals, times and floats to canonical JSON values."""
    match value:
        case None | bool() | str():
            return value.value if isinstance(value, Enum) else value
        case Enum():
            return plain(value.value)
        case int():
            return value
        case float():
            return round_float(value)
        case Decimal():
            return decimal_text(value)
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case BaseModel():
            return {
                name: plain(item)
                for name, field in type(value).model_fields.items()
                if not _left_out(field, item := getattr(value, name))
            }
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Set():
            return sorted(plain(item) for item in value)
        case Sequence():
            return [plain(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form")


def _left_out(field: FieldInfo, value: Any) -> bool:
    """A field that came later is left out while unused (`exclude_if`): what was hashed before keeps its hash."""
    return field.exclude_if is not None and bool(field.exclude_if(value))


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of any domain value."""
    return rfc8785.dumps(plain(value))


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content_sha256(value: Any) -> str:
    """SHA-256 of the canonical bytes, as 64 hex digits."""
    return sha256_hex(canonical_bytes(value))


def stable_id(prefix: str, *parts: Any) -> str:
    """An id that the same parts always give: `prefix_` and 16 hex digits of their hash."""
    return f"{prefix}_{content_sha256(list(parts))[:16]}"
