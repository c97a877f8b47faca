"""Controls on one order by itself: its price, its size, its symbol and the state of its data."""

from __future__ import annotations

from decimal import Decimal

from tools.risk.control import ERRONEOUS_ORDERS, HOUSE, Situation, at_least, at_most, flag, missing, render
from tools.risk.types import Check


def reduce_only(situation: Situation) -> Check:
    """A reduction is at most the position it reduces; anything beyond would open the other side."""
    proposal = situation.proposal
    if not situation.reduces:
        return Check(
            control="reduce_only", value=None, limit=None, unit="quantity", verdict="pass", rule=HOUSE,
            message="reduce only: not a reduction",
        )  # fmt: skip
    held = situation.portfolio.position(proposal.symbol)
    signed = 0 if held is None else held.quantity
    reducible = max(0, signed if proposal.side == "sell" else -signed)
    return at_most("reduce_only", Decimal(proposal.quantity), Decimal(reducible), "quantity")


def long_only(situation: Situation) -> Check:
    """What increases risk must be a buy: this desk opens no shorts yet."""
    opens_short = situation.proposal.side == "sell" or situation.proposal.risk_effect == "mixed"
    return flag("long_only", opens_short, "only a buy may increase risk here", "the order buys")


def restricted(situation: Situation) -> Check:
    listed = situation.proposal.symbol in situation.limits.restricted
    return flag("restricted", listed, "the symbol is on the restricted list", "the symbol is not on the list")


def symbol_halted(situation: Situation) -> Check:
    return flag("symbol_halted", situation.market.halted, "trading in the symbol is halted", "the symbol trades")


def unknown_order(situation: Situation) -> Check:
    return flag(
        "unknown_order", situation.market.unknown_order,
        "an order in the symbol is in an unknown state; find it at the broker first", "no order is in doubt",
    )  # fmt: skip


def stale_data(situation: Situation) -> Check:
    age = situation.market.data_age_hours
    usable = age is not None and age >= 0
    value = Decimal(repr(float(age))) if usable and age is not None else None
    return at_most("stale_data", value, Decimal(situation.limits.max_data_age_hours), "hours")


def price_collar(situation: Situation) -> Check:
    """The market price lies in the approved band; its edges count as inside. `limit` is the nearer edge."""
    price, band = situation.market.price, situation.proposal.band
    if price is None:
        return missing("price_collar", None, "price", ERRONEOUS_ORDERS)
    edge = band.low if abs(price - band.low) < abs(band.high - price) else band.high
    inside = band.holds(price)
    where = "inside the band, nearest edge" if inside else "outside the band, edge"
    return Check(
        control="price_collar", value=price, limit=edge, unit="price", rule=ERRONEOUS_ORDERS,
        verdict="pass" if inside else "block",
        message=f"price collar {render(price, 'price')}, {where} {render(edge, 'price')}",
    )  # fmt: skip


def max_notional(situation: Situation) -> Check:
    return at_most("max_notional", situation.notional, situation.limits.max_order_notional, "money", ERRONEOUS_ORDERS)


def min_notional(situation: Situation) -> Check:
    return at_least("min_notional", situation.notional, situation.limits.min_order_notional, "money")


def max_quantity(situation: Situation) -> Check:
    return at_most(
        "max_quantity", Decimal(situation.proposal.quantity), Decimal(situation.limits.max_order_quantity),
        "quantity", ERRONEOUS_ORDERS,
    )  # fmt: skip


def adv_share(situation: Situation) -> Check:
    """This order and the pending ones in its symbol, over the average daily value traded of 20 sessions."""
    notional, adv = situation.notional, situation.market.adv
    value = None
    if notional is not None and adv is not None and adv > 0:
        value = (notional + situation.pending_in(symbol=situation.proposal.symbol)) / adv
    return at_most("adv_share", value, situation.limits.max_adv_share, "share")
