"""People are scarce: how many entries they can hold now, and what it cost that not everything was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from sqlmodel import Session, col, select

from memory.tables import ApprovalRow, CanaryRow, CaseRow, OutcomeRow, PersonRow, RunRow
from pipeline.policy import Load
from pipeline.roles import reaches
from tools.types import CaseState, Frozen

ENTRY = "order.entry"
CAPACITY_REASONS = ("capacity", "people_busy")
"""Why an entry was not selected for want of people; other reasons are no cost of capacity."""


class CapacityLine(Frozen):
    """Entries of one kind of treatment: how many, how many are settled, and what those returned beyond the index."""

    name: str
    entries: int
    settled: int
    mean_excess_return: float | None


class CapacityCost(Frozen):
    """What was asked against what was not asked for want of people. `given_up` is the mean excess return of the
    latter less that of the former, a fraction: above zero, the better views were left out."""

    asked: CapacityLine
    not_selected: CapacityLine
    reasons: tuple[CapacityLine, ...]
    given_up: float | None


def load_of(session: Session, run: RunRow) -> Load:
    """How busy people are. Read from the tables only: the same tables always give the same answer.

    Everybody active who may approve of their own right counts; in replay the local operator is there anyway. Planted
    cases take nobody's place, so that planting changes nothing that is asked.
    """
    roles = session.exec(select(PersonRow.role).where(col(PersonRow.disabled_wall).is_(None))).all()
    able = sum(reaches(role, "approver") for role in roles)
    planted = select(CanaryRow.case_id).where(col(CanaryRow.case_id).is_not(None))
    waiting = session.exec(
        select(ApprovalRow.id)
        .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
        .where(
            ApprovalRow.run_id == run.id, ApprovalRow.status == "pending", CaseRow.kind == ENTRY,
            col(CaseRow.id).not_in(planted),
        )
    ).all()  # fmt: skip
    return Load(people=max(1, able) if run.mode == "replay" else able, waiting=len(waiting))


def capacity_cost(session: Session, run_id: str | None = None) -> CapacityCost:
    """Compare the outcomes of entries that people were asked about with those left out, of one run or of all."""
    asked = select(ApprovalRow.case_id).where(ApprovalRow.required > 0)
    skipped = (
        select(OutcomeRow, CaseRow.reason)
        .join(CaseRow, col(CaseRow.id) == col(OutcomeRow.case_id))
        .where(
            CaseRow.kind == ENTRY, CaseRow.state == CaseState.NOT_SELECTED.value,
            col(CaseRow.reason).in_(CAPACITY_REASONS),
        )
    )  # fmt: skip
    put = (
        select(OutcomeRow)
        .join(CaseRow, col(CaseRow.id) == col(OutcomeRow.case_id))
        .where(CaseRow.kind == ENTRY, col(CaseRow.id).in_(asked))
    )
    if run_id is not None:
        skipped, put = skipped.where(OutcomeRow.run_id == run_id), put.where(OutcomeRow.run_id == run_id)
    left_out = session.exec(skipped).all()
    first = _line("asked", session.exec(put).all())
    second = _line("not_selected", [row for row, _ in left_out])
    means = (second.mean_excess_return, first.mean_excess_return)
    return CapacityCost(
        asked=first, not_selected=second,
        reasons=tuple(_line(name, [row for row, why in left_out if why == name]) for name in CAPACITY_REASONS),
        given_up=None if means[0] is None or means[1] is None else round(means[0] - means[1], 6),
    )  # fmt: skip


def _line(name: str, rows: Sequence[OutcomeRow]) -> CapacityLine:
    excess = [row.body.excess_return for row in rows if row.settled]
    return CapacityLine(name=name, entries=len(rows), settled=len(excess), mean_excess_return=_mean(excess))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 6) if known else None
