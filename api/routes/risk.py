"""The risk of the book: measures, stress, exposures, and what an order would do. Nothing here changes anything."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import READ, StoreDep
from api.schemas import Body
from pipeline import risk_view
from pipeline.controls_view import control_register
from tools.errors import ToolRejected
from tools.risk.exposure import ExposureReport
from tools.risk.measures.types import Shock, StressResult, WhatIf
from tools.risk.uses import ControlUse
from tools.types import Symbol

router = APIRouter(tags=["risk"], dependencies=READ)
MAX_SHOCKS = 100


class StressRequest(Body):
    """Moves to put the book through: either `shocks` (fractions) or `text` such as `market=-10%, Energy=-20%`."""

    shocks: Annotated[list[Shock], Field(max_length=MAX_SHOCKS, default_factory=list)]
    text: Annotated[str | None, Field(default=None, max_length=2000)] = None


class WhatIfRequest(Body):
    """An order to try at the last close; nothing is sent."""

    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: Annotated[int, Field(ge=1, le=10_000_000)]
    stop_price: Annotated[Decimal | None, Field(default=None, gt=0)] = None


class ControlList(BaseModel):
    items: tuple[ControlUse, ...]
    next: None = None
    total: int


@router.get("/controls")
def list_controls(store: StoreDep) -> ControlList:
    """List every control with the rule it answers to, its limit, and how much of it is used at the last close."""
    found = control_register(store)
    return ControlList(items=found, total=len(found))


@router.get("/risk")
def show_risk(
    store: StoreDep,
    confidence: Annotated[float, Query(ge=0.8, le=0.995)] = 0.95,
    horizon: Annotated[int, Query(ge=1, le=20, description="sessions")] = 1,
) -> risk_view.RiskReport:
    """Measure the book at the last close: tails by three methods, volatility, drawdown, beta, concentration,
    contributions, historical stress, limits used and the drawdown protection. Each figure names its convention."""
    return risk_view.risk_report(store, confidence=confidence, horizon=horizon)


@router.get("/exposure")
def show_exposure(
    store: StoreDep, pending: Annotated[bool, Query(description="count pending orders as filled")] = True
) -> ExposureReport:
    """Show exposures by symbol, sector, strategy and agent, with the use of the limit where there is one."""
    return risk_view.exposure_report(store, pending=pending)


@router.post("/risk/stress")
def post_stress(store: StoreDep, body: StressRequest) -> StressResult:
    """Put the book through your own moves and see what it loses and which limits that would cross. Reads only."""
    if bool(body.shocks) == (body.text is not None):
        raise ToolRejected("give either shocks or text: they say the same in two ways", code="invalid")
    if body.text is not None:
        return risk_view.stress_of_text(store, body.text)
    return risk_view.stress_report(store, body.shocks)


@router.post("/risk/what-if")
def post_what_if(store: StoreDep, body: WhatIfRequest) -> WhatIf:
    """Show the book before and after an order at the last close. Nothing is proposed and nothing is sent."""
    return risk_view.what_if_report(
        store, symbol=body.symbol, side=body.side, quantity=body.quantity, stop_price=body.stop_price
    )
