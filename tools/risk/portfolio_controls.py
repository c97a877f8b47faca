"""Controls on the book as it would be with this order and every pending one filled."""

from __future__ import annotations

from decimal import Decimal

from tools.risk.control import Situation, at_most, missing
from tools.risk.types import Check

WARN_FROM = Decimal("0.8")
"""Daily loss and drawdown warn from this part of their limit on."""


def trade_share(situation: Situation) -> Check:
    return at_most("trade_share", situation.share(situation.notional), situation.limits.max_trade_share, "share")


def position_share(situation: Situation) -> Check:
    """Held, pending and proposed money in the symbol."""
    symbol, notional = situation.proposal.symbol, situation.notional
    held = situation.portfolio.position(symbol)
    total = None
    if notional is not None:
        total = notional + situation.pending_in(symbol=symbol) + (abs(held.market_value) if held else Decimal(0))
    return at_most("position_share", situation.share(total), situation.limits.max_position_share, "share")


def sector_share(situation: Situation) -> Check:
    """Held, pending and proposed money in the sector; a symbol without a sector cannot be checked."""
    sector, notional = situation.market.sector, situation.notional
    total = None
    if notional is not None and sector:
        held = sum((abs(p.market_value) for p in situation.portfolio.positions if p.sector == sector), Decimal(0))
        total = notional + situation.pending_in(sector=sector) + held
    return at_most("sector_share", situation.share(total), situation.limits.max_sector_share, "share")


def gross_share(situation: Situation) -> Check:
    return at_most("gross_share", situation.share(_gross(situation)), situation.limits.max_gross_share, "share")


def _gross(situation: Situation) -> Decimal | None:
    notional = situation.notional
    return None if notional is None else notional + situation.pending_in() + situation.portfolio.gross


def net_share(situation: Situation) -> Check:
    """The larger side of the net exposure, with this order and either all pending purchases or all sales filled."""
    notional, net = situation.notional, situation.portfolio.net
    value = None
    if notional is not None:
        bought, sold = (
            sum((order.notional for order in situation.portfolio.pending if order.side == side), Decimal(0))
            for side in ("buy", "sell")
        )
        own = -notional if situation.opens_short else notional
        value = max(abs(net + own + bought), abs(net + own - sold))
    return at_most("net_share", situation.share(value), situation.limits.max_net_share, "share")


def group_share(situation: Situation) -> Check:
    """Held, pending and proposed money in the names that move with this one."""
    group, notional = situation.market.group, situation.notional
    total = None
    if notional is not None and group is not None:
        held = sum((abs(p.market_value) for p in situation.portfolio.positions if p.symbol in group), Decimal(0))
        total = notional + situation.pending_in(symbols=group) + held
    return at_most("group_share", situation.share(total), situation.limits.max_group_share, "share")


def leverage(situation: Situation) -> Check:
    """Gross exposure with everything pending filled, over the equity that is left when every stop is hit."""
    gross, risk = _gross(situation), _open_risk(situation)
    value = None
    if gross is not None and risk is not None:
        left = situation.portfolio.equity - risk
        value = gross / left if left > 0 else None
    return at_most("leverage", value, situation.limits.max_leverage, "share")


def total_open_risk(situation: Situation) -> Check:
    """Money lost if every protective stop filled at its price, over equity; no stop means the whole notional."""
    value = situation.share(_open_risk(situation))
    return at_most("total_open_risk", value, situation.limits.max_total_open_risk, "share")


def _open_risk(situation: Situation) -> Decimal | None:
    proposal, price, notional = situation.proposal, situation.market.price, situation.notional
    if price is None or notional is None:
        return None
    own = notional
    if proposal.stop_price is not None:
        distance = proposal.stop_price - price if situation.opens_short else price - proposal.stop_price
        own = max(Decimal(0), distance) * proposal.quantity
    held = sum((item.open_risk for item in situation.portfolio.positions), Decimal(0))
    return own + held + sum((order.open_risk for order in situation.portfolio.pending), Decimal(0))


def daily_loss(situation: Situation) -> Check:
    start = situation.portfolio.day_start_equity
    value = max(Decimal(0), 1 - situation.portfolio.equity / start) if start > 0 else None
    return at_most("daily_loss", value, situation.limits.max_daily_loss, "share", warn_from=WARN_FROM)


def drawdown(situation: Situation) -> Check:
    value = situation.portfolio.drawdown if situation.portfolio.peak_equity > 0 else None
    return at_most("drawdown", value, situation.limits.max_drawdown, "share", warn_from=WARN_FROM)


def max_open_positions(situation: Situation) -> Check:
    """Distinct symbols held, pending or proposed."""
    symbols = {item.symbol for item in situation.portfolio.positions if item.quantity != 0}
    symbols |= {order.symbol for order in situation.portfolio.pending} | {situation.proposal.symbol}
    return at_most("max_open_positions", Decimal(len(symbols)), Decimal(situation.limits.max_open_positions), "count")


def buying_power(situation: Situation) -> Check:
    """Money for this order at the top of its band and for every pending buy, against the cash there is."""
    return at_most("buying_power", _need(situation), situation.portfolio.cash, "money")


def settled_cash(situation: Situation) -> Check:
    """The same money against cash whose sales have settled: what is bought with it is never sold before it is paid."""
    if situation.portfolio.settled_cash is None:
        return missing("settled_cash", None, "money")
    return at_most("settled_cash", _need(situation), situation.portfolio.settled_cash, "money")


def _need(situation: Situation) -> Decimal | None:
    price = situation.market.price
    if price is None:
        return None
    own = max(price, situation.proposal.band.high) * situation.proposal.quantity
    return own + sum((order.notional for order in situation.portfolio.pending if order.side == "buy"), Decimal(0))
