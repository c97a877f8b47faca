"""The SQL tables. A row holds ids, status, revision and times, and embeds the domain model in one column.

Times named `*_wall` are wall clock; every other time is desk clock (DESIGN section 3, two clocks).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from memory.columns import ExactDecimal, ModelJson, PlainJson, UtcInstant
from tools.data.types import Headline
from tools.execution.types import Fill, OrderRequest
from tools.types import CaseState, Evidence, Finding, Lesson, Outcome, Proposal, Signal

OPEN_CASE_STATES = (
    CaseState.DRAFTED, CaseState.AWAITING, CaseState.APPROVED, CaseState.SUBMITTED, CaseState.UNKNOWN,
)  # fmt: skip
_OPEN_SQL = "state IN (" + ", ".join(f"'{state.value}'" for state in OPEN_CASE_STATES) + ")"


def _instant(nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcInstant, nullable=nullable))


def _json(nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(PlainJson, nullable=nullable))


def _money(nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(ExactDecimal, nullable=nullable))


def _body(model: Any) -> Any:
    return Field(sa_column=Column(ModelJson(model), nullable=False))


class HomeRow(SQLModel, table=True):
    """One row: what this home is. A home never changes its mode."""

    __tablename__ = "home"
    id: int = Field(default=1, primary_key=True)
    mode: str
    schema_version: str
    created_wall: datetime = _instant()


class RunRow(SQLModel, table=True):
    """One replay or one paper/live book. `session_index`, `phase` and `stage` are where its clock stands."""

    __tablename__ = "runs"
    id: str = Field(primary_key=True)
    ordinal: int = Field(unique=True)
    mode: str
    fingerprint: str
    seed: int
    start: date
    config: dict[str, Any] = _json()
    session_index: int
    sessions_played: int = 0
    stage: str = "closed"
    equity_start: Decimal = _money()
    cash: Decimal = _money()
    peak_equity: Decimal = _money()
    day_start_equity: Decimal = _money()
    broker_sequence: int = 0
    active: bool = True
    created_wall: datetime = _instant()


class ActivationRow(SQLModel, table=True):
    """Which hash of a limits or policy file is in force. A file is a candidate; this row activates it."""

    __tablename__ = "activations"
    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(index=True)
    version: str
    sha256: str
    body: str
    principal: str
    activated_wall: datetime = _instant()


class EvidenceRow(SQLModel, table=True):
    __tablename__ = "evidence"
    id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    symbol: str | None = Field(default=None, index=True)
    known_at: datetime = _instant()
    body: Evidence = _body(Evidence)


class SignalRow(SQLModel, table=True):
    __tablename__ = "signals"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str
    symbol: str = Field(index=True)
    as_of: datetime = _instant()
    body: Signal = _body(Signal)


class FindingRow(SQLModel, table=True):
    __tablename__ = "findings"
    id: str = Field(primary_key=True)
    run_id: str | None = Field(default=None, index=True)
    code: str
    severity: str = Field(index=True)
    component: str
    symbol: str | None = None
    as_of: datetime = _instant()
    body: Finding = _body(Finding)
    acknowledged_by: str | None = None


class CaseRow(SQLModel, table=True):
    """The life of one proposal. `revision` rises by one with every state change."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "one_open_case", "run_id", "strategy", "symbol", "side", unique=True,
            sqlite_where=text(_OPEN_SQL), postgresql_where=text(_OPEN_SQL),
        ),
    )  # fmt: skip
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str = Field(index=True)
    strategy: str
    symbol: str = Field(index=True)
    side: str
    kind: str
    state: str = Field(index=True)
    reason: str | None = None
    revision: int = 0
    rank: int
    risk_effect: str
    digest: str
    opened: date
    opened_index: int
    review: dict[str, Any] = _json()
    checks: list[dict[str, Any]] | None = _json(nullable=True)
    body: Proposal = _body(Proposal)
    updated_wall: datetime = _instant()


class ApprovalRow(SQLModel, table=True):
    """The queue row of a case: what exactly is asked, of how many people, until when."""

    __tablename__ = "approvals"
    id: str = Field(primary_key=True)
    case_id: str = Field(index=True, unique=True)
    run_id: str = Field(index=True)
    status: str = Field(index=True)
    digest: str
    explanation_hash: str
    policy_version: str
    policy_sha256: str
    limits_sha256: str
    rule: str
    required: int
    roles: list[str] = _json()
    nonce: str
    band_low: Decimal = _money()
    band_high: Decimal = _money()
    portfolio_hash: str
    exposure: int
    data_sha256: str
    worst_checks: dict[str, Any] = _json()
    asked_index: int
    expires_index: int
    expires: date
    asked_wall: datetime = _instant()
    decided_wall: datetime | None = _instant(nullable=True)
    resumed: bool = False


class DecisionRow(SQLModel, table=True):
    """One person's answer. One per approval and person, for ever."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("approval_id", "principal"),)
    id: int | None = Field(default=None, primary_key=True)
    approval_id: str = Field(index=True)
    case_id: str = Field(index=True)
    principal: str
    decision: str
    digest: str
    reason: str
    decided_wall: datetime = _instant()


class GrantRow(SQLModel, table=True):
    """The signed, single-use result of an approval. `status`: minted, consumed, voided."""

    __tablename__ = "grants"
    id: str = Field(primary_key=True)
    kind: str = "approval"
    case_id: str | None = Field(default=None, index=True)
    approval_id: str | None = Field(default=None, unique=True)
    run_id: str
    status: str = Field(index=True)
    digest: str
    quantity_budget: int
    quantity_used: int = 0
    body: dict[str, Any] = _json()
    signature: str
    minted_wall: datetime = _instant()
    consumed_wall: datetime | None = _instant(nullable=True)


class OrderRow(SQLModel, table=True):
    """One order of ours. UNIQUE(case, leg, attempt) is what makes a second one impossible."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("run_id", "case_id", "leg", "attempt"),)
    client_order_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str = Field(index=True)
    grant_id: str = Field(index=True)
    leg: str
    attempt: int
    symbol: str = Field(index=True)
    side: str
    quantity: int
    state: str = Field(index=True)
    filled_quantity: int = 0
    average_price: Decimal | None = _money(nullable=True)
    stop_price: Decimal | None = _money(nullable=True)
    broker_order_id: str | None = None
    reason: str | None = None
    created: datetime = _instant()
    body: OrderRequest = _body(OrderRequest)
    updated_wall: datetime = _instant()


class OutboxRow(SQLModel, table=True):
    """What must be said to the broker. `status`: pending, sent, done."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("client_order_id", "action"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    client_order_id: str
    action: str
    status: str = Field(default="pending", index=True)
    attempts: int = 0
    last_error: str | None = None
    created_wall: datetime = _instant()


class FillRow(SQLModel, table=True):
    __tablename__ = "fills"
    execution_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str | None = Field(default=None, index=True)
    client_order_id: str = Field(index=True)
    symbol: str = Field(index=True)
    side: str
    quantity: int
    price: Decimal = _money()
    commission: Decimal = _money()
    session: date
    at: datetime = _instant()
    body: Fill = _body(Fill)


class PositionRow(SQLModel, table=True):
    __tablename__ = "positions"
    run_id: str = Field(primary_key=True)
    symbol: str = Field(primary_key=True)
    quantity: int
    average_price: Decimal = _money()
    realised: Decimal = _money()
    mark: Decimal = _money()
    sector: str
    strategy: str
    case_id: str
    opened_index: int
    stop_price: Decimal | None = _money(nullable=True)


class EquityRow(SQLModel, table=True):
    """Marked equity at each close of a run, from our own book."""

    __tablename__ = "equity"
    run_id: str = Field(primary_key=True)
    session: date = Field(primary_key=True)
    equity: Decimal = _money()
    cash: Decimal = _money()
    drawdown: Decimal = _money()
    index_close: float


class OutcomeRow(SQLModel, table=True):
    __tablename__ = "outcomes"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    case_id: str = Field(index=True)
    strategy: str
    symbol: str = Field(index=True)
    disposition: str = Field(index=True)
    settled: bool = Field(default=False, index=True)
    opened_index: int
    due_index: int = Field(index=True)
    index_entry: float
    body: Outcome = _body(Outcome)


class LessonRow(SQLModel, table=True):
    __tablename__ = "lessons"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    state: str = Field(index=True)
    scope: str
    as_of: datetime = _instant()
    body: Lesson = _body(Lesson)


class ExplanationRow(SQLModel, table=True):
    """A bound explanation: the claim graph, its hash, and prose rendered from it."""

    __tablename__ = "explanations"
    case_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    sha256: str
    claims: int
    numbers: int
    unresolved: int
    dropped: int
    reasoner: str
    body: dict[str, Any] = _json()


class HaltRow(SQLModel, table=True):
    """An engaged stop. In force until `released_wall` is set."""

    __tablename__ = "halts"
    id: str = Field(primary_key=True)
    scope: str
    target: str | None = None
    action: str
    reason: str
    principal: str
    source: str
    engaged_wall: datetime = _instant()
    carried_out: bool = False
    released_wall: datetime | None = _instant(nullable=True)
    released_by: str | None = None
    release_reason: str | None = None


class CommandRow(SQLModel, table=True):
    """A wish of a person to the engine, e.g. `next`. `status`: pending, done, refused."""

    __tablename__ = "commands"
    id: str = Field(primary_key=True)
    kind: str
    principal: str
    status: str = Field(default="pending", index=True)
    detail: str | None = None
    asked_wall: datetime = _instant()


class HeartbeatRow(SQLModel, table=True):
    """Which processes live and what they do."""

    __tablename__ = "heartbeats"
    component: str = Field(primary_key=True)
    pid: int
    state: str
    detail: str
    at_wall: datetime = _instant()


class LedgerRow(SQLModel, table=True):
    """One record. `content` is hashed and chained; `envelope` is not (P11)."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("case_id", "step", "revision"),)
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    run_id: str | None = Field(default=None, index=True)
    kind: str = Field(index=True)
    case_id: str | None = Field(default=None, index=True)
    step: str
    revision: int
    desk_time: datetime = _instant()
    stage: int
    rank: int
    content: str
    leaf: str
    prev_hash: str = Field(unique=True)
    hash: str = Field(unique=True)
    envelope: dict[str, Any] = _json()


class BlobRow(SQLModel, table=True):
    """Content-addressed bytes (zlib of canonical JSON) of a recorded input or output."""

    __tablename__ = "blobs"
    sha256: str = Field(primary_key=True)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RecordingRow(SQLModel, table=True):
    """One tool or model call: who was called, with what, answering what, in the order of `seq`."""

    __tablename__ = "recordings"
    __table_args__ = (UniqueConstraint("run_id", "cycle_id", "call", "input_sha256", "attempt"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    cycle_id: str = Field(index=True)
    case_id: str | None = Field(default=None, index=True)
    kind: str
    call: str
    attempt: int = 0
    input_sha256: str
    output_sha256: str
    meta: dict[str, Any] = _json()
    at_wall: datetime = _instant()


class MemoryRow(SQLModel, table=True):
    """A remembered case: the text and its vector. Chroma is only an index over these rows."""

    __tablename__ = "memories"
    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    kind: str
    symbol: str
    strategy: str
    known_index: int
    text: str
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ChatRow(SQLModel, table=True):
    __tablename__ = "chat"
    id: int | None = Field(default=None, primary_key=True)
    thread_id: str = Field(index=True)
    role: str
    principal: str
    text: str
    evidence_ids: list[str] = _json()
    at_wall: datetime = _instant()


class HeadlineRow(SQLModel, table=True):
    """Headlines a run has seen, kept for the text screens and for replay."""

    __tablename__ = "headlines"
    run_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    known_at: datetime = _instant()
    body: Headline = _body(Headline)
