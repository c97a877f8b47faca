"""What the operator agent may read, as injected callables, and the facts they return.

Figures in an answer come from these facts and nowhere else. Money is Decimal in account currency, shares of
equity and returns are fractions. `evidence_ids` name what a fact rests on; case, approval and halt ids count too.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

from pydantic import Field

from agents.explanation.output import Explanation
from agents.reasoning import Closed
from tools.types import Finding, Frozen, Instant, ReviewReason, RiskEffect, Side, Verdict

IntentName = Literal[
    "why", "why_not", "changed", "exposure", "risk", "limits", "waiting", "would_change", "health", "control",
    "unknown",
]  # fmt: skip

INTENT_MEANINGS: tuple[tuple[IntentName, str], ...] = (
    ("why", "why the desk did, holds or proposes something in a symbol"),
    ("why_not", "why the desk did not do something in a symbol"),
    ("changed", "what happened or changed lately"),
    ("exposure", "what the desk holds, or its position in a symbol"),
    ("risk", "equity, drawdown, losses, how risky the book is"),
    ("limits", "how much of the limits is used"),
    ("waiting", "what waits for a person, the approval queue"),
    ("would_change", "what would have changed the decision in a symbol"),
    ("health", "findings, whether the desk and its data are in order"),
    ("control", "a wish to approve, reject, halt, resume, buy, sell or change something"),
    ("unknown", "none of these"),
)


class Intent(Frozen):
    """What a question asks for. `subject` is a ticker or a case id."""

    name: IntentName
    symbol: str | None = None
    case_id: str | None = None


class IntentChoice(Closed):
    """What the model may answer: it picks, the desk answers."""

    intent: IntentName
    symbol: str = Field(max_length=10)


class HaltFacts(Frozen):
    """A halt in force."""

    halt_id: str
    action: str
    scope: str
    target: str | None = None
    reason: str
    principal: str


class DeskFacts(Frozen):
    """Where the desk stands. `day_change` and `drawdown` are fractions."""

    mode: str
    label: str
    session: date | None
    session_index: int
    sessions_total: int
    phase: str
    stage: str
    equity: Decimal
    equity_start: Decimal
    cash: Decimal
    gross: Decimal
    drawdown: Decimal
    day_change: Decimal | None = None
    positions: int
    waiting: int
    reasoner: str = "rules"
    halts: tuple[HaltFacts, ...] = ()
    evidence_ids: tuple[str, ...] = ()


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
    state: str
    reason: str | None = None
    opened: date
    risk_effect: RiskEffect
    thesis: str
    verdict: Verdict
    factor: Decimal = Decimal(1)
    abstain_reason: str | None = None
    reasons: tuple[ReviewReason, ...] = ()
    decisions: tuple[DecisionFacts, ...] = ()
    fills: tuple[FillFacts, ...] = ()
    excess_return: float | None = None
    evidence_ids: tuple[str, ...] = ()


class LimitUse(Frozen):
    """How much of a limit of the book is used; both in `unit` (share is a fraction of equity)."""

    name: str
    used: Decimal
    limit: Decimal
    unit: Literal["share", "money", "count"] = "share"


class ChangeFacts(Frozen):
    """One thing that happened, as the ledger has it."""

    at: Instant
    kind: str
    text: str
    symbol: str | None = None
    case_id: str | None = None


class OperatorTools(Protocol):
    """Everything the operator agent can reach. All of it reads; nothing here acts."""

    async def desk(self) -> DeskFacts | None:
        """None before the first run."""
        ...

    async def positions(self) -> tuple[PositionFacts, ...]: ...

    async def waiting(self) -> tuple[WaitingFacts, ...]: ...

    async def find_case(self, symbol: str) -> tuple[CaseFacts, ...]:
        """Cases of the active run in a symbol, newest first; empty when there is none."""
        ...

    async def case(self, case_id: str) -> CaseFacts | None: ...

    async def explain(self, case_id: str) -> Explanation | None:
        """The bound explanation; None for a case that was never asked."""
        ...

    async def limits_used(self) -> tuple[LimitUse, ...]: ...

    async def changes(self, limit: int) -> tuple[ChangeFacts, ...]:
        """The last things that happened, newest first."""
        ...

    async def findings(self) -> tuple[Finding, ...]:
        """Open findings, worst first."""
        ...
