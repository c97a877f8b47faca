"""What would have changed the verdict, found by running the checks again on one changed input at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_UP, Decimal
from typing import Literal

from pydantic import ValidationError

from tools.risk.control import Control, Situation, label, render
from tools.risk.controls import CONTROLS, binding, check_situation, verdict
from tools.risk.types import Check, Counterfactual, Limits, MarketView, PortfolioView, Unit
from tools.types import Proposal

TICK = Decimal("0.01")
STEPS: dict[Unit, Decimal] = {"share": Decimal("0.0001"), "money": Decimal("0.01")}
"""In which a limit is moved; everything that is counted moves by whole ones."""
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
    """Return the nearest changes of quantity, price, stop, limit and equity that flip or bound the verdict.

    quantity: the largest that passes and the smallest that blocks. price: the nearest one beyond the band (or its
    nearest edge, when the price is outside). stop_price: the nearest one at which the risk to the stops flips it.
    limit: the nearest value of the binding control's own limit, shares in steps of 0.0001. equity: when a share but
    the sector's binds, the whole-money equity, with peak and start of day scaled alike. What no change of that one
    input can flip is left out.
    """
    base = Situation(proposal, portfolio, market, limits, overrides)
    now = _run(base)
    found = [
        *_quantity(base), *_price(base, now), *_stop_price(base, now), *_limit(base, now), *_equity(base, now),
    ]  # fmt: skip
    return tuple(found)


def _run(situation: Situation) -> _Rerun:
    checks = check_situation(situation)
    return _Rerun(verdict(checks) == "block", binding(checks))


def first_true(test: Callable[[int], bool], low: int, high: int) -> int | None:
    """Smallest whole number in (low, high] where a monotone test holds; None when it never does."""
    if high <= low or not test(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test(middle) else (middle, high)
    return high


def _turning(at: Callable[[int], Situation], low: int, high: int) -> tuple[list[Control], bool]:
    """The controls that say something else at `high` than at `low`, and whether one that does not change blocks.

    Only these can turn in between, each once, so that a bisection need not run the others.
    """
    first, last = at(low), at(high)
    verdicts = [(control, control.blocks(first), control.blocks(last)) for control in CONTROLS.values()]
    turning = [control for control, before, after in verdicts if before != after]
    return turning, any(before and after for _, before, after in verdicts)


def _any_blocks(controls: Iterable[Control], situation: Situation) -> bool:
    return any(control.blocks(situation) for control in controls)


def _quantity(base: Situation) -> list[Counterfactual]:
    original = base.proposal.quantity

    def at(quantity: int) -> Situation:
        return replace(base, proposal=base.proposal.model_copy(update={"quantity": quantity}))

    held = base.portfolio.position(base.proposal.symbol)
    ceiling = max(base.limits.max_order_quantity, abs(held.quantity) if held else 0, original) + 1
    turning, never = _turning(at, 1, ceiling)
    larger = [control for control in turning if control.bound != "minimum"]
    if never or not larger:
        return []
    blocks_from = first_true(lambda quantity: _any_blocks(larger, at(quantity)), 1, ceiling)
    if blocks_from is None:
        return []
    found: list[Counterfactual] = []
    largest = blocks_from - 1
    if largest != original and not (rerun := _run(at(largest))).blocked:
        text = f"The largest quantity that passes is {largest:,} shares; asked were {original:,}."
        found.append(_make("quantity", "quantity", original, largest, rerun, text))
    if blocks_from != original:
        rerun = _run(at(blocks_from))
        text = f"From {blocks_from:,} shares on the order is blocked by {_by(rerun)}; asked were {original:,}."
        found.append(_make("quantity", "quantity", original, blocks_from, rerun, text))
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
    return [_make("price", "price", price, changed, rerun, text)]


def _stop_price(base: Situation, now: _Rerun) -> list[Counterfactual]:
    """Move the stop alone: away from the price the risk to it grows, nearer it shrinks."""
    stop, price = base.proposal.stop_price, base.market.price
    if stop is None or price is None or base.reduces:
        return []
    side = 1 if base.opens_short else -1
    origin = (max if base.opens_short else min)(price, base.proposal.reference_price)
    original = int((stop - origin) * side / TICK)

    def at(ticks: int) -> Situation:
        moved = origin + side * ticks * TICK
        return replace(base, proposal=base.proposal.model_copy(update={"stop_price": moved}))

    furthest = original if now.blocked else int((origin - TICK) / TICK)
    if original < 1 or furthest < 2:
        return []
    turning, never = _turning(at, 1, furthest)
    blocks_from = None if never else first_true(lambda ticks: _any_blocks(turning, at(ticks)), 1, furthest)
    if blocks_from is None:
        return []
    changed = at(blocks_from - 1 if now.blocked else blocks_from)
    rerun, moved = _run(changed), changed.proposal.stop_price
    if rerun.blocked == now.blocked or moved is None or moved == stop:
        return []
    text = f"With a stop at {render(moved, 'price')} instead of {render(stop, 'price')} it would {_outcome(rerun)}."
    return [_make("stop_price", "price", stop, moved, rerun, text)]


def _limit(base: Situation, now: _Rerun) -> list[Counterfactual]:
    """Move the limit of the binding control to what is used of it: equality passes, one step beyond blocks."""
    check = now.binding
    if check is None or check.value is None or (name := CONTROLS[check.control].limit) is None:
        return []
    maximum = CONTROLS[check.control].bound == "maximum"
    step = STEPS.get(check.unit, Decimal(1))
    used = check.value.quantize(step, rounding=ROUND_CEILING if maximum else ROUND_FLOOR)
    changed = used if now.blocked else used - step if maximum else used + step
    original = Decimal(getattr(base.limits, name))
    try:
        limits = Limits.model_validate({**dict(base.limits), name: changed})
    except ValidationError:
        return []
    rerun = _run(replace(base, limits=limits))
    if changed == original or rerun.blocked == now.blocked:
        return []
    shown, was = render(changed, check.unit), render(original, check.unit)
    text = f"With {label(name)} at {shown} instead of {was} it would {_outcome(rerun)}."
    return [_make("limit", check.unit, original, changed, rerun, text, name)]


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

    reach = int(original) * EQUITY_REACH if now.blocked else int(original)
    turning, never = _turning(at, 1, reach)
    passes_from = None if never else first_true(lambda equity: not _any_blocks(turning, at(equity)), 1, reach)
    if passes_from is None:
        return []
    changed = passes_from if now.blocked else passes_from - 1
    rerun = _run(at(changed))
    if rerun.blocked == now.blocked:
        return []
    shown, was = render(Decimal(changed), "money"), render(original, "money")
    text = f"With an equity of {shown} instead of {was} it would {_outcome(rerun)}."
    return [_make("equity", "money", original, changed, rerun, text)]


def _outcome(rerun: _Rerun) -> str:
    return f"be blocked by {_by(rerun)}" if rerun.blocked else "pass"


def _by(rerun: _Rerun) -> str:
    return label(rerun.binding.control) if rerun.binding is not None else "a control"


def _make(
    field: Literal["quantity", "price", "stop_price", "limit", "equity"],
    unit: Unit,
    original: Decimal | int,
    changed: Decimal | int,
    rerun: _Rerun,
    text: str,
    name: str | None = None,
) -> Counterfactual:
    return Counterfactual(
        field=field, original=Decimal(original), changed=Decimal(changed), verdict="block" if rerun.blocked else "pass",
        binding_control=rerun.binding.control if rerun.binding is not None else None, text=text, name=name, unit=unit,
    )  # fmt: skip
