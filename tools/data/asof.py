"""The gate every reader of evidence passes: nothing known later than the clock gets through (P6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tools.canonical import instant_text
from tools.data.sessions import require_aware
from tools.errors import FutureDataError
from tools.types import Evidence


def read(evidence: Iterable[Evidence], as_of: datetime) -> tuple[Evidence, ...]:
    """Return `evidence` unchanged and in order; FutureDataError if any of it was known only after `as_of`."""
    items = tuple(evidence)
    for item in items:
        require_known(item.known_at, as_of, f"evidence {item.id} ({item.kind} from {item.source})")
    return items


def require_known(known_at: datetime, as_of: datetime, what: str) -> None:
    """FutureDataError with code `future_data` when `what` became known after `as_of`."""
    if known_at > require_aware(as_of):
        raise FutureDataError(
            f"{what} is known from {instant_text(known_at)}, after the clock {instant_text(as_of)}; "
            "read it at that tick or later",
            code="future_data",
        )
