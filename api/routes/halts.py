"""Stopping the desk, and letting it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, Halter, RiskOfficer, StoreDep
from api.paging import Page
from api.queries import ledger as queries
from api.schemas import HaltBody, HaltRequest, ReleaseAnswer, ReleaseRequest
from pipeline import halt
from pipeline.standing import acting_for

router = APIRouter(prefix="/halts", tags=["halts"])


@router.get("", dependencies=READ)
def list_halts(store: StoreDep, query: Annotated[queries.HaltQuery, Query()]) -> Page[HaltBody]:
    """List the halts in force, or with `all=true` also those released."""
    return queries.list_halts(store, query)


@router.post("", status_code=201)
def post_halt(store: StoreDep, who: Halter, body: HaltRequest) -> HaltBody:
    """Engage a halt. It holds from the moment this answers, whatever the engine is doing.

    Cancelling and flattening are carried out by the halt program in a process of its own.
    """
    row = halt.engage(
        acting_for(store, who, "operator"), action=body.action, reason=body.reason, principal=who.principal(),
        scope=body.scope, target=body.target, source="api",
    )  # fmt: skip
    if row.action != "no_new":
        halt.launch(store)
    return queries.halt_body(row)


@router.post("/release")
def post_release(store: StoreDep, who: RiskOfficer, body: ReleaseRequest) -> ReleaseAnswer:
    """Release every halt. What was pending under it is voided and must be proposed again."""
    result = halt.release(acting_for(store, who, "risk_officer"), reason=body.reason, principal=who.principal())
    return ReleaseAnswer(released=list(result.released), voided_cases=list(result.voided_cases))
