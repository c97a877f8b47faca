"""What a report of one case holds."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

from agents.explanation.output import Explanation
from api.schemas import CaseDetail
from pipeline.why_not import WhyNot
from tools.risk.types import Counterfactual

Audience = Literal["operator", "regulator"]


class Answered(BaseModel):
    """One person's answer, and how long they had looked before it."""

    principal: str
    on_behalf_of: str | None
    decision: str
    at: datetime
    reason_code: str | None
    reason: str
    digest: str
    seconds_viewed: float | None
    evidence_opened: bool


class Asked(BaseModel):
    """The question as it stood, and what it was bound to."""

    approval_id: str
    status: str
    rule: str
    tier: str
    required: int
    roles: list[str]
    policy_version: str
    policy_sha256: str
    limits_sha256: str
    explanation_sha256: str
    data_sha256: str
    portfolio_sha256: str
    asked: datetime
    decided: datetime | None
    expires: str
    edits: list[dict[str, Any]]
    questions: list[dict[str, Any]]


class Granted(BaseModel):
    """The signed permission."""

    id: str
    status: str
    genuine: bool
    minted: datetime
    consumed: datetime | None
    quantity_budget: int
    quantity_used: int


class DataAge(BaseModel):
    """How old a piece of evidence was when the case was proposed."""

    evidence_id: str
    kind: str
    source: str
    known_at: datetime
    age_hours: float
    taint: bool
    sha256: str


class ModelCall(BaseModel):
    """One call of a model in the cycle or for the case."""

    call: str
    attempt: int
    model: str | None
    prompt: str | None
    prompt_version: str | None
    prompt_sha256: str | None
    input_tokens: int | None
    output_tokens: int | None
    usable: bool
    answer_sha256: str


class Figure(BaseModel):
    """One number of the explanation and the value that it stands for."""

    claim: str
    text: str
    value: Decimal
    unit: str
    evidence_id: str
    pointer: str


class Similar(BaseModel):
    """A past case as it was remembered when this one was explained, and how it had ended by then."""

    case_id: str
    symbol: str
    strategy: str
    opened: date
    state: str
    similarity: float
    excess_return: float | None


class Record(BaseModel):
    """One ledger record of the case."""

    seq: int
    kind: str
    at: datetime
    hash: str


class CaseReport(BaseModel):
    """Everything about one case. `reproduced` is None when its recordings cannot be read; `trouble` then says why."""

    case: CaseDetail
    run_id: str
    run_label: str
    mode: str
    seed: int
    explanation: Explanation | None
    explanation_sha256: str | None
    why: list[str]
    why_not: WhyNot | None
    changes: tuple[Counterfactual, ...]
    similar: list[Similar]
    figures: list[Figure]
    asked: Asked | None
    answers: list[Answered]
    grant: Granted | None
    data: list[DataAge]
    models: list[ModelCall]
    records: list[Record]
    reproduced: bool | None
    trouble: str | None
