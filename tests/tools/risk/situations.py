"""Situations at and beyond each limit, and with an input missing: what the tests of controls share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tools.risk.controls import check_order
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Check, Limits, MarketView, OwnOrder, PendingOrder, PortfolioView, PositionView
from tools.types import PriceBand, Proposal

D = Decimal
MILLION = D(1_000_000)
SHIPPED = load_limits(default_limits_text())
LIMITS = Limits(
    version="test", max_order_notional=D(50_000), min_order_notional=D(500), max_order_quantity=1_000,
    max_trade_share=D("0.02"), max_position_share=D("0.04"), max_sector_share=D("0.25"), max_gross_share=D(1),
    max_adv_share=D("0.01"), max_total_open_risk=D("0.05"), max_daily_loss=D("0.03"), max_drawdown=D("0.15"),
    max_open_positions=3, price_band_atr=D(1), stop_atr=D("2.5"), risk_per_trade=D("0.0025"), max_data_age_hours=96,
    max_net_share=D(1), max_leverage=D("1.1"), max_group_share=D("0.3"), group_correlation=D("0.8"), settlement_days=3,
    max_orders_per_minute=10, duplicate_window_seconds=60, max_loss_streak=3, max_trades_per_day=4,
    max_automatic_executions=5, max_clock_skew_seconds=2, cure_sessions=3,
    sizing=SHIPPED.sizing, protection=SHIPPED.protection, exits=SHIPPED.exits, halts=SHIPPED.halts,
)  # fmt: skip


def buy(quantity: int = 100, **changes: Any) -> Proposal:
    return Proposal.model_validate(
        {
            "id": "prop_1", "run_id": "run_1", "cycle_id": "cyc_1", "kind": "order.entry", "strategy": "trend",
            "symbol": "IBM", "side": "buy", "quantity": quantity, "reference_price": D(100),
            "band": PriceBand(low=D(98), high=D(102)), "stop_price": D(95), "atr": D(2), "risk_effect": "increases",
            "horizon_sessions": 20, "strength": 0.5, "confidence": 0.5, "thesis": "because", "evidence_ids": (),
            "taint": False, "as_of": datetime(2009, 11, 17, tzinfo=UTC), **changes,
        }
    )  # fmt: skip


def sell(quantity: int = 100, **changes: Any) -> Proposal:
    return buy(quantity, kind="order.exit", side="sell", risk_effect="reduces", stop_price=None, **changes)


def book(**changes: Any) -> PortfolioView:
    return PortfolioView.model_validate(
        {
            "equity": MILLION, "cash": MILLION, "peak_equity": MILLION, "day_start_equity": MILLION,
            "settled_cash": changes.get("cash", MILLION), "orders": (), "trades_today": 0, "loss_streak": 0,
            "automatic_executions": {}, **changes,
        }
    )  # fmt: skip


def held(symbol: str = "IBM", quantity: int = 100, mark: str = "100", **changes: Any) -> PositionView:
    return PositionView.model_validate(
        {
            "symbol": symbol, "quantity": quantity, "average_price": D(90), "mark": D(mark), "sector": "Technology",
            "strategy": "trend", "opened_session_index": 60, "stop_price": D(mark), **changes,
        }
    )  # fmt: skip


def waiting(symbol: str = "HPQ", quantity: int = 100, price: str = "100", **changes: Any) -> PendingOrder:
    return PendingOrder.model_validate(
        {
            "symbol": symbol, "side": "buy", "quantity": quantity, "price": D(price), "sector": "Technology",
            "stop_price": D(price), **changes,
        }
    )  # fmt: skip


def market(**changes: Any) -> MarketView:
    return MarketView.model_validate(
        {
            "symbol": "IBM", "sector": "Technology", "price": D(100), "atr": D(2), "adv": D(50_000_000),
            "data_age_hours": 1.0, "trading_day": True, "in_hours": True, "volatility_paused": False,
            "clock_skew_seconds": 0.0, "group": ("IBM",), **changes,
        }
    )  # fmt: skip


def placed(symbol: str = "XOM", quantity: int = 10, side: str = "buy", **changes: Any) -> OwnOrder:
    return OwnOrder.model_validate(
        {"symbol": symbol, "side": side, "quantity": quantity, "age_seconds": 1.0, "live": True, **changes}
    )


def short(quantity: int = 100, **changes: Any) -> Proposal:
    return buy(quantity, side="sell", **{"stop_price": D(105), **changes})


@dataclass(frozen=True)
class Case:
    """One set of inputs; what is not named is harmless."""

    proposal: Proposal = field(default_factory=buy)
    portfolio: PortfolioView = field(default_factory=book)
    market: MarketView = field(default_factory=market)
    limits: Limits = LIMITS

    def check(self, control: str) -> Check:
        found = check_order(self.proposal, self.portfolio, self.market, self.limits)
        return next(item for item in found if item.control == control)


def limited(**changes: Any) -> Limits:
    return LIMITS.model_copy(update=changes)


AT_AND_BEYOND = {
    "stale_data": (Case(market=market(data_age_hours=96.0)), Case(market=market(data_age_hours=96.01))),
    "price_collar": (Case(market=market(price=D(102))), Case(market=market(price=D("102.01")))),
    "max_notional": (Case(buy(500)), Case(buy(501))),
    "min_notional": (Case(buy(5)), Case(buy(4))),
    "max_quantity": (Case(buy(1_000)), Case(buy(1_001))),
    "adv_share": (
        Case(buy(50), book(pending=(waiting("IBM", 50),)), market(adv=MILLION)),
        Case(buy(51), book(pending=(waiting("IBM", 50),)), market(adv=MILLION)),
    ),
    "trade_share": (Case(buy(200)), Case(buy(201))),
    "position_share": (
        Case(buy(100), book(positions=(held("IBM", 200),), pending=(waiting("IBM", 100),))),
        Case(buy(101), book(positions=(held("IBM", 200),), pending=(waiting("IBM", 100),))),
    ),
    "sector_share": (
        Case(buy(100), book(positions=(held("DELL", 1_000),), pending=(waiting(quantity=1_400),))),
        Case(buy(101), book(positions=(held("DELL", 1_000),), pending=(waiting(quantity=1_400),))),
    ),
    "gross_share": (
        Case(buy(100), book(positions=(held("XOM", 5_000, sector="Energy"),), pending=(waiting(quantity=4_900),))),
        Case(buy(101), book(positions=(held("XOM", 5_000, sector="Energy"),), pending=(waiting(quantity=4_900),))),
    ),
    "total_open_risk": (
        Case(
            buy(100),
            book(
                positions=(held("XOM", 245, stop_price=None),),
                pending=(waiting(quantity=500, stop_price=D(50)),),
            ),
        ),
        Case(
            buy(101),
            book(
                positions=(held("XOM", 245, stop_price=None),),
                pending=(waiting(quantity=500, stop_price=D(50)),),
            ),
        ),
    ),
    "daily_loss": (Case(portfolio=book(equity=D(970_000))), Case(portfolio=book(equity=D(969_999)))),
    "drawdown": (
        Case(portfolio=book(equity=D(850_000), day_start_equity=D(850_000))),
        Case(portfolio=book(equity=D(849_999), day_start_equity=D(850_000))),
    ),
    "max_open_positions": (
        Case(portfolio=book(positions=(held("DELL"),), pending=(waiting(),))),
        Case(portfolio=book(positions=(held("DELL"), held("XOM")), pending=(waiting(),))),
    ),
    "buying_power": (
        Case(portfolio=book(cash=D(20_200), pending=(waiting(),))),
        Case(portfolio=book(cash=D("20_199.99"), pending=(waiting(),))),
    ),
    "reduce_only": (
        Case(sell(100), book(positions=(held(quantity=100),))),
        Case(sell(101), book(positions=(held(quantity=100),))),
    ),
    "restricted": (Case(limits=limited(restricted=("DELL",))), Case(limits=limited(restricted=("DELL", "IBM")))),
    "symbol_halted": (Case(market=market(halted=False)), Case(market=market(halted=True))),
    "unknown_order": (Case(market=market(unknown_order=False)), Case(market=market(unknown_order=True))),
    "short_permission": (
        Case(short(), market=market(borrow_available=True), limits=limited(short_permitted=True)),
        Case(short(), market=market(borrow_available=True)),
    ),
    "stop_side": (Case(buy(stop_price=D("99.99"))), Case(buy(stop_price=D(100)))),
    "permitted": (Case(limits=limited(permitted=("IBM",))), Case(limits=limited(permitted=("DELL",)))),
    "volatility_pause": (Case(market=market(volatility_paused=False)), Case(market=market(volatility_paused=True))),
    "trading_day": (Case(market=market(trading_day=True)), Case(market=market(trading_day=False))),
    "trading_hours": (Case(market=market(in_hours=True)), Case(market=market(in_hours=False))),
    "clock_skew": (Case(market=market(clock_skew_seconds=-2.0)), Case(market=market(clock_skew_seconds=2.05))),
    "message_rate": (
        Case(portfolio=book(orders=(placed(),) * 9)),
        Case(portfolio=book(orders=(placed(live=False),) * 10)),
    ),
    "duplicate_order": (
        Case(portfolio=book(orders=(placed("IBM", 100, live=False, age_seconds=60.0), placed("IBM", 99)))),
        Case(portfolio=book(orders=(placed("IBM", 100, live=False, age_seconds=59.0),))),
    ),
    "self_cross": (
        Case(portfolio=book(orders=(placed("IBM", 5, "sell", price=D("102.01")),))),
        Case(portfolio=book(orders=(placed("IBM", 5, "sell", price=D(102)),))),
    ),
    "group_share": (
        Case(
            buy(100),
            book(positions=(held("DELL", 2_400), held("XOM", 9_000)), pending=(waiting(quantity=500),)),
            market(group=("DELL", "HPQ", "IBM")),
        ),
        Case(
            buy(101),
            book(positions=(held("DELL", 2_400), held("XOM", 9_000)), pending=(waiting(quantity=500),)),
            market(group=("DELL", "HPQ", "IBM")),
        ),
    ),
    "net_share": (
        Case(buy(100), book(positions=(held("XOM", 5_000),), pending=(waiting(quantity=4_900),))),
        Case(buy(101), book(positions=(held("XOM", 5_000),), pending=(waiting(quantity=4_900),))),
    ),
    "leverage": (
        Case(
            buy(100),
            book(positions=(held("XOM", 10_777, stop_price=D("99.01")),)),
            limits=limited(max_gross_share=D(2)),
        ),
        Case(
            buy(100),
            book(positions=(held("XOM", 10_778, stop_price=D("99.01")),)),
            limits=limited(max_gross_share=D(2)),
        ),
    ),
    "loss_streak": (Case(portfolio=book(loss_streak=3)), Case(portfolio=book(loss_streak=4))),
    "trades_per_day": (Case(portfolio=book(trades_today=3)), Case(portfolio=book(trades_today=4))),
    "automatic_executions": (
        Case(portfolio=book(automatic_executions={"trend": 4, "reversion": 9})),
        Case(portfolio=book(automatic_executions={"trend": 5})),
    ),
    "settled_cash": (
        Case(portfolio=book(settled_cash=D(20_200), pending=(waiting(),))),
        Case(portfolio=book(settled_cash=D("20_199.99"), pending=(waiting(),))),
    ),
}

MISSING = {
    "stale_data": Case(market=market(data_age_hours=None)),
    "price_collar": Case(market=market(price=None)),
    "max_notional": Case(market=market(price=None)),
    "min_notional": Case(market=market(price=None)),
    "adv_share": Case(market=market(adv=None)),
    "trade_share": Case(portfolio=book(equity=D(0))),
    "position_share": Case(market=market(price=None)),
    "sector_share": Case(market=market(sector="")),
    "gross_share": Case(market=market(price=None)),
    "total_open_risk": Case(market=market(price=None)),
    "daily_loss": Case(portfolio=book(day_start_equity=D(0))),
    "drawdown": Case(portfolio=book(peak_equity=D(0))),
    "buying_power": Case(market=market(price=None)),
    "symbol_halted": Case(market=market(halted=None)),
    "short_permission": Case(short(), limits=limited(short_permitted=True)),
    "volatility_pause": Case(market=market(volatility_paused=None)),
    "trading_day": Case(market=market(trading_day=None)),
    "trading_hours": Case(market=market(in_hours=None)),
    "clock_skew": Case(market=market(clock_skew_seconds=None)),
    "message_rate": Case(portfolio=book(orders=None)),
    "duplicate_order": Case(portfolio=book(orders=None)),
    "self_cross": Case(portfolio=book(orders=None)),
    "group_share": Case(market=market(group=None)),
    "net_share": Case(market=market(price=None)),
    "leverage": Case(portfolio=book(equity=D(400))),
    "loss_streak": Case(portfolio=book(loss_streak=None)),
    "trades_per_day": Case(portfolio=book(trades_today=None)),
    "automatic_executions": Case(portfolio=book(automatic_executions=None)),
    "settled_cash": Case(portfolio=book(settled_cash=None)),
}
NEVER_MISSING = {
    "reduce_only", "restricted", "unknown_order", "max_quantity", "max_open_positions", "stop_side", "permitted",
}  # fmt: skip
SOFT = {"min_notional", "adv_share", "group_share", "loss_streak", "trades_per_day", "max_open_positions"}
