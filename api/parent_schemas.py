"""What the API says of worked orders, and takes to stop one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas import Body, Money, Text
from pipeline.roles import Role

ParentStatus = Literal["open", "done", "stopped"]
SliceState = Literal["planned", "working", "filled", "partly_filled", "not_filled", "held_back", "left_out"]


class StopRequest(Body):
    """Stop a worked order: no further child is written, one that still lives is cancelled."""

    reason: Annotated[Text, Field(max_length=2000)]


class SliceBody(BaseModel):
    """One slice of a plan and the child that it became. `planned` shares; `capacity` is what its volume cap allows.

    `reason` says why it was held back or did not fill.
    """

    number: int
    session: date
    planned: int
    capacity: int
    state: SliceState
    sent: int = 0
    filled: int = 0
    average_price: Money | None = None
    client_order_id: str | None = None
    reason: str | None = None


class ChildCostBody(BaseModel):
    """What one child cost; bps of its quantity, positive is a cost."""

    number: int
    quantity: int
    average_price: Money
    shortfall_bps: Decimal
    vwap_bps: Decimal | None


class CostBody(BaseModel):
    """What the fills cost so far. Money in account currency and basis points, positive is a cost.

    `arrival_bps`: average price against `arrival_price`, the opening price at submission. `vwap_bps`: against
    `interval_vwap`, made of what `interval` says. `shortfall` adds fees and what was left undone (`opportunity_cost`);
    its bps are of the whole order at arrival.
    """

    arrival_price: Money
    average_price: Money | None
    arrival_bps: Decimal | None
    interval_vwap: Money | None
    vwap_bps: Decimal | None
    interval: str
    price_cost: Money
    fees: Money
    opportunity_cost: Money
    shortfall: Money
    shortfall_bps: Decimal
    children: list[ChildCostBody]


class ParentBody(BaseModel):
    """A worked order: what one approval allows in all, and how far its plan has come.

    `status`: open while children follow; done when the plan is over; stopped by a person, a halt or a changed position.
    """

    id: str
    case_id: str
    run_id: str
    symbol: str
    side: str
    risk_effect: str
    strategy: str
    algorithm: str
    basis: str
    sessions: int
    participation: Decimal | None
    quantity: int
    sent: int
    filled: int
    remaining: int
    average_price: Money | None
    status: ParentStatus
    reason: str | None
    role_to_stop: Role
    opened: datetime
    slices: list[SliceBody]


class ParentDetail(ParentBody):
    """A worked order and what it cost; `cost` is null without a fill, or where `cost_unknown` says why."""

    cost: CostBody | None
    cost_unknown: str | None = None
