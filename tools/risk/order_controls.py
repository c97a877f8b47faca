"""Controls on one order by itself: its price, its size, its symbol and the state of its data."""

from __future__ import annotations

from decimal import Decimal

from tools.risk.control import Situation, at_least, at_most, flag, missing, render
from tools.risk.types import Check


def reduce_only(situation: Situation) -> Check:
    """A reduction is at most the position it reduces; anything beyond would open the other side."""
    proposal = situation.proposal
    if not situation.reduces:
        return Check(
            control="reduce_only", value=None, limit=None, unit="quantity", verdict="pass", rule="",
            message="reduce only: not a reduction",
        )  # fmt: skip
    held = situation.portfolio.position(proposal.symbol)
    signed = 0 if held is None else held.quantity
    reducible = max(0, signed if proposal.side == "sell" else -signed)
    return at_most("reduce_only", Decimal(proposal.quantity), Decimal(reducible), "quantity")


def short_permission(situation: Situation) -> Check:
    """A short sale needs the limits' permission and shares to borrow; nobody knowing of a borrow is no borrow."""
    if not situation.opens_short:
        return flag("short_permission", False, "", "the order opens no short")
    if not situation.limits.short_permitted:
        return flag("short_permission", True, "this desk opens no shorts", "")
    borrow = situation.market.borrow_available
    refused = None if borrow is None else not borrow
    return flag("short_permission", refused, "no shares to borrow", "permitted, and shares are there to borrow")


def stop_side(situation: Situation) -> Check:
    """The protective stop stands where it protects: below a purchase, above a short sale."""
    proposal = situation.proposal
    stop, price = proposal.stop_price, proposal.reference_price
    wrong = stop is not None and (stop <= price if situation.opens_short else stop >= price)
    return flag("stop_side", wrong, "the stop stands on the wrong side of the price", "the stop is on its side")


def restricted(situation: Situation) -> Check:
    listed = situation.proposal.symbol in situation.limits.restricted
    return flag("restricted", listed, "the symbol is on the restricted list", "the symbol is not on the list")


def permitted(situation: Situation) -> Check:
    names = situation.limits.permitted
    missing_name = names is not None and situation.proposal.symbol not in names
    clear = "every symbol is permitted" if names is None else "the symbol is on the permitted list"
    return flag("permitted", missing_name, "the symbol is not on the permitted list", clear)


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
        return missing("price_collar", None, "price")
    edge = band.low if abs(price - band.low) < abs(band.high - price) else band.high
    inside = band.holds(price)
    where = "inside the band, nearest edge" if inside else "outside the band, edge"
    return Check(
        control="price_collar", value=price, limit=edge, unit="price", rule="",
        verdict="pass" if inside else "block",
        message=f"price collar {render(price, 'price')}, {where} {render(edge, 'price')}",
    )  # fmt: skip


def max_notional(situation: Situation) -> Check:
    return at_most("max_notional", situation.notional, situation.limits.max_order_notional, "money")


def min_notional(situation: Situation) -> Check:
    return at_least("min_notional", situation.notional, situation.limits.min_order_notional, "money")


def max_quantity(situation: Situation) -> Check:
    return at_most(
        "max_quantity", Decimal(situation.proposal.quantity), Decimal(situation.limits.max_order_quantity),
        "quantity",
    )  # fmt: skip


def adv_share(situation: Situation) -> Check:
    """This order and the pending ones in its symbol, over the average daily value traded of 20 sessions."""
    notional, adv = situation.notional, situation.market.adv
    value = None
    if notional is not None and adv is not None and adv > 0:
        value = (notional + situation.pending_in(symbol=situation.proposal.symbol)) / adv
    return at_most("adv_share", value, situation.limits.max_adv_share, "share")
