"""Cases: every proposal, where it stands, and everything that came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.dependencies import READ, RiskOfficer, StoreDep
from api.paging import Page
from api.queries import cases as queries
from api.schemas import Body, CaseBody, CaseDetail, Text
from pipeline import overriding
from pipeline.overrides import Override
from pipeline.standing import acting_for
from pipeline.why_not import WhyNot, why_not

router = APIRouter(prefix="/cases", tags=["cases"])


class OverrideRequest(Body):
    """Soft controls to let one order past; all that blocked it when none is named."""

    controls: Annotated[list[str] | None, Field(default=None, min_length=1, max_length=50)] = None
    reason: Text


@router.get("", dependencies=READ)
def list_cases(store: StoreDep, query: Annotated[queries.CaseQuery, Query()]) -> Page[CaseBody]:
    """List cases, the newest session first and by rank within it."""
    return queries.list_cases(store, query)


@router.get("/{case_id}", dependencies=READ)
def get_case(store: StoreDep, case_id: str) -> CaseDetail:
    """Show one case with its evidence, decisions, orders, fills, outcome and history."""
    return queries.get_case(store, case_id)


@router.get("/{case_id}/why-not", dependencies=READ)
def get_why_not(store: StoreDep, case_id: str) -> WhyNot:
    """Say why an order was not carried out: who took its place, what would have changed it, what became of it.

    404 for no such case, 422 for one that was not refused: it has an explanation.
    """
    return why_not(store, case_id)


@router.post("/{case_id}/override", status_code=201)
def post_override(store: StoreDep, who: RiskOfficer, case_id: str, body: OverrideRequest) -> Override:
    """Ask to let a blocked order past soft controls: it is checked again and another person answers it.

    404 for no such case, 422 when it is not blocked by exactly these soft controls in the session that is closed,
    403 under a halt, 409 `exists` when it was asked before or another case of the name is open.
    """
    acting = acting_for(store, who, "risk_officer")
    return overriding.ask(acting, case_id, body.controls, principal=who.principal(), reason=body.reason)
