"""From wishes to sized proposals. The only place where a quantity of an order is born."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_UP, Decimal

from tools.canonical import stable_id
from tools.errors import ToolRejected
from tools.risk.types import Limits, PortfolioView
from tools.strategy.evidence import PRICE_STEP
from tools.strategy.types import Candidate
from tools.types import PriceBand, Proposal


def draft(
    candidates: Iterable[Candidate],
    *,
    portfolio: PortfolioView,
    limits: Limits,
    run_id: str,
    cycle_id: str,
    as_of: datetime,
) -> tuple[Proposal, ...]:
    """Size every candidate; those that size to nothing are left out. Order of the candidates.

    An entry gets the smallest of `risk_per_trade * equity / (price - stop)`, `max_trade_share * equity / high`,
    `max_order_notional / high` and `max_order_quantity`, in whole shares, where `high` is the top of its band:
    a fill anywhere in the band stays inside the caps. A symbol already held or pending is not bought again.
    An exit covers exactly the position.
    """
    drafted: list[Proposal] = []
    for item in candidates:
        proposal = (
            _entry(item, portfolio, limits, run_id, cycle_id, as_of)
            if item.kind == "order.entry"
            else _exit(item, portfolio, limits, run_id, cycle_id, as_of)
        )
        if proposal is not None:
            drafted.append(proposal)
    return tuple(drafted)


def rescale(proposal: Proposal, factor: Decimal) -> Proposal | None:
    """Apply a reviewer's factor: same id, `floor(quantity * factor)` shares, None when nothing is left.

    Raises ToolRejected for a factor outside [0, 1] and for a factor below 1 on what reduces risk.
    """
    if not (factor.is_finite() and 0 <= factor <= 1):
        raise ToolRejected(f"factor {factor}: a review may only scale by 0 to 1", code="factor_out_of_range")
    if factor == 1:
        return proposal
    if proposal.risk_effect == "reduces":
        raise ToolRejected(
            f"factor {factor} on {proposal.id}, which reduces risk: only what increases risk is scaled",
            code="reduction_scaled",
        )
    quantity = _whole(proposal.quantity * factor)
    if quantity == 0:
        return None
    return proposal.model_copy(update={"quantity": quantity, "factor": proposal.factor * factor})


def band_around(price: Decimal, atr: Decimal, limits: Limits) -> PriceBand | None:
    """`price` plus and minus `price_band_atr` ATR, rounded inwards to 0.01; None when it would touch zero."""
    reach = limits.price_band_atr * atr
    low = (price - reach).quantize(PRICE_STEP, rounding=ROUND_UP)
    high = (price + reach).quantize(PRICE_STEP, rounding=ROUND_DOWN)
    return PriceBand(low=low, high=high) if 0 < low <= price <= high else None


def _entry(
    item: Candidate, portfolio: PortfolioView, limits: Limits, run_id: str, cycle_id: str, as_of: datetime
) -> Proposal | None:
    held = portfolio.position(item.symbol)
    if (held is not None and held.quantity != 0) or any(order.symbol == item.symbol for order in portfolio.pending):
        return None
    band = band_around(item.price, item.atr, limits)
    stop = (item.price - limits.stop_atr * item.atr).quantize(PRICE_STEP)
    if band is None or stop <= 0 or stop >= item.price or portfolio.equity <= 0:
        return None
    quantity = min(
        _whole(limits.risk_per_trade * portfolio.equity / (item.price - stop)),
        _whole(limits.max_trade_share * portfolio.equity / band.high),
        _whole(limits.max_order_notional / band.high),
        limits.max_order_quantity,
    )
    if quantity <= 0:
        return None
    return _proposal(item, band, quantity, stop, run_id, cycle_id, as_of)


def _exit(
    item: Candidate, portfolio: PortfolioView, limits: Limits, run_id: str, cycle_id: str, as_of: datetime
) -> Proposal | None:
    held = portfolio.position(item.symbol)
    if held is None or held.quantity <= 0 or item.side != "sell":
        return None
    band = band_around(item.price, item.atr, limits)
    if band is None:
        reach = limits.price_band_atr * item.atr
        band = PriceBand(low=PRICE_STEP, high=(item.price + reach).quantize(PRICE_STEP))
    return _proposal(item, band, held.quantity, None, run_id, cycle_id, as_of)


def _proposal(
    item: Candidate,
    band: PriceBand,
    quantity: int,
    stop: Decimal | None,
    run_id: str,
    cycle_id: str,
    as_of: datetime,
) -> Proposal:
    return Proposal(
        id=stable_id("prop", run_id, cycle_id, item.strategy, item.symbol, item.kind),
        run_id=run_id, cycle_id=cycle_id, kind=item.kind, strategy=item.strategy, symbol=item.symbol, side=item.side,
        quantity=quantity, reference_price=item.price, band=band, stop_price=stop, atr=item.atr,
        risk_effect="increases" if item.kind == "order.entry" else "reduces",
        horizon_sessions=item.horizon_sessions, strength=item.strength, confidence=item.confidence,
        thesis=item.reason, evidence_ids=tuple(one.id for one in item.evidence),
        taint=item.taint or item.signal.taint, as_of=as_of,
    )  # fmt: skip


def _whole(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_FLOOR))
