"""Every control of the desk in one registry, and what they make of an order together."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Literal

from tools.errors import ToolRejected
from tools.risk import flow_controls as flow
from tools.risk import order_controls as order
from tools.risk import portfolio_controls as book
from tools.risk import venue_controls as venue
from tools.risk.control import (
    CAPITAL,
    COLLAR,
    DUPLICATES,
    HOUSE,
    MESSAGES,
    ORDER_VALUE,
    ORDER_VOLUME,
    RESTRICTED_NAMES,
    SHORT_SALES,
    THROTTLE,
    Control,
    Situation,
    label,
)
from tools.risk.types import Check, Limits, MarketView, PortfolioView
from tools.types import Proposal

CONTROLS: dict[str, Control] = {
    item.id: item
    for item in (
        Control("reduce_only", "quantity", HOUSE, "maximum", order.reduce_only, applies_to_reductions=True),
        Control("short_permission", "flag", SHORT_SALES, "flag", order.short_permission),
        Control("stop_side", "flag", HOUSE, "flag", order.stop_side),
        Control("restricted", "flag", RESTRICTED_NAMES, "flag", order.restricted),
        Control("permitted", "flag", RESTRICTED_NAMES, "flag", order.permitted),
        Control("symbol_halted", "flag", HOUSE, "flag", order.symbol_halted),
        Control("volatility_pause", "flag", HOUSE, "flag", venue.volatility_pause),
        Control("trading_day", "flag", HOUSE, "flag", venue.trading_day),
        Control("trading_hours", "flag", HOUSE, "flag", venue.trading_hours),
        Control("unknown_order", "flag", HOUSE, "flag", order.unknown_order),
        Control("clock_skew", "seconds", HOUSE, "maximum", venue.clock_skew, limit="max_clock_skew_seconds"),
        Control("stale_data", "hours", HOUSE, "maximum", order.stale_data, limit="max_data_age_hours"),
        Control("price_collar", "price", COLLAR, "band", order.price_collar),
        Control("max_notional", "money", ORDER_VALUE, "maximum", order.max_notional, limit="max_order_notional"),
        Control("min_notional", "money", HOUSE, "minimum", order.min_notional, hard=False, limit="min_order_notional"),
        Control("max_quantity", "quantity", ORDER_VOLUME, "maximum", order.max_quantity, limit="max_order_quantity"),
        Control("message_rate", "count", MESSAGES, "maximum", flow.message_rate, limit="max_orders_per_minute"),
        Control("duplicate_order", "flag", DUPLICATES, "flag", flow.duplicate_order),
        Control("self_cross", "flag", HOUSE, "flag", flow.self_cross),
        Control("adv_share", "share", HOUSE, "maximum", order.adv_share, hard=False, limit="max_adv_share"),
        Control("trade_share", "share", HOUSE, "maximum", book.trade_share, limit="max_trade_share"),
        Control("position_share", "share", CAPITAL, "maximum", book.position_share, limit="max_position_share"),
        Control("sector_share", "share", HOUSE, "maximum", book.sector_share, limit="max_sector_share"),
        Control("group_share", "share", HOUSE, "maximum", book.group_share, hard=False, limit="max_group_share"),
        Control("gross_share", "share", CAPITAL, "maximum", book.gross_share, limit="max_gross_share"),
        Control("net_share", "share", CAPITAL, "maximum", book.net_share, limit="max_net_share"),
        Control("leverage", "share", CAPITAL, "maximum", book.leverage, limit="max_leverage"),
        Control("total_open_risk", "share", CAPITAL, "maximum", book.total_open_risk, limit="max_total_open_risk"),
        Control("daily_loss", "share", CAPITAL, "maximum", book.daily_loss, limit="max_daily_loss"),
        Control("drawdown", "share", CAPITAL, "maximum", book.drawdown, limit="max_drawdown"),
        Control("loss_streak", "count", HOUSE, "maximum", flow.loss_streak, hard=False, limit="max_loss_streak"),
        Control(
            "trades_per_day", "count", HOUSE, "maximum", flow.trades_per_day, hard=False, limit="max_trades_per_day"
        ),
        Control(
            "automatic_executions",
            "count",
            THROTTLE,
            "maximum",
            flow.automatic_executions,
            limit="max_automatic_executions",
        ),
        Control(
            "max_open_positions",
            "count",
            HOUSE,
            "maximum",
            book.max_open_positions,
            hard=False,
            limit="max_open_positions",
        ),
        Control("buying_power", "money", CAPITAL, "maximum", book.buying_power),
        Control("settled_cash", "money", HOUSE, "maximum", book.settled_cash),
    )
}
"""In the order in which they are shown. `hard` ones let nobody past; a block of the others may be overridden."""

_UNBOUNDED = Decimal("Infinity")


def check_order(
    proposal: Proposal,
    portfolio: PortfolioView,
    market: MarketView,
    limits: Limits,
    overrides: AbstractSet[str] = frozenset(),
) -> tuple[Check, ...]:
    """Run every control, in registry order. Deterministic; nothing is cut short by a block.

    `portfolio.pending` holds every other order that increases risk, not this one. `overrides` names soft controls
    whose block two people took on themselves for this order; a hard one is never overridden. Raises ToolRejected:
    `wrong_symbol` when the market view belongs to another symbol, `hard_control` and `unknown_control` for overrides.
    """
    for name in sorted(overrides):
        require_soft(name)
    if market.symbol != proposal.symbol:
        raise ToolRejected(
            f"market view of {market.symbol} given for a proposal in {proposal.symbol}", code="wrong_symbol"
        )
    return check_situation(Situation(proposal, portfolio, market, limits, overrides))


def check_situation(situation: Situation) -> tuple[Check, ...]:
    """The checks of a situation that is known to fit together, as `check_order` gives them."""
    found = (control.check(situation) for control in CONTROLS.values())
    return tuple(_overridden(item) if item.control in situation.overrides else item for item in found)


def require_soft(control: str) -> None:
    """ToolRejected unless a block of this control may be overridden."""
    known = CONTROLS.get(control)
    if known is None:
        raise ToolRejected(f"there is no control {control!r}", code="unknown_control")
    if known.hard:
        raise ToolRejected(f"{label(control)} is a hard limit: nobody may override it", code="hard_control")


def _overridden(found: Check) -> Check:
    if found.verdict != "block":
        return found
    message = f"{found.message}; overridden for this order"
    return found.model_copy(update={"verdict": "warn", "overridden": True, "message": message})


def verdict(checks: Iterable[Check]) -> Literal["pass", "warn", "block"]:
    """The worst verdict. No checks at all is a block: nothing was evaluated."""
    found = {item.verdict for item in checks}
    if not found or "block" in found:
        return "block"
    return "warn" if "warn" in found else "pass"


def binding(checks: Iterable[Check]) -> Check | None:
    """The check that decides: the blocking one, else the one nearest to its limit.

    Among several, the one furthest beyond (or nearest to) its limit; what could not be measured and raised
    flags come before any measured one; ties in registry order. None when no check has a measure.
    """
    listed = list(checks)
    blocking = [item for item in listed if item.verdict == "block"]
    if blocking:
        return max(blocking, key=lambda item: _or(utilisation(item), _UNBOUNDED))
    measured = [item for item in listed if utilisation(item) is not None]
    return max(measured, key=lambda item: _or(utilisation(item), Decimal(0)), default=None)


def utilisation(check: Check) -> Decimal | None:
    """How much of its limit a check uses: 1 at the limit, more when it blocks. None for flags, bands, no value."""
    control = CONTROLS.get(check.control)
    if control is None or check.value is None or check.limit is None or control.bound in ("flag", "band"):
        return None
    part, whole = (check.value, check.limit) if control.bound == "maximum" else (check.limit, check.value)
    if whole <= 0:
        return _UNBOUNDED if part > whole else Decimal(1) if part == whole else Decimal(0)
    return part / whole


def _or(value: Decimal | None, fallback: Decimal) -> Decimal:
    return fallback if value is None else value
