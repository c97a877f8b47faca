"""Domain types that more than one area speaks of. Frozen, closed, defined once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Protocol, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from tools.canonical import content_sha256, plain, stable_id


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("naive datetime: the desk works in aware UTC")
    return value


Instant = Annotated[datetime, AfterValidator(_aware)]
Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9.\-]{0,9}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

Mode = Literal["replay", "paper", "live"]
Phase = Literal["open", "close"]
Side = Literal["buy", "sell"]
RiskEffect = Literal["increases", "reduces", "mixed"]
Severity = Literal["info", "warning", "critical"]
SEVERITY_RANK: Final[Mapping[Severity, int]] = {"info": 0, "warning": 1, "critical": 2}
Verdict = Literal["keep", "veto", "scale", "escalate", "abstain"]


class Frozen(BaseModel):
    """Base of every domain type: immutable, and a field nobody declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tick(Frozen):
    """One moment of a daily session. At `open` only the open is known, at `close` the whole bar."""

    session: date
    phase: Phase
    as_of: Instant


class Clock(Protocol):
    """The desk clock. Markets, horizons and orders run on it; people do not."""

    @property
    def tick(self) -> Tick: ...


EvidenceKind = Literal[
    "bar", "index", "rate", "macro", "headline", "corporate_action", "sentiment", "features", "signal",
    "portfolio", "proposal", "checks", "counterfactual", "recall", "finding", "review", "outcome", "health",
    "sizing", "protection", "what_if", "override", "lesson",
]  # fmt: skip


class Evidence(Frozen):
    """An immutable tool result. `id` follows from the content, so equal results share one row.

    `payload` is plain JSON; money in it is a decimal string, statistics are floats rounded to ten digits.
    `taint` is true when any of it comes from text that a stranger could have written.
    """

    id: str
    kind: EvidenceKind
    source: str
    symbol: str | None = None
    event_time: Instant
    known_at: Instant
    taint: bool = False
    payload: dict[str, JsonValue]
    sha256: Sha256

    @classmethod
    def of(
        cls,
        kind: EvidenceKind,
        source: str,
        payload: dict[str, Any],
        *,
        event_time: datetime,
        known_at: datetime,
        symbol: str | None = None,
        taint: bool = False,
    ) -> Self:
        """Build evidence from a raw payload; rounds, hashes and names it."""
        body: dict[str, JsonValue] = plain(payload)
        digest = content_sha256([kind, source, symbol, event_time, known_at, taint, body])
        return cls(
            id=stable_id("ev", digest), kind=kind, source=source, symbol=symbol, event_time=event_time,
            known_at=known_at, taint=taint, payload=body, sha256=digest,
        )  # fmt: skip


class Signal(Frozen):
    """A directional view from one source. `strength` in [0, 1]; confidences are probabilities."""

    id: str
    source: str
    symbol: Symbol
    direction: Literal["up", "down", "flat"]
    strength: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1)
    calibrated_confidence: float | None = Field(default=None, ge=0, le=1)
    horizon_sessions: int = Field(ge=1)
    as_of: Instant
    reasoning: str
    evidence_ids: tuple[str, ...]
    taint: bool = False
    sha256: Sha256


class PriceBand(Frozen):
    """Prices between which an approval stays good, derived from ATR and the limits file."""

    low: Decimal = Field(gt=0)
    high: Decimal = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"band low {self.low} above high {self.high}")
        return self

    def holds(self, price: Decimal) -> bool:
        return self.low <= price <= self.high


def absent(value: object) -> bool:
    """True for None. A field with `exclude_if=absent` is in no canonical form and no JSON until somebody uses it."""
    return value is None


AlgorithmName = Literal["twap", "vwap"]


class Working(Frozen):
    """How an order is worked: one child at each of the next `sessions` opens.

    `participation` is the most that a child may be of the volume that its session leads one to expect, a fraction.
    """

    algorithm: AlgorithmName
    sessions: int = Field(ge=2, le=20)
    participation: Decimal = Field(default=Decimal("0.05"), gt=0, le=1, max_digits=7, decimal_places=6)


ProposalKind = Literal["order.entry", "order.exit"]
ORDER_KINDS: Final[tuple[str, ...]] = get_args(ProposalKind)


class Proposal(Frozen):
    """A candidate effect computed by tools. Its `digest` is what an approval binds.

    `quantity` is whole shares. `stop_price` is the protective stop planned with an entry (None for exits).
    `factor` is the scale a reviewer applied; the tools recompute `quantity` from it, never the model.
    `working` is None for one order at the next open; an approval binds it with everything else.
    """

    id: str
    run_id: str
    cycle_id: str
    kind: ProposalKind
    strategy: str
    symbol: Symbol
    side: Side
    quantity: int = Field(gt=0)
    reference_price: Decimal = Field(gt=0)
    band: PriceBand
    stop_price: Decimal | None = Field(default=None, gt=0)
    atr: Decimal = Field(gt=0)
    risk_effect: RiskEffect
    horizon_sessions: int = Field(ge=1)
    strength: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1)
    factor: Decimal = Field(default=Decimal(1), gt=0, le=1)
    thesis: str
    evidence_ids: tuple[str, ...]
    taint: bool
    as_of: Instant
    working: Working | None = Field(default=None, exclude_if=absent)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical proposal."""
        return content_sha256(self)

    @property
    def notional(self) -> Decimal:
        """`quantity` times `reference_price`, in account currency."""
        return self.reference_price * self.quantity


LawKind = Literal["limits.activation", "policy.activation"]
LessonKind = Literal["lesson.shadow", "lesson.promotion", "lesson.retirement"]
LESSON_KINDS: Final[tuple[LessonKind, ...]] = get_args(LessonKind)
ChangeKind = Literal[LawKind, LessonKind]
"""What may be changed through the queue. More kinds of governed learning join here."""
DESK: Final = "desk"
"""The strategy of a change: what no strategy proposed concerns the desk."""


class Difference(Frozen):
    """One field that a change moves. Values as text; None is absent. `effect` says what it does to risk."""

    field: str
    before: str | None
    after: str | None
    effect: Literal["tighter", "looser", "unclear", "neutral"]


class Change(Frozen):
    """A candidate change of the desk itself. Its `digest` is what an approval binds.

    `text` is the whole candidate and `after_sha256` its hash; `before_sha256` is what was in force when it was
    proposed, None for nothing. `risk_effect` is "reduces" only when every difference tightens.
    """

    id: str
    run_id: str
    cycle_id: Literal[""] = ""
    kind: ChangeKind
    subject: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.\-]{0,40}$")]
    title: str
    reason: str
    proposer: str
    before_sha256: Sha256 | None
    after_sha256: Sha256
    text: str
    differences: tuple[Difference, ...]
    risk_effect: Literal["increases", "reduces"]
    taint: Literal[False] = False
    evidence_ids: tuple[str, ...]
    as_of: Instant

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical change."""
        return content_sha256(self)

    @property
    def strategy(self) -> str:
        return DESK

    @property
    def symbol(self) -> str:
        """What the change is about, where an order has its symbol: one open change per subject."""
        return self.subject.upper()

    @property
    def side(self) -> str:
        return ""


CaseBody = Annotated[Proposal | Change, Field(discriminator="kind")]


class CaseState(StrEnum):
    """The life of one proposal; see DESIGN section 3."""

    DRAFTED = "drafted"
    NOT_SELECTED = "not_selected"
    BLOCKED = "blocked"
    AWAITING = "awaiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOIDED = "voided"
    SUPERSEDED = "superseded"
    SUBMITTED = "submitted"
    DONE = "done"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    SETTLED = "settled"


class ReviewReason(Frozen):
    """Why a reviewer said what it said, citing evidence."""

    code: str
    text: str
    evidence_ids: tuple[str, ...] = ()


class Review(Frozen):
    """What the decision agent made of one candidate. `factor` scales what increases risk, never above one."""

    proposal_id: str
    verdict: Verdict
    factor: Decimal = Field(default=Decimal(1), ge=0, le=1)
    reasons: tuple[ReviewReason, ...]
    abstain_reason: str | None = None
    reasoner: Literal["rules", "model"] = "rules"
    dissent: str | None = None


class Finding(Frozen):
    """Something the monitoring agent or a rule noticed. `rule` names what fired, `figures` what it compared."""

    id: str
    code: str
    severity: Severity
    component: str
    symbol: str | None = None
    message: str
    recommendation: str
    evidence_ids: tuple[str, ...] = ()
    as_of: Instant
    recommends_halt: bool = False
    rule: str = ""
    figures: Mapping[str, float] = {}


class RecalledCase(Frozen):
    """A similar past case, as memory remembers it. `excess_return` is None until its outcome settled."""

    case_id: str
    symbol: str
    strategy: str
    similarity: float
    state: CaseState
    opened: date
    excess_return: float | None = None
    summary: str


class Outcome(Frozen):
    """What happened to the view of a proposal after its horizon, traded or not.

    Returns are simple returns from `entry_price` to `exit_price`, signed by the side of the view;
    `excess_return` subtracts the index over the same sessions.
    """

    id: str
    proposal_id: str
    case_id: str
    strategy: str
    symbol: Symbol
    side: Side
    disposition: Literal["filled", "refused", "not_selected", "blocked", "unfilled"]
    opened: date
    due: date
    horizon_sessions: int
    entry_price: Decimal
    exit_price: Decimal | None = None
    view_return: float | None = None
    index_return: float | None = None
    excess_return: float | None = None
    settled: bool = False


LessonState = Literal["quarantined", "shadow", "promoted", "retired"]
LessonReading = Literal["not_enough_data", "not_distinguishable", "better", "worse"]


class Lesson(Frozen):
    """A governed learning as it was written: a hypothesis for people to read until they promote it.

    The interval holds the mean with `confidence`, corrected for the `scopes_examined` beside it; `effective_size` and
    `blocks` say what overlap leaves of the sample. `evidence_ids` are outcomes, the newest ones of a large sample;
    `outcomes_sha256` covers all. `hypothesis` are a model's words on these figures; `taint` says that it read what
    people typed. A lesson that an earlier version wrote has none of these.
    """

    id: str
    scope: str
    claim: str
    sample_size: int = Field(ge=0)
    mean_excess_return: float | None = None
    interval_low: float | None = None
    interval_high: float | None = None
    evidence_ids: tuple[str, ...]
    as_of: Instant
    state: LessonState = "quarantined"
    enough_data: bool
    reading: LessonReading | None = None
    effective_size: float | None = None
    blocks: int | None = None
    confidence: float | None = None
    scopes_examined: int | None = None
    outcomes_sha256: Sha256 | None = None
    hypothesis: str | None = None
    reasoner: Literal["rules", "model"] = "rules"
    model_abstained: str | None = None
    taint: bool = False

    @property
    def sha256(self) -> str:
        """Hash of what was written, whatever its state now; fields that a later version adds leave it as it is."""
        return content_sha256(self.model_dump(mode="json", exclude_defaults=True, exclude={"state"}))
