"""The explanation that a decision was bound to."""

from __future__ import annotations

from agents.explanation.output import Explanation
from fastapi import APIRouter

from api.dependencies import StoreDep
from api.queries.approvals import get_explanation

router = APIRouter(prefix="/explanations", tags=["cases"])


class ExplanationBody(Explanation):
    """An explanation with the case it belongs to and the hash that approvals bind."""

    case_id: str
    sha256: str


@router.get("/{case_id}")
def get_explanation_of_case(store: StoreDep, case_id: str) -> ExplanationBody:
    """Show the claim graph and the prose rendered from it."""
    return ExplanationBody.model_validate(get_explanation(store, case_id))
