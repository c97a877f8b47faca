"""What the API answers with. Domain models are embedded as they are; rows never leave the store raw.

Money is a decimal string with at least two places; instants are ISO 8601 in UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    computed_field,
    model_validator,
)

from pipeline.desk_view import CurvePoint, DeskView
from pipeline.finding_answers import FindingState
from pipeline.overrides import Override
from tools.risk.measures.types import WhatIf
from tools.risk.types import Check
from tools.types import CaseState, Change, Evidence, Finding, Outcome, Proposal, Review, Severity

MAX_PLACES = 6


def money_text(value: Decimal) -> str:
    """Plain notation with two to six places: 1000000 -> "1000000.00", 12.3456789 -> "12.345679"."""
    rounded = round(value, MAX_PLACES)
    whole, _, places = format(rounded, "f").partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


Money = Annotated[Decimal, PlainSerializer(money_text, return_type=str)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Body(BaseModel):
    """Base of everything the API takes; a field nobody declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, data: Any) -> Any:
        """Refuse the one character that PostgreSQL cannot keep, before anything is saved."""
        if isinstance(data, dict) and any(isinstance(value, str) and "\x00" in value for value in data.values()):
            raise ValueError("text may not hold the character NUL")
        return data


class ProposalBody(Proposal):
    """A proposal with the money it moves."""

    @computed_field(return_type=str)  # type: ignore[prop-decorator]
    @property
    def notional(self) -> str:  # type: ignore[override]
        return money_text(self.reference_price * self.quantity)


class CaseBody(BaseModel):
    """One case: where it stands and what was found about it so far.

    It is about an order (`proposal`) or about the desk itself (`change`); both are null when its record is `damaged`.
    """

    id: str
    run_id: str
    cycle_id: str
    strategy: str
    symbol: str
    side: str
    kind: str
    state: CaseState
    reason: str | None
    revision: int
    rank: int
    risk_effect: str
    digest: str
    opened: date
    proposal: ProposalBody | None
    change: Change | None = None
    damaged: bool = False
    review: Review | None
    checks: list[Check] | None
    approval_id: str | None
    updated: datetime


class DecisionBody(BaseModel):
    """One person's answer."""

    principal: str
    decision: Literal["approve", "reject", "edit"]
    reason: str
    at: datetime


class OrderBody(BaseModel):
    """One order of ours; prices per share."""

    client_order_id: str
    case_id: str
    leg: str
    symbol: str
    side: str
    quantity: int
    filled_quantity: int
    average_price: Money | None
    state: str
    stop_price: Money | None
    created: datetime
    reason: str | None


class FillBody(BaseModel):
    """One execution; `slippage` is money paid beyond the reference price."""

    execution_id: str
    case_id: str | None
    client_order_id: str
    symbol: str
    side: str
    quantity: int
    price: Money
    commission: Money
    slippage: Money
    session: date


class HistoryBody(BaseModel):
    """One ledger record of a case."""

    seq: int
    kind: str
    at: datetime
    content: JsonValue


class CaseDetail(CaseBody):
    """A case with everything that led to it and came of it."""

    evidence: list[Evidence]
    decisions: list[DecisionBody]
    orders: list[OrderBody]
    fills: list[FillBody]
    outcome: Outcome | None
    history: list[HistoryBody]
    what_if: WhatIf | None = None
    override: Override | None = None


class BandBody(BaseModel):
    """Prices between which the approval stays good."""

    low: Money
    high: Money


class BoundExplanation(BaseModel):
    """The prose a person reads before deciding, and the hash the decision binds."""

    prose: str
    sha256: str


class CurveBody(CurvePoint):
    """One close of the equity curve."""

    equity: Money


class DeskBody(DeskView):
    """The desk at a glance, with money as the rest of the API writes it."""

    equity: Money
    equity_start: Money
    cash: Money
    gross: Money
    curve: tuple[CurveBody, ...]  # pyright: ignore[reportIncompatibleVariableOverride]


class CommandBody(BaseModel):
    """A wish to the engine and what became of it."""

    id: str
    kind: str
    status: Literal["pending", "done", "refused"]
    detail: str | None


class CommandAccepted(BaseModel):
    """The engine will see to it; ask /desk/commands/{command}."""

    command: str
    status: Literal["pending", "done", "refused"]


class ChatRequest(Body):
    """A question to the operator agent; `thread_id` continues a conversation."""

    text: Annotated[Text, Field(max_length=4000)]
    thread_id: Annotated[str | None, Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None


class HaltRequest(Body):
    """Stop what a scope names.

    `no_new`: nothing that adds risk is asked, approved or sent. `cancel`: and orders that add risk are cancelled.
    `reduce_only`: and questions that add risk are voided, reductions go on. `flatten`: and positions are closed.
    """

    action: Literal["no_new", "cancel", "reduce_only", "flatten"]
    reason: Annotated[Text, Field(max_length=2000)]
    scope: Literal["firm", "agent", "strategy", "symbol", "order"] = "firm"
    target: Annotated[str | None, Field(default=None, max_length=80)] = None


class ReleaseRequest(Body):
    """Let a halt go, or every halt. What it held is voided, never sent."""

    reason: Annotated[Text, Field(max_length=2000)]


class HaltBody(BaseModel):
    """An engaged stop. `ends_index` is the session at which it ends by itself, None never; `detail` what is left to do.

    `source`: person, api, cli, file, watchdog or `control:<id>`. `asked_release`: who wants it gone where it takes two.
    """

    id: str
    scope: str
    target: str | None
    action: str
    reason: str
    principal: str
    source: str
    engaged: datetime
    carried_out: bool
    released: datetime | None
    released_by: str | None
    ends_index: int | None = None
    cause: str | None = None
    detail: str | None = None
    asked_release: list[str] = []


class ReleaseAnswer(BaseModel):
    """Ids of the halts released, of the cases voided by it, and of halts that wait for another person's word."""

    released: list[str]
    voided_cases: list[str]
    waiting: list[str] = []


class LedgerBody(BaseModel):
    """One record as it is chained; `at` is the wall clock and is not hashed."""

    seq: int
    run_id: str | None
    kind: str
    case_id: str | None
    step: str
    revision: int
    desk_time: datetime
    content: JsonValue
    leaf: str
    prev_hash: str
    hash: str
    at: datetime | None


class VerificationBody(BaseModel):
    """Whether the ledger is whole. `problems` names each record that is not."""

    verified: bool
    entries: int
    head: str
    content_sha256: str
    problems: list[dict[str, Any]]


class PositionBody(BaseModel):
    """One position, marked at the last close."""

    symbol: str
    quantity: int
    average_price: Money
    mark: Money
    market_value: Money
    unrealised: Money
    realised: Money
    sector: str
    strategy: str
    case_id: str
    stop_price: Money | None


class EquityBody(BaseModel):
    """Marked equity at one close."""

    session: date
    equity: Money
    cash: Money
    drawdown: float
    index_close: float


class FindingBody(Finding):
    """A finding, where it stands, and who has seen to it. `as_of` is when it was last seen, in desk time.

    `silenced_sessions` are those left; the longest silence is what the worst that it was allows, 0 for none.
    `runbook` is the id of the one that says what to do.
    """

    run_id: str | None
    state: FindingState
    worst: Severity
    first_as_of: datetime
    times_seen: int
    cleared_as_of: datetime | None
    acknowledged_by: str | None
    acknowledged_reason: str | None
    acknowledged_at: datetime | None
    silenced_by: str | None
    silenced_reason: str | None
    silenced_until: datetime | None
    silenced_sessions: int | None
    longest_silence_hours: int
    longest_silence_sessions: int
    runbook: str | None = None


class FindingDetail(FindingBody):
    """A finding with what it rests on; one about people or processes has its figures only."""

    evidence: list[Evidence]


class EventBody(BaseModel):
    """One event of the stream: a ledger record in short."""

    seq: int
    kind: str
    case_id: str | None
    symbol: str | None
    at: datetime | None
