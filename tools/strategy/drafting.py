"""From wishes to sized proposals. The only place where a quantity of an order is born."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from functools import cached_property
from typing import NamedTuple

from tools.canonical import stable_id
from tools.errors import ToolRejected
from tools.risk.protection import ProtectionState
from tools.risk.types import Limits, PortfolioView
from tools.strategy.evidence import PRICE_STEP
from tools.strategy.sizing import size, whole
from tools.strategy.sizing_types import Edge, Sizing, SizingInputs
from tools.strategy.types import Candidate
from tools.types import Evidence, PriceBand, Proposal


class Drafted(NamedTuple):
    """A sized proposal and the evidence of its size, which it cites; the wish's own evidence is not repeated."""

    proposal: Proposal
    evidence: tuple[Evidence, ...] = ()


def draft(
    candidates: Iterable[Candidate],
    *,
    portfolio: PortfolioView,
    limits: Limits,
    run_id: str,
    cycle_id: str,
    as_of: datetime,
    edges: Mapping[str, Edge] | None = None,
    protection: ProtectionState | None = None,
) -> tuple[Drafted, ...]:
    """Size every candidate; those that size to nothing are left out. Order of the candidates.

    An entry gets the smallest of its strategy's sizing method, `max_trade_share * equity / high`,
    `max_order_notional / high` and `max_order_quantity`, times the drawdown protection's factor, in whole shares, where
    `high` is the top of its band: a fill anywhere in the band stays inside the caps. A symbol already held or pending
    is not bought again. An exit covers exactly the position. `edges` are estimates by strategy.
    """
    book = _Book(portfolio, limits, run_id, cycle_id, as_of, edges or {}, protection or ProtectionState())
    drafted = (_entry(item, book) if item.kind == "order.entry" else _exit(item, book) for item in candidates)
    return tuple(item for item in drafted if item is not None)


@dataclass(frozen=True)
class _Book:
    """What is the same for every candidate of a cycle."""

    portfolio: PortfolioView
    limits: Limits
    run_id: str
    cycle_id: str
    as_of: datetime
    edges: Mapping[str, Edge]
    protection: ProtectionState

    @cached_property
    def protection_evidence(self) -> Evidence:
        return protection_evidence(self.protection, self.limits, self.as_of)


def protection_evidence(state: ProtectionState, limits: Limits, as_of: datetime) -> Evidence:
    """The factor on new entries, the drawdown it follows from and the published curve."""
    payload = {
        "drawdown": state.drawdown, "factor": state.factor, "curve_factor": state.target,
        "restore_per_session": limits.protection.restore_per_session, "curve": limits.protection.curve,
    }  # fmt: skip
    return Evidence.of("protection", "tools.risk.protection", payload, event_time=as_of, known_at=as_of)


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
    quantity = whole(proposal.quantity * factor)
    if quantity == 0:
        return None
    return proposal.model_copy(update={"quantity": quantity, "factor": proposal.factor * factor})


def band_around(price: Decimal, atr: Decimal, limits: Limits) -> PriceBand | None:
    """`price` plus and minus `price_band_atr` ATR, rounded inwards to 0.01; None when it would touch zero."""
    reach = limits.price_band_atr * atr
    low = (price - reach).quantize(PRICE_STEP, rounding=ROUND_UP)
    high = (price + reach).quantize(PRICE_STEP, rounding=ROUND_DOWN)
    return PriceBand(low=low, high=high) if 0 < low <= price <= high else None


def _entry(item: Candidate, book: _Book) -> Drafted | None:
    portfolio, limits = book.portfolio, book.limits
    held = portfolio.position(item.symbol)
    if (held is not None and held.quantity != 0) or any(order.symbol == item.symbol for order in portfolio.pending):
        return None
    band = band_around(item.price, item.atr, limits)
    stop = (item.price - limits.stop_atr * item.atr).quantize(PRICE_STEP)
    if band is None or stop <= 0 or stop >= item.price or portfolio.equity <= 0:
        return None
    sizing = size(
        limits.sizing.method_of(item.strategy),
        SizingInputs(
            equity=portfolio.equity, price=item.price, stop_price=stop, risk_per_trade=limits.risk_per_trade,
            strength=item.strength, confidence=item.confidence,
            calibrated_confidence=item.signal.calibrated_confidence, volatility=item.volatility,
            edge=book.edges.get(item.strategy), policy=limits.sizing,
        ),
        {
            "max_trade_share": whole(limits.max_trade_share * portfolio.equity / band.high),
            "max_order_notional": whole(limits.max_order_notional / band.high),
            "max_order_quantity": limits.max_order_quantity,
        },
        book.protection.factor,
    )  # fmt: skip
    if sizing.quantity <= 0:
        return None
    evidence = (_sizing_evidence(sizing, item.symbol, book.as_of), book.protection_evidence)
    return Drafted(_proposal(item, band, sizing.quantity, stop, book, evidence), evidence)


def _sizing_evidence(sizing: Sizing, symbol: str, as_of: datetime) -> Evidence:
    sizes = {"method": sizing.by_method, **sizing.caps}
    payload = {
        "asked": sizing.asked, "method": sizing.method, "fell_back": sizing.fell_back, "binding": sizing.binding,
        "factor": sizing.protection_factor, "quantity": sizing.quantity, **sizing.used,
        "sizes": {name: {"quantity": quantity} for name, quantity in sizes.items()},
    }  # fmt: skip
    return Evidence.of(
        "sizing", "tools.strategy.sizing", payload, event_time=as_of, known_at=as_of, symbol=symbol
    )  # fmt: skip


def _exit(item: Candidate, book: _Book) -> Drafted | None:
    held = book.portfolio.position(item.symbol)
    if held is None or held.quantity <= 0 or item.side != "sell":
        return None
    band = band_around(item.price, item.atr, book.limits)
    if band is None:
        reach = book.limits.price_band_atr * item.atr
        band = PriceBand(low=PRICE_STEP, high=(item.price + reach).quantize(PRICE_STEP))
    return Drafted(_proposal(item, band, held.quantity, None, book))


def _proposal(
    item: Candidate, band: PriceBand, quantity: int, stop: Decimal | None, book: _Book, more: tuple[Evidence, ...] = ()
) -> Proposal:
    return Proposal(
        id=stable_id("prop", book.run_id, book.cycle_id, item.strategy, item.symbol, item.kind),
        run_id=book.run_id, cycle_id=book.cycle_id, kind=item.kind, strategy=item.strategy, symbol=item.symbol,
        side=item.side, quantity=quantity, reference_price=item.price, band=band, stop_price=stop, atr=item.atr,
        risk_effect="increases" if item.kind == "order.entry" else "reduces",
        horizon_sessions=item.horizon_sessions, strength=item.strength, confidence=item.confidence,
        thesis=item.reason, evidence_ids=tuple(one.id for one in (*item.evidence, *more)),
        taint=item.taint or item.signal.taint, as_of=book.as_of,
    )  # fmt: skip
