"""Cases: every proposal, where it stands, and everything that came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, StoreDep
from api.paging import Page
from api.queries import cases as queries
from api.schemas import CaseBody, CaseDetail

router = APIRouter(prefix="/cases", tags=["cases"], dependencies=READ)


@router.get("")
def list_cases(store: StoreDep, query: Annotated[queries.CaseQuery, Query()]) -> Page[CaseBody]:
    """List cases, the newest session first and by rank within it."""
    return queries.list_cases(store, query)


@router.get("/{case_id}")
def get_case(store: StoreDep, case_id: str) -> CaseDetail:
    """Show one case with its evidence, decisions, orders, fills, outcome and history."""
    return queries.get_case(store, case_id)
