"""Every control with its limit and how much of it is used now: by the book, or by the orders checked last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Literal

from tools.risk.control import exact
from tools.risk.controls import CONTROLS, utilisation
from tools.risk.flow_controls import MINUTE
from tools.risk.groups import Groups, within
from tools.risk.measures.book import book_of
from tools.risk.measures.types import Book
from tools.risk.types import Check, Limits, PortfolioView, Unit
from tools.types import Frozen

Basis = Literal["book", "orders"]

LIMIT_OF: Mapping[str, Callable[[Limits], Decimal | int | None]] = {
    "reduce_only": lambda _: None, "short_permission": lambda _: None, "stop_side": lambda _: None,
    "restricted": lambda _: None, "permitted": lambda _: None, "symbol_halted": lambda _: None,
    "volatility_pause": lambda _: None, "trading_day": lambda _: None, "trading_hours": lambda _: None,
    "unknown_order": lambda _: None, "duplicate_order": lambda _: None, "self_cross": lambda _: None,
    "buying_power": lambda _: None, "settled_cash": lambda _: None,
    "clock_skew": lambda limits: limits.max_clock_skew_seconds, "stale_data": lambda limits: limits.max_data_age_hours,
    "price_collar": lambda limits: limits.price_band_atr, "max_notional": lambda limits: limits.max_order_notional,
    "min_notional": lambda limits: limits.min_order_notional, "max_quantity": lambda limits: limits.max_order_quantity,
    "message_rate": lambda limits: limits.max_orders_per_minute, "adv_share": lambda limits: limits.max_adv_share,
    "trade_share": lambda limits: limits.max_trade_share, "position_share": lambda limits: limits.max_position_share,
    "sector_share": lambda limits: limits.max_sector_share, "group_share": lambda limits: limits.max_group_share,
    "gross_share": lambda limits: limits.max_gross_share, "net_share": lambda limits: limits.max_net_share,
    "leverage": lambda limits: limits.max_leverage, "total_open_risk": lambda limits: limits.max_total_open_risk,
    "daily_loss": lambda limits: limits.max_daily_loss, "drawdown": lambda limits: limits.max_drawdown,
    "loss_streak": lambda limits: limits.max_loss_streak, "trades_per_day": lambda limits: limits.max_trades_per_day,
    "automatic_executions": lambda limits: limits.max_automatic_executions,
    "max_open_positions": lambda limits: limits.max_open_positions,
}  # fmt: skip
"""The limit of each control in the limits file; None where the order, the book or the market sets it.

The collar's is in multiples of ATR."""


class ControlUse(Frozen):
    """One control. `use` is 1 at the limit; of a flag it is 1 when an order raised it. None is not measured now.

    On basis `book` it is the book with everything pending filled; on basis `orders` the order checked at the last
    close that came nearest, counted with the book where the control counts it so.
    """

    control: str
    rule: str
    limit: Decimal | None
    use: Decimal | None
    value: Decimal | None
    unit: Unit
    hard: bool
    basis: Basis


def control_uses(
    view: PortfolioView, limits: Limits, checked: Iterable[Check], groups: Groups | None = None
) -> tuple[ControlUse, ...]:
    """Every control of the registry, in its order; `checked` holds the checks of the orders at the last close."""
    of_book = book_uses(view, limits, groups) if view.equity > 0 else {}
    of_orders: dict[str, Check] = {}
    for item in checked:
        known = of_orders.get(item.control)
        if known is None or _used(item) > _used(known):
            of_orders[item.control] = item
    return tuple(_use(name, limits, of_book.get(name), of_orders.get(name)) for name in CONTROLS)


def _use(name: str, limits: Limits, book: tuple[Decimal, Decimal] | None, order: Check | None) -> ControlUse:
    control = CONTROLS[name]
    found = LIMIT_OF[name](limits)
    limit = None if found is None else Decimal(found)
    value: Decimal | None
    use: Decimal | None
    basis: Basis
    if book is not None:
        value, limit, basis = exact(book[0], control.unit), book[1], "book"
        use = value / limit if limit > 0 else Decimal(int(value > limit))
    else:
        value, basis = order.value if order else None, "orders"
        limit = order.limit if order and limit is None and control.bound != "flag" else limit
        measured = None if order is None else utilisation(order)
        use = value if control.bound == "flag" else measured
        use = None if use is not None and not use.is_finite() else use
    return ControlUse(
        control=name, rule=control.rule, limit=limit, value=value, unit=control.unit, hard=control.hard, basis=basis,
        use=None if use is None else use.quantize(Decimal("0.0001")),
    )  # fmt: skip


def _used(check: Check) -> Decimal:
    """How near an order came: what could not be measured and blocks comes before all."""
    found = utilisation(check)
    if found is not None:
        return found
    return Decimal("Infinity") if check.verdict == "block" else check.value or Decimal(-1)


def book_uses(view: PortfolioView, limits: Limits, groups: Groups | None = None) -> dict[str, tuple[Decimal, Decimal]]:
    """Value and limit of every control that measures the book itself, everything pending filled; equity is positive."""
    book = book_of(view)
    shares = _shares(book, groups)
    found = {name: (amount / view.equity, Decimal(LIMIT_OF[name](limits) or 0)) for name, amount in shares.items()}
    left = view.equity - shares["total_open_risk"]
    if left > 0:
        found["leverage"] = (shares["gross_share"] / left, limits.max_leverage)
    if view.day_start_equity > 0:
        found["daily_loss"] = (max(Decimal(0), 1 - view.equity / view.day_start_equity), limits.max_daily_loss)
    found["drawdown"] = (view.drawdown, limits.max_drawdown)
    found["max_open_positions"] = (Decimal(len(book.holdings)), Decimal(limits.max_open_positions))
    need = sum((order.notional for order in view.pending if order.side == "buy"), Decimal(0))
    found["buying_power"] = (need, view.cash)
    if view.settled_cash is not None:
        found["settled_cash"] = (need, view.settled_cash)
    orders, automatic = view.orders, view.automatic_executions
    counts = {
        "message_rate": None if orders is None else sum(order.age_seconds < MINUTE for order in orders),
        "trades_per_day": view.trades_today, "loss_streak": view.loss_streak,
        "automatic_executions": None if automatic is None else max(automatic.values(), default=0),
    }  # fmt: skip
    for name, count in counts.items():
        if count is not None:
            found[name] = (Decimal(count), Decimal(LIMIT_OF[name](limits) or 0))
    return found


def _shares(book: Book, groups: Groups | None) -> dict[str, Decimal]:
    """Money by control, the largest name, sector and group first."""
    held = {item.symbol: abs(item.value) for item in book.holdings}
    sectors: dict[str, Decimal] = {}
    for item in book.holdings:
        sectors[item.sector] = sectors.get(item.sector, Decimal(0)) + abs(item.value)
    grouped = [sum((held[name] for name in within(groups, symbol, set(held)) or ()), Decimal(0)) for symbol in held]
    return {
        "position_share": max(held.values(), default=Decimal(0)),
        "sector_share": max(sectors.values(), default=Decimal(0)),
        "group_share": max(grouped, default=Decimal(0)),
        "gross_share": sum(held.values(), Decimal(0)),
        "net_share": abs(sum((item.value for item in book.holdings), Decimal(0))),
        "total_open_risk": sum((item.open_risk for item in book.holdings), Decimal(0)),
    }
