"""The terms of an account at the simulated venue. They belong to the account for ever, as its seed does."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from tools.execution.costs import CostModel, draw
from tools.types import Frozen, Symbol


class Borrow(Frozen):
    """Stock that may be sold short: at most `limits` shares by symbol, none where it is not named.

    `annual_bps` is charged each session, a 252nd part, on the market value of a short at the close.
    """

    annual_bps: Decimal = Field(default=Decimal(0), ge=0)
    limits: dict[Symbol, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)


class VenueTerms(Frozen):
    """What the venue charges, takes, refuses and lends. The defaults lend nothing, and never reject, halt or delay.

    `participation` is the part of a session's volume that may be ours. An order is not matched until `latency_ticks`
    ticks after the one it would have met (a cancel takes effect at once). `reject_rate` is the part of all orders that
    the venue refuses, drawn from seed and client order id. `halted` names the symbols that do not trade in a session.

    `initial_margin` is the equity that an opening trade must leave, as a part of the gross market value it leads to,
    other positions marked at the session's open: 1 is no credit, 0.5 is Regulation T. `credit_bps` a year is charged
    each session, a 252nd part, on cash below zero. Closing trades always pass; there is no margin call and no recall.
    """

    costs: CostModel = CostModel()
    participation: Decimal = Field(default=Decimal("0.10"), gt=0, le=1)
    latency_ticks: int = Field(default=0, ge=0)
    reject_rate: Decimal = Field(default=Decimal(0), ge=0, le=1)
    halted: dict[date, tuple[Symbol, ...]] = Field(default_factory=dict)
    borrow: Borrow = Borrow()
    initial_margin: Decimal = Field(default=Decimal(1), gt=0, le=1)
    credit_bps: Decimal = Field(default=Decimal(0), ge=0)

    def is_halted(self, symbol: str, session: date) -> bool:
        return symbol in self.halted.get(session, ())

    def refuses(self, seed: int, client_order_id: str) -> bool:
        """Whether the venue refuses an order for no reason of ours; the same seed and id always give the same."""
        return self.reject_rate > 0 and draw(f"{seed}:{client_order_id}:reject") < self.reject_rate

    @property
    def cash_account(self) -> bool:
        """No credit and no shorts: what other positions are worth plays no part in what may be bought."""
        return self.initial_margin == 1 and not self.borrow.limits
