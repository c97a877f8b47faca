"""Strategies: how often each went out without a person, and enabling one that disabled itself."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import READ, RiskOfficer, StoreDep
from api.schemas import Body, Text
from pipeline import strategies
from pipeline.standing import acting_for
from pipeline.strategies import StrategyView

router = APIRouter(prefix="/strategies", tags=["law"])


class StrategyList(BaseModel):
    items: tuple[StrategyView, ...]
    next: None = None
    total: int


class EnableRequest(Body):
    reason: Text


@router.get("", dependencies=READ)
def list_strategies(store: StoreDep) -> StrategyList:
    """List the strategies with their automatic executions since they were last enabled."""
    found = strategies.list_strategies(store)
    return StrategyList(items=found, total=len(found))


@router.post("/{strategy}/enable")
def enable_strategy(store: StoreDep, who: RiskOfficer, strategy: str, body: EnableRequest) -> StrategyView:
    """Let a strategy that reached its limit of automatic executions go on."""
    return strategies.enable(
        acting_for(store, who, "risk_officer"), strategy, principal=who.principal(), reason=body.reason
    )  # fmt: skip
