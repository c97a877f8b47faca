"""Manual tickets: what a person proposes waits in the same queue as everything else."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.dependencies import Operator, StoreDep
from api.schemas import Body, Text
from pipeline import tickets
from pipeline.standing import acting_for
from tools.types import RiskEffect, Side, Symbol, Working

router = APIRouter(prefix="/tickets", tags=["approvals"])
Price = Annotated[Decimal | None, Field(default=None, gt=0, max_digits=12, decimal_places=2)]


class TicketRequest(Body):
    """An order by hand. The open may not be beyond `limit_price`; `stop_price` protects an entry.

    With `working` it is one child at each of the next `sessions` opens, each at most `participation` of the volume
    that its session leads one to expect; without, one order at the next open.
    """

    symbol: Symbol
    side: Side
    quantity: Annotated[int, Field(gt=0, le=10_000_000)]
    reason: Annotated[Text, Field(max_length=2000)]
    limit_price: Price = None
    stop_price: Price = None
    working: Working | None = None


class TicketBody(BaseModel):
    """The case that a ticket became; the engine checks, explains and asks it within seconds."""

    case_id: str
    kind: str
    risk_effect: RiskEffect
    state: str


@router.post("", status_code=201)
def post_ticket(store: StoreDep, who: Operator, body: TicketRequest) -> TicketBody:
    """Propose a hedge or an exit. What it does to risk is the tools' word; who proposed it does not sign it alone."""
    wish = tickets.Ticket(**body.model_dump(exclude={"reason"}))
    case = tickets.propose(
        acting_for(store, who, "operator"), wish, principal=who.principal(), reason=body.reason
    )  # fmt: skip
    return TicketBody(case_id=case.id, kind=case.kind, risk_effect=case.order.risk_effect, state=case.state)
