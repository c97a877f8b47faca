"""Stopping the desk or a part of it, and letting it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import READ, Halter, RiskOfficer, StoreDep
from api.paging import Page
from api.queries import halts as queries
from api.schemas import HaltBody, HaltRequest, ReleaseAnswer, ReleaseRequest
from pipeline import halt, halt_release
from pipeline.people import Identity
from pipeline.standing import acting_for
from pipeline.store import Store

router = APIRouter(prefix="/halts", tags=["halts"])


@router.get("", dependencies=READ)
def list_halts(store: StoreDep, query: Annotated[queries.HaltQuery, Query()]) -> Page[HaltBody]:
    """List the halts in force, or with `all=true` also those released."""
    return queries.list_halts(store, query)


@router.post("", status_code=201, responses={202: {"model": HaltBody, "description": "taken as the HALT file"}})
def post_halt(store: StoreDep, who: Halter, body: HaltRequest, answer: Response) -> HaltBody:
    """Engage a halt. It holds from the moment this answers, whatever the engine is doing.

    The watchdog carries it out, or where none lives the halt program in a process of its own. A store that stays
    locked does not hold it up: after two seconds it stands as the HALT file, for the whole firm, and this answers 202.
    """
    row = halt.engage_surely(
        acting_for(store, who, "operator"), action=body.action, reason=body.reason, principal=who.principal(),
        scope=body.scope, target=body.target, source="api",
    )  # fmt: skip
    if row.source == halt.FILE_SOURCE:
        answer.status_code = 202
    elif row.action != "no_new":
        halt.launch(store)
    return queries.halt_body(row)


@router.post("/release")
def post_release(store: StoreDep, who: RiskOfficer, body: ReleaseRequest) -> ReleaseAnswer:
    """Release every halt. What each held is voided and must be proposed again."""
    return _release(store, who, body, None)


@router.post("/{halt_id}/release")
def post_release_one(store: StoreDep, who: RiskOfficer, halt_id: str, body: ReleaseRequest) -> ReleaseAnswer:
    """Release one halt and void what it held, and only that."""
    return _release(store, who, body, halt_id)


@router.post("/{halt_id}/keep")
def post_keep(store: StoreDep, who: RiskOfficer, halt_id: str, body: ReleaseRequest) -> HaltBody:
    """Make a control's halt permanent: it then ends only by release."""
    acting = acting_for(store, who, "risk_officer")
    return queries.halt_body(halt_release.keep(acting, halt_id, reason=body.reason, principal=who.principal()))


def _release(store: Store, who: Identity, body: ReleaseRequest, halt_id: str | None) -> ReleaseAnswer:
    result = halt_release.release(
        acting_for(store, who, "risk_officer"), reason=body.reason, principal=who.principal(), halt_id=halt_id
    )
    return ReleaseAnswer(
        released=list(result.released), voided_cases=list(result.voided_cases), waiting=list(result.waiting)
    )
