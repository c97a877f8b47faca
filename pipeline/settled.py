"""Settled outcomes as learning reads them: what became of a view, and how things stood when it was proposed."""

from __future__ import annotations

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from agents.opinion import SettledView
from memory.columns import Damaged
from memory.tables import CaseRow, DecisionRow, OutcomeRow
from tools.types import Outcome


def describe(session: Session, row: OutcomeRow, case: CaseRow, settled: Outcome, regime: str) -> None:
    """Note on an outcome's row what learning reads of it, so that no body has to be read again."""
    refusal = session.exec(
        select(DecisionRow.reason_code)
        .where(DecisionRow.case_id == case.id, DecisionRow.decision == "reject")
        .order_by(col(DecisionRow.id).desc())
        .limit(1)
    ).first()
    row.kind, row.regime, row.excess_return = case.kind, regime or None, settled.excess_return
    row.confidence = None if isinstance(case.body, Damaged) else case.order.confidence
    row.horizon_sessions = settled.horizon_sessions
    row.refused_for = refusal if settled.disposition == "refused" else None


def settled_views(session: Session, *where: ColumnElement[bool] | bool) -> tuple[SettledView, ...]:
    """Settled outcomes as learning sees them, by id; without those whose case was damaged."""
    rows = session.execute(
        select(*(getattr(OutcomeRow, name) for name in _COLUMNS))
        .where(col(OutcomeRow.settled), *(col(getattr(OutcomeRow, name)).is_not(None) for name in _NEEDED), *where)
        .order_by(col(OutcomeRow.id))
    ).all()
    return tuple(SettledView.model_validate(dict(zip(_COLUMNS, row, strict=True))) for row in rows)


_NEEDED = ("kind", "horizon_sessions", "excess_return", "confidence")
_COLUMNS = ("id", "strategy", "disposition", "opened_index", "regime", "refused_for", *_NEEDED)
