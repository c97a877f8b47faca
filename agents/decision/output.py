"""What the decision agent answers: the closed ballot a model fills in, and the codes reviews carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from agents.opinion import Closed
from tools.types import Review

MAX_RATIONALE = 240
FACTORS = (25, 50, 75)

ModelReason = Literal[
    "sound", "text_negative", "instructions_in_text", "illiquid", "too_volatile", "past_cases_poor", "trend_weak",
    "market_stressed", "evidence_conflicts", "evidence_missing", "data_doubtful",
]  # fmt: skip

RuleReason = Literal[
    "sound", "reduces_risk", "text_negative", "tainted_evidence", "illiquid", "too_volatile", "past_cases_poor",
    "data_doubtful", "evidence_missing", "model_silent", "samples", "lesson_against",
]  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One candidate's review beside what made it: the model's own word and the rules'.

    `said` is None where no model was asked; `agreement` is the share of samples that said it, None for one sample.
    """

    review: Review
    ruled: Review
    said: Review | None = None
    agreement: float | None = None


class Line(Closed):
    """A model's word on one candidate. Nothing in it is a price, a size or a limit."""

    candidate: str = Field(max_length=8)
    verdict: Literal["keep", "veto", "scale", "escalate", "abstain"]
    factor_percent: Literal[25, 50, 75]
    reason: ModelReason
    evidence: list[str] = Field(max_length=6)
    rationale: str = Field(max_length=MAX_RATIONALE)


class Ballot(Closed):
    """One line per candidate of a batch."""

    lines: list[Line]


def ballot_schema(candidates: Sequence[str], evidence: Sequence[str]) -> dict[str, Any]:
    """Narrow the ballot's JSON schema to the handles of one batch, so that a grammar can hold a model to them."""
    line = Line.model_json_schema()
    line["properties"]["candidate"] = {"type": "string", "enum": list(candidates)}
    if evidence:
        line["properties"]["evidence"]["items"] = {"type": "string", "enum": list(evidence)}
    return {
        "title": "Ballot",
        "type": "object",
        "properties": {
            "lines": {"type": "array", "items": line, "minItems": len(candidates), "maxItems": len(candidates)}
        },
        "required": ["lines"],
        "additionalProperties": False,
    }
