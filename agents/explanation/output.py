"""The claim graph: what is claimed, the evidence under each claim, and where each number of it stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from agents.opinion import AbstainReason, Closed
from tools.canonical import content_sha256
from tools.risk.types import Check, Counterfactual
from tools.types import Frozen, RecalledCase

ClaimKind = Literal[
    "thesis", "sizing", "view", "constraint", "control", "review", "dissent", "counterfactual", "similar_case",
    "portfolio", "market", "headline", "finding", "unknown", "data_age", "what_if",
    "lesson",
]  # fmt: skip

Unit = Literal["fraction", "percent", "money", "quantity", "sessions", "hours", "count", "plain"]
"""What a payload value measures. `fraction` is shown as percent or bps; `percent` is stored as percent."""


class NumberRef(Frozen):
    """One number as written in a claim, and the payload value it stands for (JSON pointer, RFC 6901)."""

    text: str
    value: Decimal
    unit: Unit
    evidence_id: str
    pointer: str


class Claim(Frozen):
    """One sentence or two, the evidence they rest on, and every number in them resolved."""

    id: str
    kind: ClaimKind
    text: str
    evidence_ids: tuple[str, ...]
    numbers: tuple[NumberRef, ...] = ()
    taint: bool = False


class ExplanationStats(Frozen):
    """Counts. `unresolved` is zero unless there is a bug; `dropped` counts texts left out for a number in them."""

    claims: int
    numbers: int
    unresolved: int
    dropped: int


class Explanation(Frozen):
    """Why one case is what it is. `prose` only renders the claims; its hash is bound into the approval (P4)."""

    case_id: str
    proposal_id: str
    proposal_digest: str
    claims: tuple[Claim, ...]
    binding_constraint: Check | None
    counterfactuals: tuple[Counterfactual, ...]
    dissent: str | None
    unknowns: tuple[str, ...]
    similar_cases: tuple[RecalledCase, ...]
    prose: str
    reasoner: Literal["rules", "model"]
    model_abstained: AbstainReason | Literal["unresolved_number"] | None = Field(
        default=None, description="why the prose is not the model's although a model was asked"
    )
    stats: ExplanationStats

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical explanation."""
        return content_sha256(self)


MAX_HEADLINE = 160
MAX_BODY = 1600


class Prose(Closed):
    """What the model may write."""

    headline: str = Field(min_length=1, max_length=MAX_HEADLINE)
    body: str = Field(min_length=1, max_length=MAX_BODY)
