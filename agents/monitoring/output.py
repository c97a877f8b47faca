"""What the monitoring agent may find, and the closed answer of a model that looks beside its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import Field

from agents.opinion import Closed

FindingCode = Literal[
    "data_old", "data_quality", "drawdown", "concentration", "concentration_creep", "near_limit", "budget",
    "abstentions", "dissent", "vetoes", "brief_length", "prompt_length", "component_silent", "degraded", "fatigue",
    "over_limit", "model_noticed",
]  # fmt: skip
Rule = Literal["threshold", "repeated", "unusual", "shift", "hypothesis"]
"""Which kind of rule fired: a limit, often in a row, against its own weekday, a change-point; or a model's guess."""

MOST_NOTICED: Final = 3
MOST_TEXT: Final = 240
LookAt = Literal["data", "positions", "limits", "models", "queue", "nothing_yet"]
LOOK_AT: Final[Mapping[LookAt, str]] = {
    "data": "Look at the data and their source; no rule has confirmed this.",
    "positions": "Look at the open positions; no rule has confirmed this.",
    "limits": "Look at what is near its limit; no rule has confirmed this.",
    "models": "Look at what the agents did; no rule has confirmed this.",
    "queue": "Look at how people answer; no rule has confirmed this.",
    "nothing_yet": "Watch whether a rule confirms it.",
}


class Hypothesis(Closed):
    """One guess about one fact. Nothing in it stops or allows anything."""

    fact: str = Field(max_length=8)
    severity: Literal["info", "warning"]
    look_at: LookAt
    text: str = Field(max_length=MOST_TEXT)


class Noticed(Closed):
    """What a model noticed beside the rules; usually nothing."""

    hypotheses: list[Hypothesis] = Field(max_length=MOST_NOTICED)


def noticed_schema(facts: Sequence[str]) -> dict[str, Any]:
    """Narrow the answer's JSON schema to the handles of one brief."""
    item = Hypothesis.model_json_schema()
    item["properties"]["fact"] = {"type": "string", "enum": list(facts)}
    return {
        "title": "Noticed", "type": "object", "required": ["hypotheses"], "additionalProperties": False,
        "properties": {"hypotheses": {"type": "array", "items": item, "maxItems": MOST_NOTICED}},
    }  # fmt: skip
