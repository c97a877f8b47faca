"""When nobody is there: the occasions that hold for a position, read from the store alone: a replay repeats them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlmodel import Session, col, func, select

from memory.tables import ApprovalRow, CaseRow, DecisionRow, FindingRow, PositionRow, RunRow
from tools.risk.exit_policy import ExitPolicy
from tools.strategy.exit_planning import Standing
from tools.types import CaseState

SESSION_MISSED = "session_missed"
"""Code of the finding that a session passed while the engine was down; its component ends in the session's index."""
_UNANSWERED = (CaseState.EXPIRED.value, CaseState.AWAITING.value, CaseState.SUPERSEDED.value)
_POLICY = "policy:"


class Asked(NamedTuple):
    """The unbroken row of unanswered exit questions of a position, up to now."""

    first_index: int
    taint: bool


class Halves(NamedTuple):
    """How many sessions in a row the model gave no opinion, the engine was down, and no person answered."""

    model_silent: int
    missed: int
    people_silent: int


def desk_halves(session: Session, run: RunRow, index: int) -> Halves:
    """How long each part of the desk has been silent before session `index`."""
    return Halves(
        _model_silent(session, run, index), missed_before(session, run.id, index), _silent(session, run, index)
    )


def standings(
    session: Session,
    run: RunRow,
    position: PositionRow,
    index: int,
    policy: ExitPolicy,
    halves: Halves,
    *,
    at_open: bool,
) -> Iterator[Standing]:
    """Occasions that hold for a position before the open of session `index`, the one with the widest authority first.

    None where a person just refused. In the night only a question whose minutes ran out counts.
    """
    asked, refused = _asked(session, run, position, index, at_open=at_open)
    if refused:
        return
    taint = asked is not None and asked.taint
    if asked is not None and index - asked.first_index >= policy.unanswered_sessions:
        yield Standing("nobody_answers", index - asked.first_index, taint)
    elif policy.silent_sessions is not None and halves.people_silent >= policy.silent_sessions:
        yield Standing("nobody_answers", halves.people_silent, taint)
    if halves.missed >= policy.missed_sessions:
        yield Standing("desk_half_dead", halves.missed, taint)
    elif halves.model_silent >= policy.model_silent_sessions:
        yield Standing("desk_half_dead", halves.model_silent, taint)
    if at_open:
        yield Standing("night", 1, taint)


def _asked(
    session: Session, run: RunRow, position: PositionRow, index: int, *, at_open: bool
) -> tuple[Asked | None, bool]:
    """The unanswered questions behind a position, and whether a person refused the newest one.

    A question that came to an end before the next was asked breaks the row; so does any answer of a person.
    """
    rows = session.exec(
        select(CaseRow, ApprovalRow)
        .join(ApprovalRow, col(ApprovalRow.case_id) == col(CaseRow.id))
        .where(
            CaseRow.run_id == run.id, CaseRow.symbol == position.symbol, CaseRow.strategy == position.strategy,
            CaseRow.kind == "order.exit", CaseRow.opened_index >= position.opened_index,
            col(CaseRow.occasion).is_(None),
        )
        .order_by(col(CaseRow.opened_index).desc(), col(CaseRow.id))
    ).all()  # fmt: skip
    first: int | None = None
    taint = False
    reaches = index
    for place, (case, question) in enumerate(rows):
        if question.expires_index < reaches:
            break
        if _answered(session, question.id) or case.state not in _UNANSWERED:
            return (None if first is None else Asked(first, taint)), place == 0 and case.state == "rejected"
        if place == 0 and not at_open and question.status != "expired":
            return None, False
        first, taint, reaches = question.asked_index, taint or case.order.taint, question.asked_index
    return (None if first is None else Asked(first, taint)), False


def _answered(session: Session, approval_id: str) -> bool:
    query = select(func.count()).select_from(DecisionRow).where(DecisionRow.approval_id == approval_id)
    return session.exec(query.where(~col(DecisionRow.principal).startswith(_POLICY))).one() > 0


def _silent(session: Session, run: RunRow, index: int) -> int:
    """Sessions in a row, up to now, in each of which people were asked and nobody answered anything."""
    sessions = 0
    for asked_index in range(index - 1, run.session_index - run.sessions_played - 1, -1):
        asked = session.exec(
            select(ApprovalRow.id).where(
                ApprovalRow.run_id == run.id, ApprovalRow.asked_index == asked_index, ApprovalRow.required > 0
            )
        ).all()
        if not asked or any(_answered(session, item) for item in asked):
            break
        sessions += 1
    return sessions


def _model_silent(session: Session, run: RunRow, index: int) -> int:
    """Closes up to now whose every reviewed entry got no opinion because the model failed.

    A close without entries says nothing of the model and is passed over.
    """
    closes = 0
    for opened_index in range(index - 1, run.session_index - run.sessions_played - 1, -1):
        reviews = session.exec(
            select(CaseRow.review).where(
                CaseRow.run_id == run.id, CaseRow.opened_index == opened_index, CaseRow.kind == "order.entry"
            )
        ).all()
        if any(item.get("abstain_reason") in (None, "evidence_missing") for item in reviews):
            break
        closes += bool(reviews)
    return closes


def missed_before(session: Session, run_id: str, index: int) -> int:
    """Sessions in a row, up to now, that passed while the engine was down."""
    query = select(FindingRow.component).where(FindingRow.run_id == run_id, FindingRow.code == SESSION_MISSED)
    missed = {int(component.rpartition(":")[2]) for component in session.exec(query)}
    sessions = 0
    while index - 1 - sessions in missed:
        sessions += 1
    return sessions
