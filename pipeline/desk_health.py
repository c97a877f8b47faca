"""What the wall clock says about people and processes, judged by the same rules, as findings of no run.

None of it enters a run's record: how fast somebody answers and whether a process lives differ from home to home.
The figures of such a finding are its evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from statistics import median

from sqlmodel import Session, col, select

from agents.monitoring.node import judge_all
from agents.opinion import HealthFact, HealthPoint, MonitoringBrief
from memory.tables import HeartbeatRow
from pipeline.attention import ANSWERS, Answer, answers_since, is_person
from pipeline.findings import watch
from pipeline.heartbeats import STALE_AFTER
from pipeline.store import now
from tools.types import Finding

CODES = ("fatigue", "component_silent", "degraded")
RESIDENT = ("engine", "watchdog")
"""Processes that say every few seconds that they live."""
DAYS = timedelta(days=90)
DAY_ANSWERS = 5
"""Answers that make the median of a day worth comparing."""
ENDS = 10
"""Answers at the beginning and at the end of a day that are held against each other."""
MAX_LOOK_LOST = 0.5


def raise_findings(session: Session, *, at: datetime | None = None) -> tuple[Finding, ...]:
    """Judge people and processes now; what began or worsened. What is over is cleared."""
    moment = at or now()
    brief = MonitoringBrief(
        run_id="desk", cycle_id=moment.isoformat(), as_of=moment,
        facts=(*_processes(session, moment), *_people(session, moment)),
    )  # fmt: skip
    found = [item.model_copy(update={"evidence_ids": ()}) for item in judge_all(brief)]
    return tuple(item.finding for item in watch(session, None, CODES, found, moment) if item.told)


def _processes(session: Session, at: datetime) -> Iterator[HealthFact]:
    """Silence of what beats, and what says of itself that it is down; what was stopped on purpose is neither."""
    for row in session.exec(select(HeartbeatRow).order_by(col(HeartbeatRow.component))):
        if row.component in RESIDENT and row.state != "off":
            silent = max(0.0, (at - row.at_wall).total_seconds())
            yield _fact(row.component, "silent_s", silent, STALE_AFTER.total_seconds(), "seconds")
        if row.state == "down" and row.component not in (*RESIDENT, "recall"):
            yield _fact(row.component, "degraded", 1.0, 0.0, "flag")


def _people(session: Session, at: datetime) -> Iterator[HealthFact]:
    """By person: answers and seconds looked of a day against the days before, and how the day itself wore on."""
    mine: dict[str, list[Answer]] = defaultdict(list)
    for one in answers_since(session, at - DAYS):
        if is_person(one.person) and one.decision in ANSWERS:
            mine[one.person].append(one)
    for name in sorted(mine):
        yield from fatigue_facts(name, mine[name], at.date())


def fatigue_facts(name: str, answers: Sequence[Answer], today: date) -> Iterator[HealthFact]:
    """What the answers of one person say today; nothing on a day without any."""
    days: dict[date, list[Answer]] = defaultdict(list)
    for one in sorted(answers, key=lambda a: a.decided):
        days[one.decided.date()].append(one)
    of_today = days.pop(today, [])
    if not of_today:
        return
    component = f"person:{name}"
    counts = tuple(HealthPoint(session=day, value=len(days[day])) for day in sorted(days))
    yield _fact(component, "answers", len(of_today), None, "answers", name, counts)
    if len(of_today) >= DAY_ANSWERS:
        looks = tuple(
            HealthPoint(session=day, value=median(one.look_s for one in days[day]))
            for day in sorted(days)
            if len(days[day]) >= DAY_ANSWERS
        )
        seconds = median(one.look_s for one in of_today)
        yield _fact(component, "seconds_looked", seconds, None, "seconds", name, looks)
    if len(of_today) >= 2 * ENDS:
        first, last = (median(one.look_s for one in part) for part in (of_today[:ENDS], of_today[-ENDS:]))
        lost = max(0.0, 1 - last / first) if first > 0 else 0.0
        yield _fact(component, "look_lost", lost, MAX_LOOK_LOST, "share", name)


def _fact(
    component: str,
    name: str,
    value: float,
    limit: float | None,
    unit: str,
    about: str | None = None,
    earlier: tuple[HealthPoint, ...] = (),
) -> HealthFact:
    return HealthFact(
        component=component, name=name, value=value, limit=limit, unit=unit, evidence_id="", about=about,
        history=earlier[-60:],
    )  # fmt: skip
