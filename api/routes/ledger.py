"""The record of everything, and whether it is whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, StoreDep
from api.paging import Page
from api.queries import ledger as queries
from api.schemas import LedgerBody, VerificationBody

router = APIRouter(prefix="/ledger", tags=["ledger"], dependencies=READ)


@router.get("")
def list_ledger(store: StoreDep, query: Annotated[queries.LedgerQuery, Query()]) -> Page[LedgerBody]:
    """List records in the order of `seq`, after the seq given."""
    return queries.list_ledger(store, query)


@router.get("/verify")
def get_verification(store: StoreDep) -> VerificationBody:
    """Walk the chain and hold it against the signed heads."""
    return queries.verify_ledger(store)
