"""Voiding: a case that no longer stands goes with its question and its unused grant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from memory.ledger import Stage
from memory.tables import ApprovalRow, CaseRow
from pipeline import grants
from pipeline.cases import advance
from pipeline.notify.outbox import enqueue
from tools.types import CaseState, Change, Proposal


def void_case(
    session: Session, case: CaseRow, *, why: str, desk_time: datetime, stage: Stage, detail: Mapping[str, Any]
) -> None:
    """Void a drafted, awaiting or approved case in the caller's transaction."""
    row = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case.id)).first()
    if row is not None and row.status in ("pending", "approved"):
        row.status = "voided"
        session.add(row)
    grants.void(session, case.id)
    advance(session, case, CaseState.VOIDED, content=detail, desk_time=desk_time, stage=stage, reason=why)
    told = {"case": case.id, "symbol": case.symbol, "side": case.side, "strategy": case.strategy, "kind": case.kind}
    enqueue(session, event="case.voided", subject_id=case.id, content=told)


def supersede(session: Session, proposal: Proposal | Change, desk_time: datetime) -> None:
    """Close the awaiting case that a newer proposal of the same strategy, symbol and side replaces."""
    older = session.exec(
        select(CaseRow).where(
            CaseRow.run_id == proposal.run_id, CaseRow.strategy == proposal.strategy, CaseRow.symbol == proposal.symbol,
            CaseRow.side == proposal.side, CaseRow.state == CaseState.AWAITING.value,
        )
    ).first()  # fmt: skip
    if older is None:
        return
    row = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == older.id)).one()
    row.status = "voided"
    session.add(row)
    advance(
        session, older, CaseState.SUPERSEDED, content={"by": proposal.id}, desk_time=desk_time, stage=Stage.CASE,
        reason="a newer proposal replaced it",
    )  # fmt: skip
