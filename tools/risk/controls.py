"""Every control of the desk in one registry, and what they make of an order together."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from tools.errors import ToolRejected
from tools.risk import order_controls as order
from tools.risk import portfolio_controls as book
from tools.risk.control import ERRONEOUS_ORDERS, HOUSE, Control, Situation
from tools.risk.types import Check, Limits, MarketView, PortfolioView
from tools.types import Proposal

CONTROLS: dict[str, Control] = {
    item.id: item
    for item in (
        Control("reduce_only", "quantity", HOUSE, "maximum", order.reduce_only, applies_to_reductions=True),
        Control("long_only", "flag", HOUSE, "flag", order.long_only),
        Control("restricted", "flag", HOUSE, "flag", order.restricted),
        Control("symbol_halted", "flag", HOUSE, "flag", order.symbol_halted),
        Control("unknown_order", "flag", HOUSE, "flag", order.unknown_order),
        Control("stale_data", "hours", HOUSE, "maximum", order.stale_data),
        Control("price_collar", "price", ERRONEOUS_ORDERS, "band", order.price_collar),
        Control("max_notional", "money", ERRONEOUS_ORDERS, "maximum", order.max_notional),
        Control("min_notional", "money", HOUSE, "minimum", order.min_notional),
        Control("max_quantity", "quantity", ERRONEOUS_ORDERS, "maximum", order.max_quantity),
        Control("adv_share", "share", HOUSE, "maximum", order.adv_share),
        Control("trade_share", "share", HOUSE, "maximum", book.trade_share),
        Control("position_share", "share", HOUSE, "maximum", book.position_share),
        Control("sector_share", "share", HOUSE, "maximum", book.sector_share),
        Control("gross_share", "share", HOUSE, "maximum", book.gross_share),
        Control("total_open_risk", "share", HOUSE, "maximum", book.total_open_risk),
        Control("daily_loss", "share", HOUSE, "maximum", book.daily_loss),
        Control("drawdown", "share", HOUSE, "maximum", book.drawdown),
        Control("max_open_positions", "count", HOUSE, "maximum", book.max_open_positions),
        Control("buying_power", "money", HOUSE, "maximum", book.buying_power),
    )
}

_UNBOUNDED = Decimal("Infinity")


def check_order(proposal: Proposal, portfolio: PortfolioView, market: MarketView, limits: Limits) -> tuple[Check, ...]:
    """Run every control, in registry order. Deterministic; nothing is cut short by a block.

    `portfolio.pending` holds every other order that increases risk, not this one. Raises ToolRejected
    `wrong_symbol` when the market view belongs to another symbol.
    """
    if market.symbol != proposal.symbol:
        raise ToolRejected(
            f"market view of {market.symbol} given for a proposal in {proposal.symbol}", code="wrong_symbol"
        )
    situation = Situation(proposal, portfolio, market, limits)
    return tuple(control.check(situation) for control in CONTROLS.values())


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
