"""What goes into an agent and what comes out: a brief, a context, an opinion or an abstention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from prompts.loader import Tier
from tools.canonical import content_sha256
from tools.risk.types import Check, Counterfactual, PortfolioView
from tools.types import Evidence, Finding, Frozen, Instant, Proposal, ProposalKind, RecalledCase, Review

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

AbstainReason = Literal[
    "model_unreachable", "timeout", "schema_invalid", "budget_spent", "evidence_missing", "model_refused",
    "samples_disagree",
]  # fmt: skip


class Abstain(Frozen):
    """No opinion, with a reason code. It is never a trade and never a default rating (P3)."""

    reason: AbstainReason
    detail: str


class Closed(BaseModel):
    """Base of what a model may answer: no field beyond the declared ones, nothing coerced afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Brief(Frozen):
    """The evidence and views given to one agent for one question; ordered and hashed."""

    run_id: str
    cycle_id: str
    as_of: Instant
    evidence: tuple[Evidence, ...] = ()

    @property
    def sha256(self) -> str:
        return content_sha256(self)

    def find(self, evidence_id: str) -> Evidence | None:
        return next((item for item in self.evidence if item.id == evidence_id), None)


class HealthPoint(Frozen):
    """What a fact was at the close of an earlier session."""

    session: date
    value: float


class HealthFact(Frozen):
    """One measured fact about a component of the desk, e.g. data age in hours.

    `history` holds earlier sessions, oldest first and without this one; `about` says whose value it is; `session` is
    that of the value where it is not today's.
    """

    component: str
    name: str
    value: float
    limit: float | None
    unit: str
    evidence_id: str
    symbol: str | None = None
    about: str | None = None
    session: date | None = None
    history: tuple[HealthPoint, ...] = ()

    @property
    def values(self) -> tuple[float, ...]:
        """The whole series, this value last."""
        return (*(point.value for point in self.history), self.value)


class MonitoringBrief(Brief):
    facts: tuple[HealthFact, ...] = ()


class DecisionBrief(Brief):
    """All candidates of one cycle. `evidence` holds what each candidate cites."""

    candidates: tuple[Proposal, ...]
    portfolio: PortfolioView
    findings: tuple[Finding, ...] = ()
    recalled: Mapping[str, tuple[RecalledCase, ...]] = {}


class ExplanationBrief(Brief):
    """One asked case. `evidence` also holds the proposal, checks, counterfactuals, review and recalled
    cases as evidence items, so that every figure has an id to resolve to."""

    case_id: str
    proposal: Proposal
    review: Review
    checks: tuple[Check, ...]
    counterfactuals: tuple[Counterfactual, ...]
    findings: tuple[Finding, ...] = ()
    recalled: tuple[RecalledCase, ...] = ()
    unknowns: tuple[str, ...] = ()


class SettledView(Frozen):
    """What became of one view after its horizon, by the id of its outcome, and how things stood when it was proposed.

    `excess_return` is a fraction over the index; `confidence` is raw; `regime` that of the index at the opening, None
    where its history is too short; `refused_for` the code that a person gave with a refusal.
    """

    id: str
    strategy: str
    kind: ProposalKind
    disposition: str
    opened_index: int
    horizon_sessions: int
    excess_return: float
    confidence: float
    regime: str | None = None
    refused_for: str | None = None


class Written(Frozen):
    """How much the newest lesson of a scope rests on."""

    size: int
    blocks: int


class LearningBrief(Brief):
    """Settled views of one run, what was written of each scope so far, and people's words by the id of the outcome."""

    views: tuple[SettledView, ...]
    written: Mapping[str, Written] = {}
    said: Mapping[str, str] = {}


class Recorder(Protocol):
    """Keeps the input and output of every model call, content-addressed."""

    def record_model_call(
        self,
        *,
        call: str,
        attempt: int,
        request: Any,
        response: Any,
        meta: Mapping[str, Any],
        case_id: str | None = None,
    ) -> None: ...


class Usage(NamedTuple):
    """Tokens of one call."""

    input_tokens: int
    output_tokens: int

    @property
    def total(self) -> int:
        return self.input_tokens + self.output_tokens


class ModelBudget(Protocol):
    """Tokens and money, set aside before a call and settled after it.

    `reserve` gives the id of a reservation for `most`, or None when some budget does not cover it. A reservation that
    is never settled stays spent. `settle` says what the call cost, None where the model has no price.
    """

    def reserve(self, call: str, model_id: str, most: Usage) -> int | None: ...

    def settle(self, reservation: int, used: Usage) -> Decimal | None: ...


class Endpoint(Protocol):
    """One place that answers: a model at an address, or a tape of what one answered.

    `request` is what is recorded: model, messages, schema. Raises one of `agents.models.call_errors()`.
    """

    @property
    def model_id(self) -> str: ...

    async def ask(
        self, messages: Sequence[BaseMessage], request: Mapping[str, Any], max_output_tokens: int
    ) -> AIMessage: ...


BesideRules = Literal["monitoring", "coordinator"]
"""Agents whose rules always judge, and beside which a model may be asked."""
FrameworkName = Literal["direct", "self_consistency"]


@dataclass(frozen=True)
class Context:
    """What an agent may use. With `reasoner` "rules" there are no endpoints and nothing leaves the process.

    `endpoints` holds for each tier who is asked, in this order: the next only where one cannot be reached, is late,
    busy or broken. `sample` tells repeated askings of one question apart. `beside` names the agents that ask a model
    although their rules dispose.
    """

    reasoner: Literal["rules", "model"]
    recorder: Recorder
    budget: ModelBudget
    endpoints: Mapping[Tier, Sequence[Endpoint]] = field(default_factory=dict)
    framework: FrameworkName = "direct"
    samples: int = 3
    sample: int = 0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    beside: frozenset[BesideRules] = frozenset()

    def asks(self, agent: BesideRules) -> bool:
        """True when a model is asked beside the rules of that agent."""
        return self.reasoner == "model" and agent in self.beside
