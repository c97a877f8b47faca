"""Exchange sessions: when a market opened and closed, and which session a moment belongs to."""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from tools.errors import DataError
from tools.types import Tick


def require_aware(as_of: datetime) -> datetime:
    """Return `as_of`; DataError with code `naive_clock` when it carries no time zone."""
    if as_of.tzinfo is None:
        raise DataError(
            f"the clock {as_of.isoformat()} has no time zone; pass an aware UTC datetime", code="naive_clock"
        )
    return as_of


@dataclass(frozen=True)
class Session:
    """One trading day with its opening and closing moments in UTC."""

    day: date
    opens: datetime
    closes: datetime


@lru_cache(maxsize=4)
def exchange_sessions(first: date, last: date) -> tuple[Session, ...]:
    """Sessions of the New York Stock Exchange from `first` to `last`, early closes included.

    Source: calendar XNYS of exchange_calendars, imported on first use. pandas 3.1 warns inside that package
    about `Series.values` on time zones; its values are UTC either way, so the warning stops here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

        calendar = XNYSExchangeCalendar(start=first.isoformat(), end=last.isoformat())
        opens, closes = calendar.opens_nanos.tolist(), calendar.closes_nanos.tolist()
    return tuple(
        Session(day=_moment(start).date(), opens=_moment(start), closes=_moment(end))
        for start, end in zip(opens, closes, strict=True)
    )


def _moment(nanoseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)


@dataclass(frozen=True)
class Schedule:
    """The sessions one market has data for, ascending. Look-ups are by bisection."""

    sessions: tuple[Session, ...]
    days: tuple[date, ...] = field(init=False)
    _opens: tuple[datetime, ...] = field(init=False, repr=False)
    _closes: tuple[datetime, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.sessions:
            raise DataError(
                "the market has no session at all; run `make setup` to reinstall its data", code="no_sessions"
            )
        if any(left.day >= right.day for left, right in pairwise(self.sessions)):
            raise DataError("sessions are not strictly ascending by date", code="unordered_sessions")
        object.__setattr__(self, "days", tuple(session.day for session in self.sessions))
        object.__setattr__(self, "_opens", tuple(session.opens for session in self.sessions))
        object.__setattr__(self, "_closes", tuple(session.closes for session in self.sessions))

    def index(self, day: date) -> int:
        """Position of `day`; DataError with code `unknown_session` naming the nearest sessions."""
        return index_of(self.days, day)

    def session(self, day: date) -> Session:
        return self.sessions[self.index(day)]

    def tick(self, day: date, phase: Literal["open", "close"]) -> Tick:
        session = self.session(day)
        return Tick(session=day, phase=phase, as_of=session.opens if phase == "open" else session.closes)

    def opened(self, as_of: datetime) -> int:
        """How many sessions have opened at `as_of`."""
        return bisect_right(self._opens, require_aware(as_of))

    def closed(self, as_of: datetime) -> int:
        """How many sessions have closed at `as_of`."""
        return bisect_right(self._closes, require_aware(as_of))


def index_of(days: Sequence[date], day: date) -> int:
    """Position of `day` in ascending `days`.

    DataError with code `outside_window` before the first or after the last, else `unknown_session`.
    """
    position = bisect_left(days, day)
    if position < len(days) and days[position] == day:
        return position
    if position in (0, len(days)):
        raise DataError(
            f"{day} lies outside the data, which run from {days[0]} to {days[-1]}; choose a date in that window",
            code="outside_window",
        )
    raise DataError(
        f"{day} is not a session of the data; the nearest are {days[position - 1]} and {days[position]}",
        code="unknown_session",
    )


def first_on_or_after(days: Sequence[date], day: date) -> int:
    """Position of the first session on or after `day`; DataError with code `outside_window` beyond either end."""
    if day < days[0] or day > days[-1]:
        return index_of(days, day)
    return bisect_left(days, day)


def missing_between(exchange: Iterable[Session], days: Sequence[date]) -> tuple[date, ...]:
    """Exchange sessions inside the span of `days` for which the data have no row."""
    known = set(days)
    return tuple(item.day for item in exchange if days[0] <= item.day <= days[-1] and item.day not in known)
