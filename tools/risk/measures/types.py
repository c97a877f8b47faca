"""What a measure of risk says, and by which convention. Fractions are of equity; a loss is positive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.types import Frozen, Instant, Side, Symbol

Array = NDArray[np.float64]
TRADING_DAYS = 252
FIGURE_DECIMALS = 8
SHARE_STEP = Decimal("0.000001")
MONEY_STEP = Decimal("0.01")


def figure(value: float) -> float:
    """A statistic as results hold it: eight decimals and no minus zero, so that the same data give the same bytes.

    Refuses NaN and infinities with ValueError: what cannot be measured is `NotEnough`, never a figure.
    """
    if not np.isfinite(value):
        raise ValueError(f"{value} is no figure")
    return round(float(value), FIGURE_DECIMALS) + 0.0


def decimal_of(value: float) -> Decimal:
    """A figure in decimal, to six places (half even), so that it is written without an exponent."""
    return Decimal(repr(figure(value))).quantize(SHARE_STEP)


class NotEnough(Frozen):
    """A measure that the data cannot give. It is never shown as a zero."""

    status: Literal["not_enough_data"] = "not_enough_data"
    needed: int
    available: int
    message: str


class Convention(Frozen):
    """How a tail figure was made: one loss in `1 - confidence` of horizons is larger than VaR."""

    method: Literal["historical", "normal", "cornish_fisher"]
    confidence: float = Field(gt=0.5, lt=1)
    horizon_sessions: int = Field(ge=1)
    sign: Literal["loss positive"] = "loss positive"
    unit: Literal["fraction of equity"] = "fraction of equity"
    quantile: str
    scaling: Literal["none", "square root of time"]
    window_sessions: int


class TailRisk(Frozen):
    """Value at risk and its conditional mean beyond it (CVaR, expected shortfall)."""

    status: Literal["ok"] = "ok"
    var: float
    cvar: float
    convention: Convention


class Volatility(Frozen):
    """Annualised standard deviation (252 sessions) as a fraction. `decay` is the lambda of EWMA, else None."""

    status: Literal["ok"] = "ok"
    value: float
    method: Literal["ewma", "realised"]
    decay: float | None = None
    window_sessions: int


class Drawdown(Frozen):
    """Falls from the running peak as fractions, and how long they lasted in sessions."""

    status: Literal["ok"] = "ok"
    current: float
    maximum: float
    sessions_under_water: int
    longest_under_water: int
    window_sessions: int


class Relation(Frozen):
    """Against the index: slope of returns (beta) and Pearson's correlation, None where one side never moved."""

    status: Literal["ok"] = "ok"
    beta: float
    correlation: float | None
    window_sessions: int


class Concentration(Frozen):
    """How few names carry the gross value. `effective_names` is one over Herfindahl's index."""

    herfindahl: float
    effective_names: float
    largest_share: float
    largest_symbol: str | None
    sectors: dict[str, float]
    sector_herfindahl: float


class Contribution(Frozen):
    """One holding's part of the whole. Marginals are per unit of weight; components sum to the whole."""

    symbol: Symbol
    weight: float
    marginal_volatility: float
    component_volatility: float
    marginal_var: float
    component_var: float
    share_of_volatility: float | None


class Contributions(Frozen):
    """Euler contributions to volatility (annualised) and to parametric VaR (normal)."""

    status: Literal["ok"] = "ok"
    volatility: float
    var: float
    convention: Convention
    items: tuple[Contribution, ...]


class Holding(Frozen):
    """One name of a book: signed money at the mark, and what its stop would lose."""

    symbol: Symbol
    sector: str
    value: Decimal
    quantity: int
    open_risk: Decimal


class Book(Frozen):
    """Equity and holdings, pending orders counted as filled; one holding a symbol, by symbol."""

    equity: Decimal = Field(gt=0)
    holdings: tuple[Holding, ...] = ()

    def holding(self, symbol: str) -> Holding | None:
        return next((item for item in self.holdings if item.symbol == symbol), None)

    def weight(self, holding: Holding) -> float:
        return float(holding.value / self.equity)


@dataclass(frozen=True)
class History:
    """Simple returns per session: `returns` of shape (T, N), `index` of shape (T,), `sessions` their T dates."""

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    returns: Array
    index: Array

    @cached_property
    def columns(self) -> dict[str, int]:
        return {symbol: position for position, symbol in enumerate(self.symbols)}

    def of(self, symbols: Sequence[str]) -> Array | NotEnough:
        """Returns of these symbols in that order, shape (T, len(symbols)); `NotEnough` names what is missing."""
        absent = [symbol for symbol in symbols if symbol not in self.columns]
        if absent:
            return NotEnough(
                needed=len(symbols), available=len(symbols) - len(absent),
                message=f"no price history of {', '.join(sorted(absent))}",
            )  # fmt: skip
        return self.returns[:, [self.columns[symbol] for symbol in symbols]]


Used = Literal["own", "sector", "beta", "assumed_beta", "untouched"]


class Shock(Frozen):
    """One move somebody supposes, as a fraction: -0.1 is a fall of ten percent."""

    scope: Literal["market", "sector", "symbol"]
    target: str | None = None
    move: Decimal = Field(ge=-1, le=10)


class Scenario(Frozen):
    """Moves to put a book through. The most specific one counts: a name's own, its sector's, the index times beta.

    `hindsight` marks what happened after the desk's clock: it may be looked at and never becomes evidence.
    """

    id: str
    name: str
    first: date | None = None
    last: date | None = None
    known_at: Instant | None = None
    hindsight: bool = False
    market_move: float | None = None
    sector_moves: dict[str, float] = Field(default_factory=dict)
    symbol_moves: dict[str, float] = Field(default_factory=dict)
    market_source: str = ""
    sector_source: str = ""
    symbol_source: str = ""


class PositionStress(Frozen):
    """What a scenario does to one holding; `used` says which move was taken and `source` where it comes from."""

    symbol: Symbol
    sector: str
    value: Decimal
    move: float
    change: Decimal
    used: Used
    beta: float | None
    source: str


class Crossing(Frozen):
    """A limit against what it would measure after the scenario."""

    limit: Literal["max_daily_loss", "max_drawdown"]
    value: Decimal
    maximum: Decimal
    crossed: bool


class StressResult(Frozen):
    """A scenario put through the book. `change` is money, `loss_share` a fraction of equity with losses positive."""

    scenario: Scenario
    positions: tuple[PositionStress, ...]
    change: Decimal
    loss_share: Decimal
    equity_after: Decimal
    crossings: tuple[Crossing, ...]


MeasureUnit = Literal["share", "ratio"]


class Change(Frozen):
    """One measure before and after an order. None is what could not be measured; `missing` says why.

    `limit` is the maximum the measure is held against, `against` its name in the limits file.
    """

    measure: str
    label: str
    unit: MeasureUnit
    before: Decimal | None
    after: Decimal | None
    limit: Decimal | None = None
    against: str | None = None
    missing: str | None = None

    @property
    def change(self) -> Decimal | None:
        return None if self.before is None or self.after is None else self.after - self.before


class WhatIf(Frozen):
    """A book before and after one order, everything pending counted as filled.

    `incremental_var` is VaR after less VaR before (historical); `marginal_var` the order's weight times the
    slope of parametric VaR in its symbol, the first-order effect. Both are fractions of equity.
    """

    symbol: Symbol
    side: Side
    quantity: int = Field(ge=0)
    price: Decimal
    stop_price: Decimal | None = None
    changes: tuple[Change, ...]
    largest: str | None = Field(description="the measure of the book whose change is the largest part of the room left")
    incremental_var: Decimal | None
    marginal_var: Decimal | None
    confidence: float
    horizon_sessions: int
    window_sessions: int
    scenarios: tuple[str, ...] = ()
    scenario_dates: tuple[date, ...] = ()

    def find(self, measure: str) -> Change:
        return next(item for item in self.changes if item.measure == measure)
