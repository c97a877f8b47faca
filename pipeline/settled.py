"""Settled outcomes as learning reads them: what became of a view, and how things stood when it was proposed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from agents.opinion import SettledView
from memory.columns import Damaged
from memory.tables import CaseRow, DecisionRow, OutcomeRow
from tools.data.types import MarketData
from tools.errors import DataError
from tools.strategy.regime import WINDOW, Regime, index_regime
from tools.types import Outcome


def regime_of(market: MarketData, index: int, as_of: datetime) -> Regime | None:
    """The regime that the index stood in at the close of a session; None where its history is too short or has a
    hole."""
    try:
        return index_regime(
            [market.index_close(day, as_of) for day in market.sessions[max(0, index + 1 - WINDOW) : index + 1]]
        )
    except DataError:
        return None


def describe(session: Session, row: OutcomeRow, case: CaseRow, settled: Outcome, regime: Regime | None) -> None:
    """Note on an outcome's row what learning reads of it, so that no body has to be read again."""
    refusal = session.exec(
        select(DecisionRow.reason_code)
        .where(DecisionRow.case_id == case.id, DecisionRow.decision == "reject")
        .order_by(col(DecisionRow.id).desc())
        .limit(1)
    ).first()
    row.kind, row.regime, row.excess_return = case.kind, regime, settled.excess_return
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
