"""One tick at the simulated venue: every order that rests, in the order of acceptance, inside one transaction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tools.data.types import Bar
from tools.execution import matching
from tools.execution.brokers import venue_brackets
from tools.execution.brokers.venue_account import VenueAccount
from tools.execution.brokers.venue_orders import VenueOrder
from tools.execution.types import OrderType
from tools.execution.venue_terms import VenueTerms
from tools.types import Tick


@dataclass(frozen=True)
class TickMarket:
    """What the venue knows at a tick: opening prices, the session's volumes in shares, at the close its bars."""

    tick: Tick
    opens: Mapping[str, Decimal]
    volumes: Mapping[str, float]
    bars: Mapping[str, Bar] = field(default_factory=dict)

    def volume(self, symbol: str) -> int:
        """Shares of a session; 0 where the number is missing or broken, so that nothing fills."""
        volume = self.volumes.get(symbol, 0.0)
        return int(volume) if math.isfinite(volume) else 0


def match_tick(account: VenueAccount, market: TickMarket, *, seed: int, terms: VenueTerms) -> None:
    """Match what arrived by this tick.

    At the close, a market entry with a bracket comes last: exits that it has already rested through the bar before. In
    the bar that a limit entry filled in, its stop may trigger, for the price came to the stop later than to the limit.
    Everything else of a bracket waits for the next tick after its entry's fill.
    """
    number, closing = account.ticks(), market.tick.phase == "close"
    entered: dict[str | None, OrderType] = {}
    queue = sorted(account.open_orders(), key=lambda item: closing and _fills_at_the_close(item))
    for queued in queue:
        item = account.order(queued.request.client_order_id) if queued.in_bracket else queued
        if item is None or not item.is_open or item.working.arrives > number:
            continue
        parent = item.report.parent_client_order_id
        sees_bar = parent not in entered or (entered[parent] == "limit" and item.request.order_type != "limit")
        decision = _decide(item, market, _venue(account, item, market, seed, terms), sees_bar=sees_bar)
        after = account.settle(item, decision, market.tick)
        if decision.execution is None or not item.in_bracket:
            continue
        legs = venue_brackets.follow(account, after, decision.execution.quantity)
        if closing and legs:
            entered[item.request.client_order_id] = item.request.order_type
            known = {one.request.client_order_id for one in queue}
            queue.extend(leg for leg in legs if leg.request.client_order_id not in known)


def _fills_at_the_close(item: VenueOrder) -> bool:
    return item.working.bracket is not None and item.request.order_type == "market"


def _decide(item: VenueOrder, market: TickMarket, venue: matching.Venue, *, sees_bar: bool) -> matching.Decision:
    symbol, tick = item.report.symbol, market.tick
    if venue.terms.is_halted(symbol, tick.session):
        return matching.halted(item.resting, tick.phase)
    if tick.phase == "open":
        return matching.at_open(item.resting, market.opens.get(symbol), venue)
    return matching.at_close(item.resting, market.bars.get(symbol) if sees_bar else None, venue)


def _venue(account: VenueAccount, item: VenueOrder, market: TickMarket, seed: int, terms: VenueTerms) -> matching.Venue:
    symbol = item.report.symbol
    venue = matching.Venue(
        volume=market.volume(symbol), traded=account.traded(symbol, market.tick.session), held=account.held(symbol),
        cash=account.cash(), seed=seed, terms=terms, borrowable=terms.borrow.limits.get(symbol, 0),
    )  # fmt: skip
    if terms.cash_account:
        return venue
    worth = account.worth(market.opens, without=symbol)
    return replace(venue, net=worth.net, gross=worth.gross)
