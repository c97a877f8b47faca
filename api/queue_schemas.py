"""What the approval queue takes and answers with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, JsonValue

from api.errors import ErrorBody
from api.schemas import BandBody, Body, BoundExplanation, CaseBody, Text
from pipeline.approvals import DecisionResult, ReasonCode
from pipeline.policy import Policy
from tools.risk.measures.types import WhatIf


class SignatureBody(BaseModel):
    """One answer to the digest now asked; `on_behalf_of` is who lent the role for it."""

    principal: str
    decision: str
    at: datetime
    on_behalf_of: str | None = None


class QuestionBody(BaseModel):
    """What somebody asked the agent about the case."""

    principal: str
    question: str
    answer: str
    at: datetime


class ApprovalBody(BaseModel):
    """What is asked, of how many people, until when. A change of the desk has no price band and no sessions."""

    id: str
    case_id: str
    status: Literal["pending", "approved", "rejected", "expired", "voided"]
    digest: str
    required: int
    given: int
    roles: list[str]
    rule: str
    policy_version: str
    expires: date
    sessions_left: int | None
    asked: datetime
    band: BandBody | None
    case: CaseBody
    explanation: BoundExplanation | None
    tier: str = "normal"
    disposition: str = "ask"
    facts: dict[str, JsonValue] = {}
    expires_wall: datetime | None = None
    not_before: datetime | None = None
    warned: int = 0
    escalation_level: int = 0
    acknowledged_by: str | None = None
    evidence_required: bool = False
    separate: list[str] = []
    edited_by: str | None = None
    signed: list[SignatureBody] = []
    missing: int = 0
    may_sign: bool = True
    may_not_because: str | None = None
    questions: list[QuestionBody] = []
    what_if: WhatIf | None = None


class EditBody(Body):
    """What an edit changes: fewer shares, a tighter stop, or both."""

    quantity: Annotated[int, Field(ge=1)] | None = None
    stop_price: Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=6)] | None = None


class DecisionRequest(Body):
    """A person's answer to one approval. `digest` is the digest of what they saw; `edit` goes with decision edit."""

    decision: Literal["approve", "reject", "edit", "respond"]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: Annotated[Text, Field(max_length=2000)]
    reason_code: ReasonCode | None = None
    edit: EditBody | None = None


class BulkItem(Body):
    """One question of a bulk answer."""

    id: str
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BulkRequest(Body):
    """One answer to several questions of one kind, strategy and tier."""

    decision: Literal["approve", "reject"]
    reason: Annotated[Text, Field(max_length=2000)]
    reason_code: ReasonCode | None = None
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=50)]


class BulkOutcome(BaseModel):
    """What became of one question of a bulk answer."""

    id: str
    ok: bool
    result: DecisionResult | None = None
    error: ErrorBody | None = None


class BulkResponse(BaseModel):
    """One outcome per question, in the order asked."""

    results: list[BulkOutcome]


class ReasonRequest(Body):
    """Why."""

    reason: Annotated[Text, Field(max_length=2000)]


class DelegationRequest(Body):
    """Lend a role for a time; wall clock, aware."""

    giver: Annotated[str, Field(alias="from")]
    to: str
    starts: AwareDatetime
    ends: AwareDatetime
    reason: Annotated[Text, Field(max_length=2000)]


class DelegationBody(BaseModel):
    """One delegation."""

    id: str
    giver: Annotated[str, Field(serialization_alias="from")]
    to: str
    starts: datetime
    ends: datetime
    ended: datetime | None
    reason: str
    created_by: str


class DelegationList(BaseModel):
    """All delegations on one page."""

    items: list[DelegationBody]
    next: str | None
    total: int


class PolicyBody(Policy):
    """The policy in force and the hash of its file."""

    sha256: str
