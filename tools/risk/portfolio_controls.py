"""Controls on the book as it would be with this order and every pending one filled."""

from __future__ import annotations

from decimal import Decimal

from tools.risk.control import Situation, at_most
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
    notional = situation.notional
    total = None if notional is None else notional + situation.pending_in() + situation.portfolio.gross
    return at_most("gross_share", situation.share(total), situation.limits.max_gross_share, "share")


def total_open_risk(situation: Situation) -> Check:
    """Money lost if every protective stop filled at its price, over equity; no stop means the whole notional."""
    proposal, price, notional = situation.proposal, situation.market.price, situation.notional
    total = None
    if price is not None and notional is not None:
        own = notional if proposal.stop_price is None else max(Decimal(0), price - proposal.stop_price)
        own = own if proposal.stop_price is None else own * proposal.quantity
        total = own + sum((item.open_risk for item in situation.portfolio.positions), Decimal(0))
        total += sum((order.open_risk for order in situation.portfolio.pending), Decimal(0))
    return at_most("total_open_risk", situation.share(total), situation.limits.max_total_open_risk, "share")


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
    price = situation.market.price
    need = None
    if price is not None:
        need = max(price, situation.proposal.band.high) * situation.proposal.quantity
        need += sum((order.notional for order in situation.portfolio.pending if order.side == "buy"), Decimal(0))
    return at_most("buying_power", need, situation.portfolio.cash, "money")
