"""What a control is, what it sees, and how a number becomes a check."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from tools.risk.types import Check, Limits, MarketView, PortfolioView, Unit
from tools.types import Proposal

HOUSE = "house"
CAPITAL = "15c3-5(c)(1)(i); RTS 6 Art. 15(4)"
"""17 CFR 240.15c3-5(c)(1)(i) and Delegated Regulation (EU) 2017/589 Art. 15(4): credit, capital and market risk."""
COLLAR = "15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(a)"
ORDER_VALUE = "15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(b)"
ORDER_VOLUME = "15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(c)"
MESSAGES = "15c3-5(c)(1)(ii); RTS 6 Art. 15(1)(d)"
DUPLICATES = "15c3-5(c)(1)(ii)"
THROTTLE = "RTS 6 Art. 15(3)"
RESTRICTED_NAMES = "15c3-5(c)(2)(ii)"
SHORT_SALES = "Reg SHO 242.203(b)(1)"

SHARE_STEP = Decimal("0.000001")
MONEY_STEP = Decimal("0.01")


@dataclass(frozen=True)
class Situation:
    """Everything a control may look at: one proposal against one book, one market and one set of limits.

    `portfolio.pending` must not hold the proposal's own order, or it would be counted twice. `overrides` names soft
    controls whose block warns instead.
    """

    proposal: Proposal
    portfolio: PortfolioView
    market: MarketView
    limits: Limits
    overrides: AbstractSet[str] = frozenset()

    @property
    def reduces(self) -> bool:
        return self.proposal.risk_effect == "reduces"

    @property
    def notional(self) -> Decimal | None:
        """Quantity at the market price; None without a price."""
        return None if self.market.price is None else self.market.price * self.proposal.quantity

    def share(self, amount: Decimal | None) -> Decimal | None:
        """`amount` over equity; None where either is missing or equity is not positive."""
        if amount is None or self.portfolio.equity <= 0:
            return None
        return amount / self.portfolio.equity

    def pending_in(
        self, *, symbol: str | None = None, sector: str | None = None, symbols: tuple[str, ...] | None = None
    ) -> Decimal:
        """Money of pending orders, counted as filled, in a symbol, some symbols, a sector or all."""
        return sum(
            (
                order.notional
                for order in self.portfolio.pending
                if (symbol is None or order.symbol == symbol)
                and (sector is None or order.sector == sector)
                and (symbols is None or order.symbol in symbols)
            ),
            Decimal(0),
        )

    @property
    def opens_short(self) -> bool:
        """A sale that goes below zero: anything that increases risk by selling, or a mixed order."""
        return self.proposal.side == "sell" or self.proposal.risk_effect == "mixed"


@dataclass(frozen=True)
class Control:
    """One named rule. `bound` tells whether the limit is a maximum, a minimum or a flag that must be zero.

    `limit` names the field of the limits file that holds it; None where the limit is the book's, the band's or none.
    The registry stamps rule, hardness and distance on what `evaluate` returns.
    """

    id: str
    unit: Unit
    rule: str
    bound: Literal["maximum", "minimum", "flag", "band"]
    evaluate: Callable[[Situation], Check]
    applies_to_reductions: bool = False
    hard: bool = True
    limit: str | None = None

    def blocks(self, situation: Situation) -> bool:
        """Its verdict alone, for those who ask often."""
        if (situation.reduces and not self.applies_to_reductions) or self.id in situation.overrides:
            return False
        return self.evaluate(situation).verdict == "block"

    def check(self, situation: Situation) -> Check:
        """Evaluate, unless the order only reduces and the control is about increases."""
        if situation.reduces and not self.applies_to_reductions:
            return Check(
                control=self.id, value=None, limit=None, unit=self.unit, verdict="pass", rule=self.rule, hard=self.hard,
                message=f"{label(self.id)}: not applied to a reduction",
            )  # fmt: skip
        found = self.evaluate(situation)
        return found.model_copy(update={"rule": self.rule, "hard": self.hard, "distance": self._distance(found)})

    def _distance(self, found: Check) -> Decimal | None:
        if found.value is None or found.limit is None or self.bound == "flag":
            return None
        if self.bound == "band":
            away = abs(found.value - found.limit)
            return -away if found.verdict == "block" else away
        return found.limit - found.value if self.bound == "maximum" else found.value - found.limit


def label(control: str) -> str:
    return control.replace("_", " ")


def render(value: Decimal, unit: Unit) -> str:
    """A value as people read it; every digit of the stored value is shown."""
    if unit == "share":
        hundred = (value * 100).normalize()
        digits = max(2, -int(hundred.as_tuple().exponent))
        return f"{hundred:,.{digits}f} %"
    if unit in ("money", "price"):
        return f"{value:,.2f}"
    if unit == "hours":
        return f"{value:.1f} hours"
    if unit == "seconds":
        return f"{value:.1f} seconds"
    return f"{value:,.0f}"


def exact(value: Decimal, unit: Unit) -> Decimal:
    """Round up to the step of the unit, so that rounding can block but never let pass."""
    steps = {"share": SHARE_STEP, "money": MONEY_STEP, "hours": Decimal("0.1"), "seconds": Decimal("0.1")}
    step = steps.get(unit)
    return value if step is None else value.quantize(step, rounding=ROUND_CEILING)


def at_most(control: str, value: Decimal | None, limit: Decimal, unit: Unit, warn_from: Decimal | None = None) -> Check:
    """Block when the value is missing or above the limit; warn from `warn_from` times the limit."""
    if value is None:
        return missing(control, limit, unit)
    measured = exact(value, unit)
    blocked = measured > limit
    near = warn_from is not None and measured >= warn_from * limit
    relation = "above the limit of" if blocked else "within the limit of"
    return Check(
        control=control, value=measured, limit=limit, unit=unit, rule="",
        verdict="block" if blocked else "warn" if near else "pass",
        message=f"{label(control)} {render(measured, unit)}, {relation} {render(limit, unit)}",
    )  # fmt: skip


def at_least(control: str, value: Decimal | None, limit: Decimal, unit: Unit) -> Check:
    """Block when the value is missing or below the limit."""
    if value is None:
        return missing(control, limit, unit)
    blocked = value < limit
    relation = "below the minimum of" if blocked else "at or above the minimum of"
    return Check(
        control=control, value=value, limit=limit, unit=unit, rule="", verdict="block" if blocked else "pass",
        message=f"{label(control)} {render(value, unit)}, {relation} {render(limit, unit)}",
    )  # fmt: skip


def flag(control: str, raised: bool | None, when_raised: str, when_clear: str) -> Check:
    """Block when the flag is raised or nobody knows."""
    if raised is None:
        return missing(control, Decimal(0), "flag")
    return Check(
        control=control, value=Decimal(int(raised)), limit=Decimal(0), unit="flag", rule="",
        verdict="block" if raised else "pass", message=f"{label(control)}: {when_raised if raised else when_clear}",
    )  # fmt: skip


def missing(control: str, limit: Decimal | None, unit: Unit) -> Check:
    """A control that cannot be evaluated blocks (P9)."""
    return Check(
        control=control, value=None, limit=limit, unit=unit, rule="", verdict="block",
        message=f"{label(control)}: an input is missing, and what cannot be checked is blocked",
    )  # fmt: skip
