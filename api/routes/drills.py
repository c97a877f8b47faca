"""Drills: the record of one that somebody ran, and the latest. They run at the command line, never in here."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import READ, Operator, StoreDep
from api.errors import RequestError
from api.schemas import Body
from pipeline.drills import report
from pipeline.drills.report import DrillRecord, DrillReport
from pipeline.standing import acting_for

router = APIRouter(prefix="/drills", tags=["drills"])


class DrillBody(DrillReport, Body):
    """What a drill found, line by line."""


@router.post("", status_code=201)
def post_drill(store: StoreDep, who: Operator, body: DrillBody) -> DrillRecord:
    """Put the report of a drill into the ledger, under the name of who ran it."""
    found = DrillReport.model_validate(body.model_dump())
    return report.record(acting_for(store, who, "operator"), found, who.principal())


@router.get("/last", dependencies=READ)
def get_last_drill(store: StoreDep) -> DrillRecord:
    """Show the latest drill that this home knows of."""
    with store.db.read() as session:
        known = report.last(session)
    if known is None:
        raise RequestError("no drill has been run over this home yet: `quarterdeck drill` runs one", code="not_found")
    return known
