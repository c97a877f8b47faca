"""The explanation that a decision was bound to."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import PrivateAttr, computed_field

from agents.explanation.output import Explanation
from api.dependencies import READ, StoreDep
from api.queries.approvals import get_explanation
from memory.tables import ExplanationRow

router = APIRouter(prefix="/explanations", tags=["cases"], dependencies=READ)


class ExplanationBody(Explanation):
    """An explanation with the hash that approvals bind."""

    _bound: str = PrivateAttr(default="")

    @computed_field(return_type=str)  # type: ignore[prop-decorator]
    @property
    def sha256(self) -> str:
        return self._bound

    @classmethod
    def of(cls, row: ExplanationRow) -> ExplanationBody:
        """Read a stored explanation; the hash is the stored one, which is what people were shown."""
        body = cls.model_validate(row.body)
        body._bound = row.sha256
        return body


@router.get("/{case_id}")
def get_explanation_of_case(store: StoreDep, case_id: str) -> ExplanationBody:
    """Show the claim graph and the prose rendered from it."""
    return ExplanationBody.of(get_explanation(store, case_id))
