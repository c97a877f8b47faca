"""What models may cost, and what they changed against the rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, StoreDep
from pipeline.budget import BudgetView, budget_view
from pipeline.scorecard import Scorecard, scorecard

router = APIRouter(prefix="/models", tags=["models"], dependencies=READ)


@router.get("/budget")
def get_model_budget(store: StoreDep) -> BudgetView:
    """Show what model calls spent and may still spend, in tokens and in money, per call, cycle, day and run. What is
    set aside for calls under way counts as spent."""
    return budget_view(store)


@router.get("/scorecard")
def get_scorecard(
    store: StoreDep,
    run: Annotated[str | None, Query(max_length=80, description="a run id; default: the active run")] = None,
    limit: Annotated[int, Query(ge=0, le=1_000, description="decisions listed, newest first")] = 100,
) -> Scorecard:
    """Show rules against model: per decision what the model changed, its share of the cost, and how the view turned
    out against the index; over all decisions the same, with a sign test and in words."""
    return scorecard(store, run, limit=limit)
