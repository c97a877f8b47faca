"""Service levels of the queue, and what it cost that people cannot be asked about everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.auth import require
from api.dependencies import StoreDep
from pipeline.capacity import CapacityCost, capacity_cost
from pipeline.sla import ServiceLevels, read_questions, service_levels
from pipeline.store import now

router = APIRouter(tags=["attention"])


class SlaBody(ServiceLevels):
    """Service levels, and the outcomes of what was not asked for want of people against those of what was."""

    capacity: CapacityCost


@router.get("/sla", dependencies=[Depends(require("approver", "read"))])
def get_sla(
    store: StoreDep,
    days: Annotated[int | None, Query(ge=1, le=3_650, description="questions of the last days; default: all")] = None,
    run: Annotated[str | None, Query(max_length=80, description="a run id; default: every run")] = None,
) -> SlaBody:
    """Show time to acknowledge, time to decide and the expired share, by tier, rule and person, and what the limits
    on asking cost: mean excess return of settled outcomes, asked against not selected, over all days."""
    since = None if days is None else now() - timedelta(days=days)
    with store.db.read() as session:
        levels = service_levels(read_questions(session, run_id=run, since=since))
        return SlaBody(**levels.model_dump(), capacity=capacity_cost(session, run))
