"""Evidence by its id: where a figure of an answer stands."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import READ, StoreDep
from api.errors import not_found
from memory.tables import EvidenceRow
from tools.types import Evidence

router = APIRouter(prefix="/evidence", tags=["cases"], dependencies=READ)


@router.get("/{evidence_id}")
def get_evidence(store: StoreDep, evidence_id: str) -> Evidence:
    """Show one piece of evidence: its source, when it was known, and its payload."""
    with store.db.read() as session:
        row = session.get(EvidenceRow, evidence_id)
        if row is None:
            raise not_found("evidence", evidence_id)
        return row.body
