"""Who looked at what before they answered, and what gives a rubber stamp away.

All times here are wall clock. What a browser says about view time is a claim: no more is credited than could have
passed since the person's last look (or since the question was put), and nothing after their answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CanaryRow, CaseRow, DecisionRow, ViewRow
from pipeline.findings import watch
from pipeline.store import Principal, Store, now
from tools.canonical import stable_id
from tools.errors import ApprovalError
from tools.types import Finding, Frozen

RUBBER_STAMP = "rubber_stamp"
MAX_VIEW_S = 3_600.0
MACHINES = ("policy:", "stand-in:")
"""How the names of those begin who are no people."""
ANSWERS = ("approve", "edit", "reject")
"""Decisions that are an answer; a question back or more time is none."""


def is_person(name: str) -> bool:
    return not name.startswith(MACHINES)


def record_view(store: Store, approval_id: str, principal: Principal, seconds: float, evidence_opened: bool) -> ViewRow:
    """Add one look at a question and record it; call it on opening with 0 and on leaving with the time since.

    ApprovalError: unknown, forbidden (not a person), invalid (seconds outside 0 to MAX_VIEW_S).
    """
    if principal.kind != "person" or not is_person(principal.name):
        raise ApprovalError(f"{principal.name!r} is a {principal.kind} and looks at nothing", code="forbidden")
    if not (math.isfinite(seconds) and 0 <= seconds <= MAX_VIEW_S):
        raise ApprovalError(f"a view lasts 0 to {MAX_VIEW_S:.0f} seconds, not {seconds}", code="invalid")
    with store.db.write() as session:
        asked = session.get(ApprovalRow, approval_id)
        if asked is None:
            raise ApprovalError(f"there is no approval {approval_id}", code="unknown")
        case = session.get_one(CaseRow, asked.case_id)
        at = now()
        row = view_of(session, approval_id, principal.name)
        since = row.last_wall if row else asked.asked_wall
        possible = max(0.0, (at - since).total_seconds())
        credited = 0.0 if _has_answered(session, approval_id, principal.name) else min(seconds, possible)
        if row is None:
            row = ViewRow(approval_id=approval_id, principal=principal.name, case_id=case.id, first_wall=at)
        row.views += 1
        row.seconds += credited
        row.evidence_opened = row.evidence_opened or evidence_opened
        row.last_wall = at
        session.add(row)
        append(
            session,
            Entry(
                kind="approval.viewed", step=f"viewed:{principal.name}:{row.views}", case_id=case.id,
                revision=case.revision, desk_time=case.as_of, stage=Stage.DECIDE, rank=case.rank,
                content={
                    "run": case.run_id, "approval": approval_id, "principal": principal.name,
                    "evidence_opened": evidence_opened,
                },
                envelope={
                    "address": principal.address, "session": principal.session_id, "seconds": seconds,
                    "credited": credited,
                },
            ),
        )  # fmt: skip
    return row


def view_of(session: Session, approval_id: str, principal: str) -> ViewRow | None:
    """What the named person has seen of a question; None when they never opened it."""
    return session.get(ViewRow, (approval_id, principal))


def has_opened_evidence(session: Session, approval_id: str, principal: str) -> bool:
    """True when the named person has opened the evidence of a question."""
    seen = view_of(session, approval_id, principal)
    return seen is not None and seen.evidence_opened


def _has_answered(session: Session, approval_id: str, name: str) -> bool:
    query = select(DecisionRow.id).where(
        DecisionRow.approval_id == approval_id, DecisionRow.principal == name, col(DecisionRow.decision).in_(ANSWERS)
    )
    return session.exec(query.limit(1)).first() is not None


@dataclass(frozen=True)
class Thresholds:
    """Beyond these somebody is told. A person with fewer than `min_answers` is judged by planted cases only."""

    window: timedelta = timedelta(days=30)
    min_answers: int = 20
    max_approve_rate: float = 0.98
    fast_s: float = 5.0
    max_fast_share: float = 0.25
    min_median_view_s: float = 3.0
    max_unseen_share: float = 0.10
    max_canaries_passed: int = 0


@dataclass(frozen=True)
class Answer:
    """One person's answer with what they had seen by then. `first_view` is None for a question never opened."""

    person: str
    decision: str
    asked: datetime
    decided: datetime
    first_view: datetime | None
    view_s: float

    @property
    def decide_s(self) -> float:
        """From the question to the answer; never negative, whatever was done to the clock."""
        return max(0.0, (self.decided - self.asked).total_seconds())

    @property
    def look_s(self) -> float:
        """From the first look to the answer; 0 for an answer without a look."""
        seen = self.first_view
        return 0.0 if seen is None else max(0.0, (self.decided - seen).total_seconds())


class Measures(Frozen):
    """One person over a window; rates are fractions of their answers, times are in seconds."""

    person: str
    answers: int
    approved: int
    approve_rate: float | None
    median_seconds_to_decide: float | None
    median_seconds_viewed: float | None
    fast_share: float | None
    unseen_share: float | None
    canaries_passed: int
    canaries_caught: int
    breaches: tuple[str, ...] = ()


def measure(
    answers: Iterable[Answer], canaries: Iterable[tuple[str, bool]], thresholds: Thresholds
) -> tuple[Measures, ...]:
    """Measure every person who answered; `canaries` are (person, passed). By name.

    Approved means approved or edited. A fast answer came less than `fast_s` after the first look, or without one.
    """
    by_person: dict[str, list[Answer]] = {}
    for one in answers:
        if is_person(one.person) and one.decision in ANSWERS:
            by_person.setdefault(one.person, []).append(one)
    planted = list(canaries)
    people = sorted({*by_person, *(name for name, _ in planted if is_person(name))})
    return tuple(_measure(name, by_person.get(name, []), planted, thresholds) for name in people)


def _measure(
    name: str, mine: Sequence[Answer], planted: Sequence[tuple[str, bool]], thresholds: Thresholds
) -> Measures:
    count = len(mine)
    approved = sum(one.decision != "reject" for one in mine)
    found = Measures(
        person=name, answers=count, approved=approved, approve_rate=approved / count if count else None,
        median_seconds_to_decide=median(one.decide_s for one in mine) if mine else None,
        median_seconds_viewed=median(one.view_s for one in mine) if mine else None,
        fast_share=sum(one.look_s < thresholds.fast_s for one in mine) / count if count else None,
        unseen_share=sum(one.first_view is None for one in mine) / count if count else None,
        canaries_passed=sum(who == name and passed for who, passed in planted),
        canaries_caught=sum(who == name and not passed for who, passed in planted),
    )  # fmt: skip
    return found.model_copy(update={"breaches": breaches(found, thresholds)})


def breaches(found: Measures, thresholds: Thresholds) -> tuple[str, ...]:
    """What is beyond its threshold, in words; equality passes."""
    said: list[str] = []
    if found.canaries_passed > thresholds.max_canaries_passed:
        said.append(f"approved {found.canaries_passed} planted cases")
    if found.answers < thresholds.min_answers:
        return tuple(said)
    if (found.approve_rate or 0.0) > thresholds.max_approve_rate:
        said.append(f"approves {found.approve_rate:.0%}")
    if (found.fast_share or 0.0) > thresholds.max_fast_share:
        said.append(f"answers {found.fast_share:.0%} within {thresholds.fast_s:.0f} s of opening")
    if (found.median_seconds_viewed or 0.0) < thresholds.min_median_view_s:
        said.append(f"looks {found.median_seconds_viewed:.1f} s at the median")
    if (found.unseen_share or 0.0) > thresholds.max_unseen_share:
        said.append(f"answers {found.unseen_share:.0%} without opening them")
    return tuple(said)


def read_measures(
    session: Session, *, run_id: str | None = None, at: datetime | None = None, thresholds: Thresholds | None = None
) -> tuple[Measures, ...]:
    """Measures of everybody over the window that ends now, of one run or of all."""
    limits = thresholds or Thresholds()
    since = (at or now()) - limits.window
    planted = select(CanaryRow).where(col(CanaryRow.principal).is_not(None), col(CanaryRow.closed_wall) > since)
    if run_id is not None:
        planted = planted.where(CanaryRow.run_id == run_id)
    canaries = [(row.principal or "", row.status == "passed") for row in session.exec(planted).all()]
    return measure(answers_since(session, since, run_id), canaries, limits)


def answers_since(session: Session, since: datetime, run_id: str | None = None) -> list[Answer]:
    """Every answer after `since` with what its person had seen by then, of one run or of all."""
    asked = select(DecisionRow, ApprovalRow).join(ApprovalRow, col(ApprovalRow.id) == col(DecisionRow.approval_id))
    asked = asked.where(col(DecisionRow.decided_wall) > since)
    if run_id is not None:
        asked = asked.where(ApprovalRow.run_id == run_id)
    pairs = session.exec(asked).all()
    views = views_of(session, {row.id for _, row in pairs})
    return [_answer(said, row, views.get((row.id, said.principal))) for said, row in pairs]


def views_of(session: Session, approval_ids: Iterable[str]) -> dict[tuple[str, str], ViewRow]:
    """All views of the given questions by (approval, person)."""
    found: dict[tuple[str, str], ViewRow] = {}
    ids = sorted(approval_ids)
    for start in range(0, len(ids), 500):
        query = select(ViewRow).where(col(ViewRow.approval_id).in_(ids[start : start + 500]))
        found |= {(row.approval_id, row.principal): row for row in session.exec(query).all()}
    return found


def _answer(said: DecisionRow, asked: ApprovalRow, view: ViewRow | None) -> Answer:
    seen = view if view is not None and view.first_wall <= said.decided_wall else None
    return Answer(
        person=said.principal, decision=said.decision, asked=asked.asked_wall, decided=said.decided_wall,
        first_view=seen.first_wall if seen else None, view_s=seen.seconds if seen else 0.0,
    )  # fmt: skip


def raise_findings(
    session: Session, *, at: datetime | None = None, thresholds: Thresholds | None = None
) -> tuple[Measures, ...]:
    """Keep one `rubber_stamp` for everybody beyond a threshold; returns those for whom it began or worsened now."""
    moment = at or now()
    beyond = [found for found in read_measures(session, at=moment, thresholds=thresholds) if found.breaches]
    said = [_rubber_stamp(found, moment) for found in beyond]
    kept = watch(session, None, (RUBBER_STAMP,), said, moment, [found.person for found in beyond])
    return tuple(found for found, standing in zip(beyond, kept, strict=True) if standing.told)


def _rubber_stamp(found: Measures, moment: datetime) -> Finding:
    return Finding(
        id=stable_id("find", RUBBER_STAMP, found.person, moment), code=RUBBER_STAMP, severity="warning",
        component="attention", message=f"{found.person} {'; '.join(found.breaches)}", as_of=moment, rule="threshold",
        recommendation="Talk to them, look at their latest approvals, and ask for a second person meanwhile.",
    )  # fmt: skip
