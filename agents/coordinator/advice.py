"""The closed answer of a model that advises on a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import Field

from agents.opinion import Closed

MOST_RATIONALE: Final = 240


class AdviceLine(Closed):
    """A model's word on one entry that the rules would ask. `place` orders entries of the same rank."""

    entry: str = Field(max_length=8)
    say: Literal["ask", "wait"]
    place: Literal[1, 2, 3, 4, 5, 6, 7, 8, 9]
    reason: Literal["fits", "same_bet", "crowded", "weaker_reason", "text_suspicious"]
    rationale: str = Field(max_length=MOST_RATIONALE)


class Advice(Closed):
    """One line per entry."""

    advice: list[AdviceLine]


def advice_schema(entries: Sequence[str]) -> dict[str, Any]:
    """Narrow the answer's JSON schema to the handles of one cycle."""
    line = AdviceLine.model_json_schema()
    line["properties"]["entry"] = {"type": "string", "enum": list(entries)}
    return {
        "title": "Advice", "type": "object", "required": ["advice"], "additionalProperties": False,
        "properties": {
            "advice": {"type": "array", "items": line, "minItems": len(entries), "maxItems": len(entries)}
        },
    }  # fmt: skip
