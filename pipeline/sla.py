"""Service levels of the queue: how long until somebody looked, how long until it was decided, what share expired.

Wall clock throughout. A duration that comes out negative, because the clock was set back, says nothing: it is left
out and counted in `clock_faults`. Percentiles are nearest-rank: the value at position ceil(p * n) of n in order.
Questions that the policy released, or that only a stand-in answered, are nobody's service level and are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from memory.tables import ApprovalRow, DecisionRow
from pipeline.attention import ANSWERS, is_person, views_of
from tools.types import Frozen

DECIDED = ("approved", "rejected")
BATCH = 500


@dataclass(frozen=True)
class Mark:
    """When one person did something."""

    person: str
    at: datetime


@dataclass(frozen=True)
class Question:
    """One question to people, with who looked first and who answered."""

    approval_id: str
    tier: str
    rule: str
    status: str
    asked: datetime
    closed: datetime | None
    views: tuple[Mark, ...] = ()
    answers: tuple[Mark, ...] = ()

    @property
    def acknowledged(self) -> datetime | None:
        """The first look or answer of anybody: an answer is an acknowledgement too."""
        return min((mark.at for mark in (*self.views, *self.answers)), default=None)


class Spread(Frozen):
    """Durations in seconds: how many, median, 90th percentile, longest."""

    count: int
    p50: float | None
    p90: float | None
    longest: float | None


class Level(Frozen):
    """The figures of one tier, rule or person. `expired_share` is of the questions that ended, by answer or by time."""

    name: str
    questions: int
    pending: int
    acknowledged: int
    decided: int
    expired: int
    expired_share: float | None
    median_seconds_to_acknowledge: float | None
    p90_seconds_to_acknowledge: float | None
    longest_seconds_to_acknowledge: float | None
    median_seconds_to_decide: float | None
    p90_seconds_to_decide: float | None
    longest_seconds_to_decide: float | None
    clock_faults: int


class ServiceLevels(Frozen):
    """All of it: everything together, by tier, by the policy rule that asked, and by person."""

    total: Level
    tiers: tuple[Level, ...]
    rules: tuple[Level, ...]
    people: tuple[Level, ...]


def spread(durations: Iterable[float]) -> Spread:
    """Nearest-rank percentiles of durations in seconds; all None for none."""
    ordered = sorted(durations)
    if not ordered:
        return Spread(count=0, p50=None, p90=None, longest=None)
    return Spread(count=len(ordered), p50=_rank(ordered, 0.5), p90=_rank(ordered, 0.9), longest=round(ordered[-1], 3))


def _rank(ordered: Sequence[float], share: float) -> float:
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)


def _level(
    name: str,
    questions: Sequence[Question],
    acknowledged: Callable[[Question], datetime | None],
    decided: Callable[[Question], datetime | None],
) -> Level:
    """`acknowledged` and `decided` say when, from this line's point of view; None for not."""
    raw = [[_seconds(one, when(one)) for one in questions] for when in (acknowledged, decided)]
    known = [[value for value in values if value is not None] for values in raw]
    looked, answered = (spread(value for value in values if value >= 0) for values in known)
    expired = sum(one.status == "expired" and decided(one) is None for one in questions)
    ended = expired + len(known[1])
    return Level(
        name=name, questions=len(questions), pending=sum(one.status == "pending" for one in questions),
        acknowledged=len(known[0]), decided=len(known[1]), expired=expired,
        expired_share=expired / ended if ended else None, median_seconds_to_acknowledge=looked.p50,
        p90_seconds_to_acknowledge=looked.p90, longest_seconds_to_acknowledge=looked.longest,
        median_seconds_to_decide=answered.p50, p90_seconds_to_decide=answered.p90,
        longest_seconds_to_decide=answered.longest,
        clock_faults=sum(value < 0 for values in known for value in values),
    )  # fmt: skip


def _seconds(one: Question, at: datetime | None) -> float | None:
    return None if at is None else (at - one.asked).total_seconds()


def _closed(one: Question) -> datetime | None:
    return one.closed if one.status in DECIDED else None


def service_levels(questions: Iterable[Question]) -> ServiceLevels:
    """Sum up questions. A person's line covers the questions they looked at or answered; expired ones among them are
    those they saw and nobody answered in time."""
    asked = list(questions)
    people = sorted({mark.person for one in asked for mark in (*one.views, *one.answers)})
    return ServiceLevels(
        total=_of_questions("all", asked),
        tiers=_grouped(asked, lambda one: one.tier),
        rules=_grouped(asked, lambda one: one.rule),
        people=tuple(_of_person(name, asked) for name in people),
    )


def _grouped(asked: Sequence[Question], key: Callable[[Question], str]) -> tuple[Level, ...]:
    names = sorted({key(one) for one in asked})
    return tuple(_of_questions(name, [one for one in asked if key(one) == name]) for name in names)


def _of_questions(name: str, asked: Sequence[Question]) -> Level:
    return _level(name, asked, lambda one: one.acknowledged, _closed)


def _of_person(name: str, asked: Sequence[Question]) -> Level:
    mine = [one for one in asked if any(mark.person == name for mark in (*one.views, *one.answers))]

    def first(marks: Iterable[Mark]) -> datetime | None:
        return min((mark.at for mark in marks if mark.person == name), default=None)

    return _level(name, mine, lambda one: first((*one.views, *one.answers)), lambda one: first(one.answers))


def read_questions(
    session: Session, *, run_id: str | None = None, since: datetime | None = None
) -> tuple[Question, ...]:
    """Questions that were put to people, in the order asked; of one run, and asked after `since`, where given."""
    query = select(ApprovalRow).where(ApprovalRow.required > 0).order_by(col(ApprovalRow.asked_wall), ApprovalRow.id)
    if run_id is not None:
        query = query.where(ApprovalRow.run_id == run_id)
    if since is not None:
        query = query.where(col(ApprovalRow.asked_wall) > since)
    rows = session.exec(query).all()
    ids = [row.id for row in rows]
    looks: dict[str, list[Mark]] = {row.id: list(_acknowledgement(row)) for row in rows}
    for view in views_of(session, ids).values():
        looks[view.approval_id].append(Mark(view.principal, view.first_wall))
    said: dict[str, list[Mark]] = {}
    machines: set[str] = set()
    for start in range(0, len(ids), BATCH):
        given = select(DecisionRow).where(
            col(DecisionRow.approval_id).in_(ids[start : start + BATCH]), col(DecisionRow.decision).in_(ANSWERS)
        )
        for row in session.exec(given).all():
            if is_person(row.principal):
                said.setdefault(row.approval_id, []).append(Mark(row.principal, row.decided_wall))
            else:
                machines.add(row.approval_id)
    return tuple(
        Question(
            approval_id=row.id, tier=getattr(row, "tier", row.rule), rule=row.rule, status=row.status,
            asked=row.asked_wall, closed=row.decided_wall,
            views=tuple(looks[row.id]), answers=tuple(said.get(row.id, ())),
        )
        for row in rows
        if row.id not in machines or row.id in said
    )  # fmt: skip


def _acknowledgement(row: ApprovalRow) -> Iterable[Mark]:
    """An acknowledgement in so many words counts like a look."""
    by, at = getattr(row, "acknowledged_by", None), getattr(row, "acknowledged_wall", None)
    return (Mark(by, at),) if by is not None and at is not None else ()
