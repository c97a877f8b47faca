"""People who tire and processes that fall silent: findings of no run, cleared when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlmodel import select

from agents.monitoring.node import judge_all
from agents.opinion import MonitoringBrief
from memory import ledger
from memory.tables import FindingRow, HeartbeatRow
from pipeline import desk_health
from pipeline.attention import Answer
from pipeline.heartbeats import STALE_AFTER, beat
from pipeline.store import Store, now
from tests.pipeline import life
from tests.pipeline.life import ANN, ask, say

TODAY = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


def answer(when: datetime, look_s: float) -> Answer:
    return Answer("ann", "approve", when - timedelta(minutes=5), when, when - timedelta(seconds=look_s), look_s)


def days_of(looks: list[float], per_day: int = 6) -> list[Answer]:
    """Answers of the weekdays up to today, the same look at each of a day; the last is today's."""
    days = [day for n in range(200) if (day := TODAY - timedelta(days=n)).weekday() < 5][: len(looks)]
    return [
        answer(day + timedelta(minutes=number), look)
        for day, look in zip(reversed(days), looks, strict=True)
        for number in range(per_day)
    ]


def said(answers: list[Answer]) -> list[tuple[str, str]]:
    facts = tuple(desk_health.fatigue_facts("ann", answers, TODAY.date()))
    brief = MonitoringBrief(run_id="desk", cycle_id="c", as_of=TODAY, facts=facts)
    return [(item.code, item.rule) for item in judge_all(brief)]


def test_somebody_who_looks_as_long_as_ever_is_not_tired() -> None:
    assert said(days_of([30.0, 25.0, 35.0, 28.0] * 12)) == []


def test_looks_that_grow_short_over_the_days_are_fatigue() -> None:
    assert said(days_of([30.0] * 40 + [3.0] * 4)) == [("fatigue", "shift")]


def test_looks_that_grow_short_within_a_day_are_fatigue() -> None:
    fresh, tired = [answer(TODAY + timedelta(minutes=n), 40.0) for n in range(10)], 41.0
    assert said([*fresh, *(answer(TODAY + timedelta(minutes=20 + n), 20.0) for n in range(10))]) == []
    late = [answer(TODAY + timedelta(minutes=20 + n), tired / 3) for n in range(10)]
    assert said([*fresh, *late]) == [("fatigue", "threshold")]
    assert said(late) == []


def test_an_idle_day_says_nothing() -> None:
    assert said([one for one in days_of([3.0] * 40) if one.decided.date() != TODAY.date()]) == []


def look(store: Store, at: datetime) -> list[tuple[str, str, bool]]:
    with store.db.write() as session:
        desk_health.raise_findings(session, at=at)
    with store.db.read() as session:
        found = session.exec(select(FindingRow).order_by(FindingRow.component, FindingRow.id)).all()
        assert {row.run_id for row in found} <= {None}
        return [(row.component, row.worst or "", row.cleared_as_of is None) for row in found]


def test_a_silent_process_is_one_finding_that_worsens_and_clears(store: Store) -> None:
    beat(store, "watchdog", "ok", "watches")
    beat(store, "engine", "off", "stopped")
    beat(store, "broker", "ok", "beats once")
    with store.db.read() as session:
        before = ledger.content_sha256(session, life.RUN)
    assert look(store, now()) == []
    assert look(store, now() + 2 * STALE_AFTER) == [("watchdog", "warning", True)]
    assert look(store, now() + 11 * STALE_AFTER) == [("watchdog", "critical", True)]
    with store.db.write() as session:
        session.get_one(HeartbeatRow, "watchdog").at_wall = now() + 12 * STALE_AFTER
    assert look(store, now() + 12 * STALE_AFTER) == [("watchdog", "critical", False)]
    with store.db.read() as session:
        assert ledger.content_sha256(session, life.RUN) == before


def test_what_says_that_it_is_down_is_found(store: Store) -> None:
    beat(store, "broker", "down", "no answer")
    assert look(store, now()) == [("broker", "warning", True)]


def test_answers_of_the_desk_are_read_from_its_tables(store: Store) -> None:
    for number in range(20):
        say(store, ask(store, life.proposal(100 + number, symbol=f"S{number}")), ANN)
    with store.db.read() as session:
        facts = tuple(desk_health._people(session, now()))
    assert {(fact.component, fact.name) for fact in facts} == {
        ("person:ann", "answers"), ("person:ann", "seconds_looked"), ("person:ann", "look_lost"),
    }  # fmt: skip
    assert facts[0].value == 20
