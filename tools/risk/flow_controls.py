"""Controls on the flow of orders and trades: how many, how fast, the same twice, against ourselves, after losses."""

from __future__ import annotations

from decimal import Decimal

from tools.risk.control import Situation, at_most, flag
from tools.risk.types import Check, OwnOrder

MINUTE = 60.0


def message_rate(situation: Situation) -> Check:
    """Orders written within a minute of desk time, this one among them."""
    orders = situation.portfolio.orders
    value = None if orders is None else Decimal(sum(order.age_seconds < MINUTE for order in orders) + 1)
    return at_most("message_rate", value, Decimal(situation.limits.max_orders_per_minute), "count")


def duplicate_order(situation: Situation) -> Check:
    """No order with the same symbol, side and quantity is live or was written within the window."""
    orders, proposal = situation.portfolio.orders, situation.proposal
    window = situation.limits.duplicate_window_seconds

    def same(order: OwnOrder) -> bool:
        terms = (order.symbol, order.side, order.quantity) == (proposal.symbol, proposal.side, proposal.quantity)
        return terms and (order.live or order.age_seconds < window)

    raised = None if orders is None else any(same(order) for order in orders)
    return flag("duplicate_order", raised, "the same order is live or was just written", "no order is the same")


def self_cross(situation: Situation) -> Check:
    """No live order of ours stands on the other side at a price that this one could meet."""
    orders, proposal = situation.portfolio.orders, situation.proposal

    def meets(order: OwnOrder) -> bool:
        if not order.live or order.symbol != proposal.symbol or order.side == proposal.side:
            return False
        if order.price is None:
            return True
        return order.price <= proposal.band.high if proposal.side == "buy" else order.price >= proposal.band.low

    raised = None if orders is None else any(meets(order) for order in orders)
    return flag(
        "self_cross", raised, "it could trade against a live order of ours", "no order of ours stands against it"
    )


def trades_per_day(situation: Situation) -> Check:
    """Entries written in this session, this one among them."""
    trades = situation.portfolio.trades_today
    value = None if trades is None else Decimal(trades + 1)
    return at_most("trades_per_day", value, Decimal(situation.limits.max_trades_per_day), "count")


def loss_streak(situation: Situation) -> Check:
    """Positions closed at a loss, one after the other, up to now."""
    streak = situation.portfolio.loss_streak
    value = None if streak is None else Decimal(streak)
    return at_most("loss_streak", value, Decimal(situation.limits.max_loss_streak), "count")


def automatic_executions(situation: Situation) -> Check:
    """Entries of this strategy released without a person since somebody enabled it, this one counted as one more.

    At the limit the strategy has disabled itself, until a named person enables it.
    """
    counts = situation.portfolio.automatic_executions
    value = None if counts is None else Decimal(counts.get(situation.proposal.strategy, 0) + 1)
    return at_most("automatic_executions", value, Decimal(situation.limits.max_automatic_executions), "count")
