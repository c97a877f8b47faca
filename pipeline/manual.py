"""What a person proposes or takes over by hand, in the words of a proposal: priced and stamped by tools."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tools.canonical import stable_id
from tools.data.types import MarketData
from tools.errors import ToolRejected
from tools.risk.types import Limits
from tools.strategy.drafting import band_around
from tools.strategy.evidence import ATR_STEP, PRICE_STEP, features_evidence, money
from tools.strategy.features import compute
from tools.strategy.types import Features
from tools.types import Evidence, PriceBand, Proposal, RiskEffect, Side, Working

STRATEGY = "manual"
PREFIX = f"{STRATEGY}:"
LOOKBACK = 130
HORIZON_SESSIONS = 10


class Manual(NamedTuple):
    """A proposal of a person and the evidence that its figures come from."""

    proposal: Proposal
    evidence: Evidence
    features: Features


def strategy_of(person: str) -> str:
    """The strategy of what a person proposes: their name is part of the proposal."""
    return PREFIX + person


def proposer_of(strategy: str) -> str | None:
    """Who proposed by hand; None for a strategy."""
    return strategy.removeprefix(PREFIX) if strategy.startswith(PREFIX) else None


def effect_of(side: Side, quantity: int, held: int) -> RiskEffect:
    """What an order does to a position of `held` shares: reduces it, adds to it, or passes through zero."""
    signed = quantity if side == "buy" else -quantity
    if held * signed >= 0:
        return "increases"
    return "reduces" if abs(signed) <= abs(held) else "mixed"


def propose(
    market: MarketData,
    limits: Limits,
    *,
    key: str,
    run_id: str,
    symbol: str,
    side: Side,
    quantity: int,
    held: int,
    reason: str,
    as_of: datetime,
    stop_price: Decimal | None = None,
    limit_price: Decimal | None = None,
    working: Working | None = None,
    strategy: str = STRATEGY,
) -> Manual:
    """Price a person's order at the last close; the tools stamp its `risk_effect`, never the person.

    An entry without a stop gets the desk's own distance of ATR. A `limit_price` tightens the band from its side. The
    band of an order that is worked is wider by the square root of its sessions, as a random walk is, but ends before
    the stop: a child whose open lies outside is held back. Raises ToolRejected `unknown_symbol` without prices,
    `bad_limit` and `bad_stop` for prices that make no sense.
    """
    item = compute(market.panel(as_of, LOOKBACK)).get(symbol)
    if item is None or money(item.close) <= 0 or item.atr_14 <= 0:
        raise ToolRejected(
            f"{symbol} has no prices here as of {as_of:%Y-%m-%d}: choose a name of the desk's universe",
            code="unknown_symbol",
        )
    price, atr = money(item.close), Decimal(repr(item.atr_14)).quantize(ATR_STEP)
    effect = effect_of(side, quantity, held)
    evidence = features_evidence(item, as_of)
    stop = None if effect == "reduces" else _stop(side, price, atr, limits, stop_price)
    reach = atr * Decimal(working.sessions).sqrt() if working else atr
    band = _band(side, price, reach, limits, limit_price)
    proposal = Proposal(
        id=stable_id("prop", run_id, key, strategy, symbol, side), run_id=run_id,
        cycle_id=stable_id("cyc", run_id, key),
        kind="order.exit" if effect == "reduces" else "order.entry", strategy=strategy, symbol=symbol, side=side,
        quantity=quantity, reference_price=price, stop_price=stop, atr=atr,
        band=band if working is None or stop is None else _before_stop(band, side, stop),
        risk_effect=effect, horizon_sessions=_horizon(working), strength=0.5, confidence=0.5, thesis=reason,
        evidence_ids=(evidence.id,), taint=False, as_of=as_of, working=working,
    )  # fmt: skip
    return Manual(proposal, evidence, item)


def _horizon(working: Working | None) -> int:
    """Sessions after which the view is judged: never before the order that acts on it has been worked."""
    return HORIZON_SESSIONS if working is None else max(HORIZON_SESSIONS, working.sessions + 1)


def _band(side: Side, price: Decimal, atr: Decimal, limits: Limits, limit: Decimal | None) -> PriceBand:
    reach = limits.price_band_atr * atr
    band = band_around(price, atr, limits) or PriceBand(
        low=PRICE_STEP, high=(price + reach).quantize(PRICE_STEP)
    )  # fmt: skip
    if limit is None:
        return band
    low, high = (band.low, min(limit, band.high)) if side == "buy" else (max(limit, band.low), band.high)
    if low > high:
        raise ToolRejected(
            f"a limit of {limit} lies outside the band {band.low} to {band.high} around the close of {price}: "
            "name a price inside it",
            code="bad_limit",
        )
    return PriceBand(low=low, high=high)


def _before_stop(band: PriceBand, side: Side, stop: Decimal) -> PriceBand:
    low, high = band.low, band.high
    low, high = (max(low, stop + PRICE_STEP), high) if side == "buy" else (low, min(high, stop - PRICE_STEP))
    if low > high:
        raise ToolRejected(
            f"a {side} within {band.low} to {band.high} is beyond its stop of {stop} at every price: move one of them",
            code="bad_stop",
        )
    return PriceBand(low=low, high=high)


def _stop(side: Side, price: Decimal, atr: Decimal, limits: Limits, given: Decimal | None) -> Decimal:
    away = limits.stop_atr * atr
    stop = given or max(PRICE_STEP, (price - away if side == "buy" else price + away).quantize(PRICE_STEP))
    if (stop >= price) if side == "buy" else (stop <= price):
        raise ToolRejected(
            f"a stop of {stop} does not protect a {side} at {price}: it must lie on the losing side", code="bad_stop"
        )
    return stop
