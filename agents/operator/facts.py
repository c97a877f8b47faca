"""What the operator agent may read, as injected callables, and the facts they return.

Figures in an answer come from these facts and nowhere else. Each says in which record it stands. Money is Decimal in
account currency, shares of equity and returns are fractions.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Protocol

from agents.explanation.output import Explanation
from agents.operator.output import Ref, Unit
from agents.operator.slots import Universe
from tools.risk.types import Check
from tools.types import Finding, Frozen, LessonState, ReviewReason, RiskEffect, Side, Verdict


class Figure(Frozen):
    """One measured value by name, in the record it stands in; `limit` is what it is held against."""

    name: str
    value: Decimal
    unit: Unit
    ref: Ref
    limit: Decimal | None = None
    limit_ref: Ref | None = None
    note: str = ""


class HaltFacts(Frozen):
    """A halt in force."""

    halt_id: str
    action: str
    scope: str
    target: str | None = None
    reason: str
    principal: str


class DeskFacts(Frozen):
    """Where the desk stands. `day_change` and `drawdown` are fractions. The record is `/desk`."""

    mode: str
    label: str
    session: date | None
    phase: str
    equity: Decimal
    cash: Decimal
    gross: Decimal
    drawdown: Decimal
    day_change: Decimal | None = None
    positions: int
    waiting: int
    halts: tuple[HaltFacts, ...] = ()


class PositionFacts(Frozen):
    """One open position, marked."""

    symbol: str
    quantity: int
    average_price: Decimal
    mark: Decimal
    market_value: Decimal
    unrealised: Decimal
    sector: str
    strategy: str
    case_id: str | None = None
    stop_price: Decimal | None = None

    @property
    def record(self) -> str:
        return f"/positions?symbol={self.symbol}"


class LessonFacts(Frozen):
    """One lesson as it stands now."""

    lesson_id: str
    state: LessonState
    scope: str
    claim: str

    @property
    def record(self) -> str:
        return f"/lessons/{self.lesson_id}"


class WaitingFacts(Frozen):
    """One approval that waits for people."""

    approval_id: str
    case_id: str
    symbol: str
    side: Side
    quantity: int
    notional: Decimal
    strategy: str
    given: int
    required: int
    sessions_left: int

    @property
    def record(self) -> str:
        return f"/approvals/{self.approval_id}"


class DecisionFacts(Frozen):
    """One answer of a person, a stand-in or a policy. `reason` is what they wrote."""

    principal: str
    decision: str
    reason: str


class FillFacts(Frozen):
    """One fill of a case."""

    side: Side
    quantity: int
    price: Decimal
    session: date


class CaseFacts(Frozen):
    """The life of one case so far. `reason` is the code of its state, e.g. capacity or no_opinion."""

    case_id: str
    symbol: str
    strategy: str
    side: Side
    kind: str
    quantity: int
    notional: Decimal
    reference_price: Decimal
    confidence: float
    state: str
    reason: str | None = None
    opened: date
    risk_effect: RiskEffect
    thesis: str
    verdict: Verdict
    factor: Decimal = Decimal(1)
    abstain_reason: str | None = None
    reasons: tuple[ReviewReason, ...] = ()
    checks: tuple[Check, ...] = ()
    decisions: tuple[DecisionFacts, ...] = ()
    fills: tuple[FillFacts, ...] = ()
    excess_return: float | None = None
    view_return: float | None = None
    disposition: str | None = None
    due: date | None = None
    evidence_ids: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        return f"/cases/{self.case_id}"


class ChangeFacts(Frozen):
    """One thing that happened, as the ledger has it."""

    session: date
    text: str
    ref: Ref
    symbol: str | None = None
    case_id: str | None = None


class Changes(Frozen):
    """What happened after a day, newest first, and equity at the two ends."""

    since: date
    until: date
    equity: tuple[Figure, ...] = ()
    items: tuple[ChangeFacts, ...] = ()
    more: bool = False


class CaseUnder(Frozen):
    """One case whose checks were run again on another limit. `index` is its place in the record."""

    case_id: str
    symbol: str
    side: Side
    quantity: int
    state: str
    before: str
    after: str
    because: str
    index: int


class Supposed(Frozen):
    """What another limit makes of the cases and the book. Every figure stands in the evidence."""

    evidence_id: str
    limit: str
    unit: Unit
    before: Decimal
    after: Decimal
    effect: str
    problem: str | None = None
    checked: int = 0
    cases: tuple[CaseUnder, ...] = ()
    breaches_before: int = 0
    breaches: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        return f"/evidence/{self.evidence_id}"


class Opened(Frozen):
    """The case that a person's own words opened."""

    case_id: str


class OperatorTools(Protocol):
    """Everything the operator agent can reach. All of it reads, but `propose`, which opens a case for a person.

    Each refuses with AccessError what its person may not read, and with ToolRejected or DataError what makes no sense.
    """

    async def universe(self) -> Universe: ...

    async def desk(self) -> DeskFacts | None:
        """None before the first run."""
        ...

    async def positions(self) -> tuple[PositionFacts, ...]: ...

    async def exposure(self, dimension: str) -> tuple[Figure, ...]:
        """Share of equity by group, the largest first, with its limit where there is one."""
        ...

    async def risk(self) -> tuple[Figure, ...]:
        """Measures of the book by name, e.g. `value at risk`."""
        ...

    async def limits_used(self) -> tuple[Figure, ...]: ...

    async def waiting(self) -> tuple[WaitingFacts, ...]: ...

    async def find_cases(self, symbol: str | None, strategy: str | None) -> tuple[CaseFacts, ...]:
        """Cases of the active run in a symbol or a strategy, newest first; empty when there is none."""
        ...

    async def case(self, case_id: str) -> CaseFacts | None: ...

    async def explain(self, case_id: str) -> Explanation | None:
        """The bound explanation; None for a case that was never asked."""
        ...

    async def why_not(self, case_id: str) -> tuple[str, ...]:
        """Why a case was not carried out, in sentences in reading order; empty for one that was not refused."""
        ...

    async def changes(self, since: date) -> Changes | None: ...

    async def findings(self) -> tuple[Finding, ...]:
        """Open findings, worst first."""
        ...

    async def pace(self) -> tuple[Figure, ...]:
        """How fast people answer the queue."""
        ...

    async def lessons(self, strategy: str | None) -> tuple[LessonFacts, ...]:
        """Lessons of the active run, of one strategy where it is named: those in force first, then by what they say."""
        ...

    async def suppose_limit(self, limit: str, value: Decimal | None, factor: Decimal | None) -> Supposed | None: ...

    async def suppose_order(self, symbol: str, side: Side, quantity: int) -> tuple[Figure, ...]:
        """Measures after an order; `limit` of each is the measure before it."""
        ...

    async def suppose_shock(self, scope: str, target: str | None, move: Decimal) -> tuple[Figure, ...]: ...

    async def propose(self, symbol: str, side: Side, quantity: int, reason: str) -> Opened | None:
        """Open a case in the person's name; None where this desk takes tickets elsewhere."""
        ...
