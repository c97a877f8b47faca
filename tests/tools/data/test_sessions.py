"""Sessions, ticks and dates."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tools.data.sessions import Schedule, Session, exchange_sessions, first_on_or_after, index_of, missing_between
from tools.errors import DataError

DAYS = (date(2010, 1, 4), date(2010, 1, 5), date(2010, 1, 7))


def _session(day: date) -> Session:
    return Session(day, datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC),
                   datetime(day.year, day.month, day.day, 21, tzinfo=UTC))  # fmt: skip


def test_exchange_sessions_skip_holidays() -> None:
    days = [item.day for item in exchange_sessions(date(2009, 12, 23), date(2010, 1, 5))]
    assert days == [date(2009, 12, day) for day in (23, 24, 28, 29, 30, 31)] + [date(2010, 1, 4), date(2010, 1, 5)]


def test_a_schedule_counts_what_opened_and_closed() -> None:
    schedule = Schedule(tuple(map(_session, DAYS)))
    noon = datetime(2010, 1, 5, 18, tzinfo=UTC)
    assert (schedule.opened(noon), schedule.closed(noon)) == (2, 1)
    assert schedule.closed(schedule.tick(DAYS[1], "close").as_of) == 2
    with pytest.raises(DataError):
        Schedule(())
    with pytest.raises(DataError):
        Schedule((_session(DAYS[1]), _session(DAYS[0])))


def test_dates_are_found_or_refused_with_neighbours() -> None:
    assert index_of(DAYS, DAYS[2]) == 2
    assert first_on_or_after(DAYS, date(2010, 1, 6)) == 2
    with pytest.raises(DataError, match="2010-01-05 and 2010-01-07"):
        index_of(DAYS, date(2010, 1, 6))
    for outside in (date(2010, 1, 3), date(2010, 1, 8)):
        with pytest.raises(DataError) as refusal:
            first_on_or_after(DAYS, outside)
        assert refusal.value.code == "outside_window"


def test_missing_sessions_lie_inside_the_span() -> None:
    exchange = tuple(_session(date(2010, 1, day)) for day in (1, 4, 5, 6, 7, 8))
    assert missing_between(exchange, DAYS) == (date(2010, 1, 6),)
