"""Long-term memory for people: search, how it does, the runbooks, and the wish to build its index anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, EncoderDep, Operator, StoreDep
from api.errors import not_found
from api.queries import memory as queries
from api.schemas import CommandAccepted
from pipeline.commands import request_rebuild
from pipeline.standing import acting_for
from prompts.runbooks import Runbook, runbooks

router = APIRouter(prefix="/memory", tags=["memory"])


@router.get("", dependencies=READ)
def search_memory(
    store: StoreDep, encoder: EncoderDep, query: Annotated[queries.MemoryQuery, Query()]
) -> queries.MemoryAnswer:
    """Search cases, lessons, explanations and runbooks by likeness, with every factor that made an item's place.

    Read exactly from SQL: the same answer as the engine's, whatever its index does.
    """
    return queries.search(store, encoder, query)


@router.get("/status", dependencies=READ)
def get_memory_status(store: StoreDep, encoder: EncoderDep) -> queries.MemoryStatus:
    """Report how much is remembered, by run and kind, and how the index does."""
    return queries.status(store, encoder)


@router.get("/runbooks", dependencies=READ)
def list_runbooks(code: Annotated[str | None, Query(max_length=80)] = None) -> tuple[Runbook, ...]:
    """List the runbooks; with `code` the one that answers findings of that code, if any."""
    return tuple(book for book in runbooks() if code is None or code in book.codes)


@router.get("/runbooks/{runbook_id}", dependencies=READ)
def get_runbook(runbook_id: str) -> Runbook:
    """Show one runbook, in Markdown."""
    found = next((book for book in runbooks() if book.id == runbook_id), None)
    if found is None:
        raise not_found("runbook", runbook_id)
    return found


@router.post("/rebuild", status_code=202)
def post_memory_rebuild(store: StoreDep, who: Operator) -> CommandAccepted:
    """Ask the engine to build the index anew from SQL; nothing remembered changes."""
    row = request_rebuild(acting_for(store, who, "operator"), who.principal())
    return CommandAccepted.model_validate({"command": row.id, "status": row.status})
