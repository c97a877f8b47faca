"""A book before and after one order, measure by measure: what a person should see before they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from tools.risk.measures import relation, var, volatility
from tools.risk.measures.book import with_order
from tools.risk.measures.concentration import concentration
from tools.risk.measures.contribution import contributions
from tools.risk.measures.returns import book_returns
from tools.risk.measures.stress import put_through
from tools.risk.measures.types import (
    SHARE_STEP,
    Book,
    Change,
    History,
    MeasureUnit,
    NotEnough,
    Scenario,
    WhatIf,
    decimal_of,
)
from tools.risk.types import Limits, PortfolioView
from tools.types import Side

HORIZON = 1


class _Kind(NamedTuple):
    label: str
    unit: MeasureUnit = "share"
    against: str | None = None


_KINDS: Mapping[str, _Kind] = {
    "gross": _Kind("gross exposure", against="max_gross_share"),
    "net": _Kind("net exposure"),
    "position": _Kind("the position", against="max_position_share"),
    "sector": _Kind("its sector", against="max_sector_share"),
    "open_risk": _Kind("risk to the stops", against="max_total_open_risk"),
    "var": _Kind("value at risk", against="max_daily_loss"),
    "cvar": _Kind("expected shortfall", against="max_daily_loss"),
    "volatility": _Kind("annualised volatility"),
    "beta": _Kind("beta to the index", "ratio"),
    "concentration": _Kind("concentration of names", "ratio"),
    "effective_names": _Kind("effective number of names", "ratio"),
    "largest_holding": _Kind("largest holding", against="max_position_share"),
}
_OF_ONE_NAME = ("position", "largest_holding")
"""Every entry moves these most; a check names them already."""

_STRESS = "stress_"


@dataclass(frozen=True)
class Surroundings:
    """What does not change with the order: the market's history, the scenarios, the view and the limits."""

    history: History
    scenarios: tuple[Scenario, ...]
    view: PortfolioView
    limits: Limits

    @cached_property
    def betas(self) -> Mapping[str, float]:
        return relation.betas(self.history)


def what_if(
    around: Surroundings,
    book: Book,
    *,
    symbol: str,
    sector: str,
    side: Side,
    quantity: int,
    price: Decimal,
    stop_price: Decimal | None,
) -> WhatIf:
    """Measure the book with and without the order filled at `price`. A quantity of zero changes nothing.

    VaR and CVaR are historical at 95 % over one session, volatility is EWMA, beta is against the index, concentration
    is Herfindahl's; the rest is money over equity. What needs history and has none says so and stays empty.
    """
    after_book = with_order(
        book, symbol=symbol, sector=sector, side=side, quantity=quantity, price=price, stop_price=stop_price
    )
    before, after = (_measures(around, one, symbol, sector) for one in (book, after_book))
    changes = tuple(_change(around, name, before[name], after[name]) for name in before)
    tail_before, tail_after = before["var"], after["var"]
    missing = isinstance(tail_before, NotEnough) or isinstance(tail_after, NotEnough)
    signed = quantity if side == "buy" else -quantity
    return WhatIf(
        symbol=symbol, side=side, quantity=quantity, price=price, stop_price=stop_price, changes=changes,
        largest=_largest(changes), incremental_var=None if missing else tail_after - tail_before,  # type: ignore[operator]
        marginal_var=_marginal(around, after_book, symbol, price * signed / book.equity),
        confidence=var.CONFIDENCE, horizon_sessions=HORIZON, window_sessions=len(around.history.sessions),
        scenarios=tuple(item.id for item in around.scenarios),
        scenario_dates=tuple(day for item in around.scenarios for day in (item.first, item.last) if day is not None),
    )  # fmt: skip


def _measures(around: Surroundings, book: Book, symbol: str, sector: str) -> dict[str, Decimal | NotEnough]:
    held = book.holding(symbol)
    values = [item.value for item in book.holdings]
    in_sector = [abs(item.value) for item in book.holdings if item.sector == sector]
    money = {
        "gross": sum(map(abs, values), Decimal(0)), "net": sum(values, Decimal(0)),
        "position": abs(held.value) if held else Decimal(0), "sector": sum(in_sector, Decimal(0)),
        "open_risk": sum((item.open_risk for item in book.holdings), Decimal(0)),
        "largest_holding": max(map(abs, values), default=Decimal(0)),
    }  # fmt: skip
    found: dict[str, Decimal | NotEnough] = {
        name: (amount / book.equity).quantize(SHARE_STEP) for name, amount in money.items()
    }
    found |= _statistics(around, book)
    names = concentration(book)
    found |= {
        "concentration": decimal_of(names.herfindahl), "effective_names": decimal_of(names.effective_names)
    }  # fmt: skip
    ordered = {name: found[name] for name in _KINDS}
    for scenario in around.scenarios:
        result = put_through(scenario, book, around.betas, around.view, around.limits)
        ordered[_STRESS + scenario.id] = result.loss_share
    return ordered


def _statistics(around: Surroundings, book: Book) -> dict[str, Decimal | NotEnough]:
    returns = book_returns(book, around.history)
    if isinstance(returns, NotEnough):
        return dict.fromkeys(("var", "cvar", "volatility", "beta"), returns)
    tail = var.historical(returns, horizon=HORIZON)
    spread = volatility.ewma(returns)
    slope = relation.relation(returns, around.history.index)
    return {
        "var": tail if isinstance(tail, NotEnough) else decimal_of(tail.var),
        "cvar": tail if isinstance(tail, NotEnough) else decimal_of(tail.cvar),
        "volatility": spread if isinstance(spread, NotEnough) else decimal_of(spread.value),
        "beta": slope if isinstance(slope, NotEnough) else decimal_of(slope.beta),
    }


def _marginal(around: Surroundings, book: Book, symbol: str, weight: Decimal) -> Decimal | None:
    """The order's weight times the slope of parametric VaR in its symbol, at the book after it."""
    parts = contributions(book, around.history)
    if isinstance(parts, NotEnough):
        return None
    slope = next((item.marginal_var for item in parts.items if item.symbol == symbol), None)
    return None if slope is None else decimal_of(slope * float(weight))


def _change(around: Surroundings, name: str, before: Decimal | NotEnough, after: Decimal | NotEnough) -> Change:
    kind = _KINDS.get(name)
    if kind is None:
        scenario = next(item for item in around.scenarios if _STRESS + item.id == name)
        kind = _Kind(f"loss in {scenario.name}", against="max_drawdown")
    absent = next((item for item in (before, after) if isinstance(item, NotEnough)), None)
    return Change(
        measure=name, label=kind.label, unit=kind.unit,
        before=None if isinstance(before, NotEnough) else before,
        after=None if isinstance(after, NotEnough) else after,
        limit=getattr(around.limits, kind.against) if kind.against else None, against=kind.against,
        missing=absent.message if absent else None,
    )  # fmt: skip


def _largest(changes: Sequence[Change]) -> str | None:
    """The book's measure whose change is the largest part of the room its limit left; the first of several.

    Beyond its limit a measure has no room left and comes first. None when nothing with a limit moves.
    """
    parts = {
        item.measure: abs(item.change) / max(item.limit - item.before, SHARE_STEP)
        for item in changes
        if item.change and item.limit and item.before is not None and item.measure not in _OF_ONE_NAME
    }
    return max(parts, key=lambda name: parts[name], default=None)
