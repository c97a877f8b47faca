"""Cases, questions to people, their answers, and grants."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from memory.columns import CaseBodyJson, Damaged
from memory.tables.fields import instant, json_field, money
from tools.errors import ExecutionError
from tools.types import CaseState, Change, Proposal

OPEN_CASE_STATES = (
    CaseState.DRAFTED, CaseState.AWAITING, CaseState.APPROVED, CaseState.SUBMITTED, CaseState.UNKNOWN,
)  # fmt: skip
_OPEN_SQL = "state IN (" + ", ".join(f"'{state.value}'" for state in OPEN_CASE_STATES) + ")"


class CaseRow(SQLModel, table=True):
    """The life of one proposal. `revision` rises by one with every state change.

    `body` is read through `order` and `change`, which raise ExecutionError (not_an_order, not_a_change, tampered).
    """

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
    review: dict[str, Any] = json_field()
    checks: list[dict[str, Any]] | None = json_field(nullable=True)
    body: Proposal | Change | Damaged = Field(sa_column=Column(CaseBodyJson, nullable=False))
    occasion: str | None = None
    updated_wall: datetime = instant()

    @property
    def order(self) -> Proposal:
        """The order that is proposed."""
        if isinstance(self.body, Proposal):
            return self.body
        raise self._other("an order", "not_an_order")

    @property
    def change(self) -> Change:
        """The change of the desk that is proposed."""
        if isinstance(self.body, Change):
            return self.body
        raise self._other("a change of the desk", "not_a_change")

    @property
    def as_of(self) -> datetime:
        """Desk time of the proposal; the end of the day it was opened when its body is damaged."""
        if isinstance(self.body, Damaged):
            return datetime.combine(self.opened, time.max, UTC)
        return self.body.as_of

    def _other(self, wanted: str, code: str) -> ExecutionError:
        if isinstance(self.body, Damaged):
            return ExecutionError(
                f"the record of case {self.id} was damaged: compare the database with a backup", code="tampered"
            )
        return ExecutionError(f"case {self.id} is a {self.body.kind}, not {wanted}", code=code)


class OverrideRow(SQLModel, table=True):
    """Soft controls that a risk officer asks to be let past for one case; a second person answers the question."""

    __tablename__ = "overrides"
    case_id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    controls: list[str] = json_field()
    principal: str
    reason: str
    asked_wall: datetime = instant()


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
    roles: list[str] = json_field()
    nonce: str
    band_low: Decimal = money()
    band_high: Decimal = money()
    portfolio_hash: str
    exposure: int
    data_sha256: str
    worst_checks: dict[str, Any] = json_field()
    asked_index: int
    expires_index: int
    expires: date
    asked_wall: datetime = instant()
    decided_wall: datetime | None = instant(nullable=True)
    resumed: bool = False
    disposition: str = "ask"
    tier: str = "normal"
    facts: dict[str, Any] = json_field()
    separate: list[str] = json_field()
    evidence_required: bool = False
    review_sampled: bool = False
    expires_wall: datetime | None = instant(nullable=True)
    cooling_off_seconds: int = 0
    not_before_wall: datetime | None = instant(nullable=True)
    escalation: list[dict[str, Any]] = json_field()
    escalation_level: int = 0
    warned: int = 0
    extensions: int = 0
    acknowledged_by: str | None = None
    acknowledged_wall: datetime | None = instant(nullable=True)
    edited_by: str | None = None


class DecisionRow(SQLModel, table=True):
    """One person's answer to one digest. One per approval, person and digest, for ever.

    `on_behalf_of` is who lent them the role that they needed for it.
    """

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("approval_id", "principal", "digest"),)
    id: int | None = Field(default=None, primary_key=True)
    approval_id: str = Field(index=True)
    case_id: str = Field(index=True)
    principal: str
    decision: str
    digest: str
    reason: str
    reason_code: str | None = None
    session_id: str | None = None
    decided_wall: datetime = instant()
    on_behalf_of: str | None = None


class EditRow(SQLModel, table=True):
    """A proposal made smaller or tighter by a person: from which digest to which."""

    __tablename__ = "edits"
    id: int | None = Field(default=None, primary_key=True)
    approval_id: str = Field(index=True)
    principal: str
    old_digest: str
    new_digest: str
    reason: str
    reason_code: str
    edited_wall: datetime = instant()
    on_behalf_of: str | None = None


class QuestionRow(SQLModel, table=True):
    """What a person asked the agent about a waiting case, and the answer."""

    __tablename__ = "questions"
    __table_args__ = (UniqueConstraint("approval_id", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    approval_id: str = Field(index=True)
    case_id: str
    number: int
    principal: str
    question: str
    answer: str
    asked_wall: datetime = instant()


class DelegationRow(SQLModel, table=True):
    """One person lends their role to another for a time."""

    __tablename__ = "delegations"
    id: str = Field(primary_key=True)
    giver: str = Field(index=True)
    delegate: str = Field(index=True)
    starts_wall: datetime = instant()
    ends_wall: datetime = instant()
    ended_wall: datetime | None = instant(nullable=True)
    reason: str
    created_by: str


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
    body: dict[str, Any] = json_field()
    signature: str
    minted_wall: datetime = instant()
    consumed_wall: datetime | None = instant(nullable=True)
