"""Evidence is kept once, never changed, and never read before it was known (P6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import evidence
from memory.database import Database
from tools.errors import FutureDataError
from tools.types import Evidence

CLOSE = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)


def item(number: int, known_at: datetime = CLOSE) -> Evidence:
    return Evidence.of("bar", "test", {"n": number}, event_time=known_at, known_at=known_at, symbol="IBM")


def test_evidence_comes_back_in_the_order_asked_without_what_is_not_there(any_db: Database) -> None:
    items = [item(n) for n in range(3)]
    with any_db.write() as session:
        assert evidence.keep(session, items) == 3
        assert evidence.keep(session, items) == 3
        assert evidence.keep(session, []) == 0
    with any_db.read() as session:
        found = evidence.read(session, [items[2].id, "ev_unknown", items[0].id, items[2].id], CLOSE)
    assert found == (items[2], items[0])


def test_evidence_known_a_second_later_is_refused_by_name(any_db: Database) -> None:
    late = item(1, CLOSE + timedelta(seconds=1))
    with any_db.write() as session:
        evidence.keep(session, [item(0), late])
    with any_db.read() as session, pytest.raises(FutureDataError, match=late.id) as caught:
        evidence.read(session, [item(0).id, late.id], CLOSE)
    assert caught.value.code == "future_evidence"


@given(known=st.integers(-500, 500), asked=st.integers(-500, 500))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_evidence_is_readable_exactly_from_the_moment_it_was_known(db: Database, known: int, asked: int) -> None:
    kept = item(known, CLOSE + timedelta(minutes=known))
    with db.write() as session:
        evidence.keep(session, [kept])
    as_of = CLOSE + timedelta(minutes=asked)
    with db.read() as session:
        if known <= asked:
            assert evidence.read(session, [kept.id], as_of) == (kept,)
        else:
            with pytest.raises(FutureDataError):
                evidence.read(session, [kept.id], as_of)
