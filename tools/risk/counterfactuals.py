"""What would have changed the verdict, found by running the checks again on one changed input at a time."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal

from tools.risk.control import Situation, label, render
from tools.risk.controls import CONTROLS, binding, check_situation, verdict
from tools.risk.types import Check, Counterfactual, Limits, MarketView, PortfolioView
from tools.types import Proposal

CAP_STEP = Decimal("0.0001")
TICK = Decimal("0.01")
EQUITY_REACH = 1000
"""An equity more than this many times the present one is not worth naming."""

_EQUITY_CONTROLS = frozenset({"trade_share", "position_share", "gross_share", "total_open_risk"})


@dataclass(frozen=True)
class _Rerun:
    """The result of the checks on one changed input."""

    blocked: bool
    binding: Check | None


def counterfactuals(
    proposal: Proposal,
    portfolio: PortfolioView,
    market: MarketView,
    limits: Limits,
    overrides: AbstractSet[str] = frozenset(),
) -> tuple[Counterfactual, ...]:
    """Return the nearest changes of quantity, price, sector cap and equity that flip or bound the verdict.

    quantity: the largest that passes and the smallest that blocks. price: the nearest one beyond the band (or
    its nearest edge, when the price is outside). sector_cap: when the sector share binds, the cap in steps of
    0.0001 at which the verdict flips. equity: when another share binds, the whole-money equity at which it
    flips, with peak and start of day scaled alike. What no change of that one input can flip is left out.
    """
    base = Situation(proposal, portfolio, market, limits, overrides)
    now = _run(base)
    found = [*_quantity(base, now), *_price(base, now), *_sector_cap(base, now), *_equity(base, now)]
    return tuple(found)


def _run(situation: Situation) -> _Rerun:
    checks = check_situation(situation)
    return _Rerun(verdict(checks) == "block", binding(checks))


def _too_large(situation: Situation) -> bool:
    """Blocked by anything but a minimum: false for small and true for large quantities, with one step."""
    checks = check_situation(situation)
    return any(item.verdict == "block" and CONTROLS[item.control].bound != "minimum" for item in checks)


def _first_true(test: Callable[[int], bool], low: int, high: int) -> int | None:
    """Smallest whole number in (low, high] where a monotone test holds; None when it never does."""
    if high <= low or not test(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test(middle) else (middle, high)
    return high


def _quantity(base: Situation, now: _Rerun) -> list[Counterfactual]:
    original = base.proposal.quantity

    def at(quantity: int) -> Situation:
        return replace(base, proposal=base.proposal.model_copy(update={"quantity": quantity}))

    held = base.portfolio.position(base.proposal.symbol)
    ceiling = max(base.limits.max_order_quantity, abs(held.quantity) if held else 0, original) + 1
    blocks_from = _first_true(lambda quantity: _too_large(at(quantity)), 0, ceiling)
    if blocks_from is None:
        return []
    found: list[Counterfactual] = []
    largest = blocks_from - 1
    if largest >= 1 and largest != original and not _run(at(largest)).blocked:
        text = f"The largest quantity that passes is {largest:,} shares; asked were {original:,}."
        found.append(_make("quantity", original, largest, _run(at(largest)), text))
    if blocks_from != original and not (now.blocked and largest < 1):
        rerun = _run(at(blocks_from))
        text = f"From {blocks_from:,} shares on the order is blocked by {_by(rerun)}; asked were {original:,}."
        found.append(_make("quantity", original, blocks_from, rerun, text))
    return found


def _price(base: Situation, now: _Rerun) -> list[Counterfactual]:
    price, band = base.market.price, base.proposal.band
    if price is None or base.reduces:
        return []
    nearer_low = abs(price - band.low) < abs(band.high - price)
    edge, step = (band.low, -TICK) if nearer_low else (band.high, TICK)
    changed = edge if not band.holds(price) else edge.quantize(TICK, ROUND_UP if step > 0 else ROUND_DOWN) + step
    if changed <= 0 or changed == price:
        return []
    rerun = _run(replace(base, market=base.market.model_copy(update={"price": changed})))
    if rerun.blocked == now.blocked:
        return []
    shown, was = render(changed, "price"), render(price, "price")
    text = (
        f"At a price of {shown} instead of {was} the order is outside its band and blocked."
        if rerun.blocked
        else f"At a price of {shown} instead of {was} the order is inside its band and passes."
    )
    return [_make("price", price, changed, rerun, text)]


def _sector_cap(base: Situation, now: _Rerun) -> list[Counterfactual]:
    if now.binding is None or now.binding.control != "sector_share" or now.binding.value is None:
        return []
    original = base.limits.max_sector_share
    use = now.binding.value.quantize(CAP_STEP, rounding=ROUND_CEILING)
    changed = use if now.blocked else use - CAP_STEP
    if not 0 < changed <= 1 or changed == original:
        return []
    rerun = _run(replace(base, limits=base.limits.model_copy(update={"max_sector_share": changed})))
    if rerun.blocked == now.blocked:
        return []
    outcome = f"be blocked by {_by(rerun)}" if rerun.blocked else "pass"
    text = f"With a sector cap of {render(changed, 'share')} instead of {render(original, 'share')} it would {outcome}."
    return [_make("sector_cap", original, changed, rerun, text)]


def _equity(base: Situation, now: _Rerun) -> list[Counterfactual]:
    if now.binding is None or now.binding.control not in _EQUITY_CONTROLS or base.portfolio.equity <= 0:
        return []
    original = base.portfolio.equity

    def at(equity: int) -> Situation:
        scale = equity / original
        book = {
            "equity": Decimal(equity),
            "peak_equity": base.portfolio.peak_equity * scale,
            "day_start_equity": base.portfolio.day_start_equity * scale,
        }
        return replace(base, portfolio=base.portfolio.model_copy(update=book))

    def enough(equity: int) -> bool:
        return not _run(at(equity)).blocked

    passes_from = _first_true(enough, 0, int(original) * EQUITY_REACH if now.blocked else int(original))
    if passes_from is None:
        return []
    changed = passes_from if now.blocked else passes_from - 1
    if changed < 1:
        return []
    rerun = _run(at(changed))
    if rerun.blocked == now.blocked:
        return []
    outcome = f"be blocked by {_by(rerun)}" if rerun.blocked else "pass"
    shown, was = render(Decimal(changed), "money"), render(original, "money")
    text = f"With an equity of {shown} instead of {was} it would {outcome}."
    return [_make("equity", original, changed, rerun, text)]


def _by(rerun: _Rerun) -> str:
    return label(rerun.binding.control) if rerun.binding is not None else "a control"


def _make(
    field: Literal["quantity", "price", "sector_cap", "equity"],
    original: Decimal | int,
    changed: Decimal | int,
    rerun: _Rerun,
    text: str,
) -> Counterfactual:
    return Counterfactual(
        field=field, original=Decimal(original), changed=Decimal(changed), verdict="block" if rerun.blocked else "pass",
        binding_control=rerun.binding.control if rerun.binding is not None else None, text=text,
    )  # fmt: skip
