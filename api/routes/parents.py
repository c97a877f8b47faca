"""Worked orders: how far each has come, what it cost, and stopping it at any child."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, Halter, StoreDep
from api.paging import Page
from api.parent_schemas import ParentBody, ParentDetail, StopRequest
from api.queries import parents as queries
from pipeline import stopping
from pipeline.standing import acting_for

router = APIRouter(prefix="/parents", tags=["book"])


@router.get("", dependencies=READ)
def list_parents(store: StoreDep, query: Annotated[queries.ParentQuery, Query()]) -> Page[ParentBody]:
    """List worked orders, newest first, with their slices."""
    return queries.list_parents(store, query)


@router.get("/{parent_id}", dependencies=READ)
def get_parent(store: StoreDep, parent_id: str) -> ParentDetail:
    """One worked order, by its own or its case's id: plan, children, and slippage against arrival and interval VWAP."""
    return queries.get_parent(store, parent_id)


@router.post("/{parent_id}/stop")
def post_stop(store: StoreDep, who: Halter, parent_id: str, body: StopRequest) -> ParentDetail:
    """Write no further child and cancel one that lives. What was filled stays, with its stop; a repeat changes nothing.

    Any operator stops an entry. Stopping an exit leaves risk in the book and needs an approver, as refusing one does.
    """
    who.must(*stopping.right_needed(store, parent_id))
    stopped = stopping.stop(
        acting_for(store, who, "operator"), parent_id, principal=who.principal(), reason=body.reason
    )  # fmt: skip
    return queries.get_parent(store, stopped.id)
