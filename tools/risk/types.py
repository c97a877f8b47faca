"""Limits, portfolio view and check results."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from tools.risk.exit_policy import ExitPolicy
from tools.risk.halt_policy import HaltPolicy
from tools.risk.protection import DrawdownProtection
from tools.risk.sizing_policy import SizingPolicy
from tools.risk.working_policy import WorkingPolicy
from tools.types import Frozen, Side, Symbol, absent


class Limits(Frozen):
    """The limits file. Shares of equity are fractions (0.02 = 2 %); money in account currency.

    `working` is the one optional section: without it no strategy's entry is worked over several sessions.
    """

    version: str
    max_order_notional: Decimal = Field(gt=0)
    min_order_notional: Decimal = Field(ge=0)
    max_order_quantity: int = Field(gt=0)
    max_trade_share: Decimal = Field(gt=0, le=1)
    max_position_share: Decimal = Field(gt=0, le=1)
    max_sector_share: Decimal = Field(gt=0, le=1)
    max_gross_share: Decimal = Field(gt=0)
    max_adv_share: Decimal = Field(gt=0, le=1)
    max_total_open_risk: Decimal = Field(gt=0, le=1)
    max_daily_loss: Decimal = Field(gt=0, le=1)
    max_drawdown: Decimal = Field(gt=0, le=1)
    max_open_positions: int = Field(gt=0)
    price_band_atr: Decimal = Field(gt=0)
    stop_atr: Decimal = Field(gt=0)
    risk_per_trade: Decimal = Field(gt=0, le=1)
    max_data_age_hours: int = Field(gt=0)
    restricted: tuple[Symbol, ...] = ()
    permitted: tuple[Symbol, ...] | None = None
    max_net_share: Decimal = Field(gt=0)
    max_leverage: Decimal = Field(gt=0)
    max_group_share: Decimal = Field(gt=0, le=1)
    group_correlation: Decimal = Field(gt=0, le=1)
    settlement_days: int = Field(ge=0, le=5)
    short_permitted: bool = False
    max_orders_per_minute: int = Field(gt=0)
    duplicate_window_seconds: int = Field(ge=0)
    max_loss_streak: int = Field(gt=0)
    max_trades_per_day: int = Field(gt=0)
    max_automatic_executions: int = Field(gt=0)
    max_clock_skew_seconds: int = Field(ge=0)
    cure_sessions: int = Field(ge=0)
    sizing: SizingPolicy
    protection: DrawdownProtection
    exits: ExitPolicy
    halts: HaltPolicy
    working: WorkingPolicy | None = Field(default=None, exclude_if=absent)


class PositionView(Frozen):
    """One open position, marked. `open_risk` is money lost if the protective stop fills at its price."""

    symbol: Symbol
    quantity: int
    average_price: Decimal
    mark: Decimal
    sector: str
    strategy: str
    opened_session_index: int
    stop_price: Decimal | None = None

    @property
    def market_value(self) -> Decimal:
        return self.mark * self.quantity

    @property
    def open_risk(self) -> Decimal:
        if self.stop_price is None:
            return abs(self.market_value)
        return max(Decimal(0), (self.mark - self.stop_price) * self.quantity)


class PendingOrder(Frozen):
    """An approved-unsent or open order that increases risk, counted as filled at its worst case.

    `price` is the worst in its band: the highest, whichever side, since exposure grows with it.
    """

    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    sector: str
    stop_price: Decimal | None = None

    @property
    def notional(self) -> Decimal:
        return self.price * self.quantity

    @property
    def open_risk(self) -> Decimal:
        if self.stop_price is None:
            return self.notional
        distance = self.price - self.stop_price if self.side == "buy" else self.stop_price - self.price
        return max(Decimal(0), distance * self.quantity)


class OwnOrder(Frozen):
    """An order of ours that is live or was placed within the windows that controls look at."""

    symbol: Symbol
    side: Side
    quantity: int
    age_seconds: float = Field(description="desk time since it was written")
    live: bool
    price: Decimal | None = Field(default=None, description="its limit or stop price; None for a market order")


class PortfolioView(Frozen):
    """The book as the controls see it. Shares and money as in `Limits`; None is not known, and blocks increases."""

    equity: Decimal
    cash: Decimal
    peak_equity: Decimal
    day_start_equity: Decimal
    positions: tuple[PositionView, ...] = ()
    pending: tuple[PendingOrder, ...] = ()
    settled_cash: Decimal | None = None
    orders: tuple[OwnOrder, ...] | None = None
    trades_today: int | None = None
    loss_streak: int | None = None
    automatic_executions: Mapping[str, int] | None = Field(
        default=None, description="by strategy: entries released without a person since it was last enabled"
    )

    @property
    def gross(self) -> Decimal:
        return sum((abs(p.market_value) for p in self.positions), Decimal(0))

    @property
    def net(self) -> Decimal:
        return sum((p.market_value for p in self.positions), Decimal(0))

    @property
    def drawdown(self) -> Decimal:
        """One minus equity over its peak; 0 at the peak."""
        return Decimal(0) if self.peak_equity <= 0 else max(Decimal(0), 1 - self.equity / self.peak_equity)

    def position(self, symbol: str) -> PositionView | None:
        return next((p for p in self.positions if p.symbol == symbol), None)


class MarketView(Frozen):
    """What a control may know of one symbol at check time. None means missing, and missing blocks."""

    symbol: Symbol
    sector: str
    price: Decimal | None
    atr: Decimal | None
    adv: Decimal | None = Field(description="average daily value traded over 20 sessions, in money")
    data_age_hours: float | None
    halted: bool | None = False
    unknown_order: bool = False
    trading_day: bool | None = None
    in_hours: bool | None = None
    volatility_paused: bool | None = None
    borrow_available: bool | None = None
    clock_skew_seconds: float | None = None
    group: tuple[Symbol, ...] | None = Field(
        default=None, description="names in the book or pending that move with this one, itself among them"
    )


Unit = Literal["money", "share", "quantity", "price", "hours", "seconds", "count", "flag"]


class Check(Frozen):
    """One control's result. Blocks when value > maximum (or < minimum); equality passes.

    `distance` is what is left to the limit in the check's unit, negative beyond it; None where nothing is measured.
    A block that is not `hard` may be overridden for one order; the check then warns and `overridden` says so.
    """

    control: str
    value: Decimal | None
    limit: Decimal | None
    unit: Unit
    verdict: Literal["pass", "warn", "block"]
    rule: str
    message: str
    hard: bool = True
    distance: Decimal | None = None
    overridden: bool = False


class Counterfactual(Frozen):
    """What a changed input would have made of a case; computed by running checks, rank, plan or sizing again.

    `original` and `changed` are in `unit`; of a vote they are the share of the proposal that it lets through. `name`
    says which limit or whose vote is meant. `sector_cap` is what explanations of the first version call the limit
    max_sector_share.
    """

    field: Literal["quantity", "price", "stop_price", "limit", "sector_cap", "equity", "confidence", "vote", "places"]
    original: Decimal
    changed: Decimal
    verdict: Literal["pass", "block", "not_selected"]
    binding_control: str | None
    text: str
    name: str | None = None
    unit: Unit | None = None
