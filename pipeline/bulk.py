"""Bulk answers: only within one kind, strategy and tier."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import col, select

from memory.tables import ApprovalRow, CaseRow
from pipeline.store import Store
from tools.errors import ApprovalError


def require_alike(store: Store, approval_ids: Sequence[str]) -> None:
    """ApprovalError(mixed_bulk) unless all questions are of one kind, strategy and tier; unknown ids are left alone."""
    with store.db.read() as session:
        rows = session.exec(
            select(CaseRow.kind, CaseRow.strategy, ApprovalRow.tier)
            .join(ApprovalRow, col(ApprovalRow.case_id) == col(CaseRow.id))
            .where(col(ApprovalRow.id).in_(approval_ids))
        ).all()
    if len(set(rows)) > 1:
        raise ApprovalError("one answer covers one kind, strategy and tier: choose fewer", code="mixed_bulk")
