"""Endpoints that answer from recordings: the same question gets the recorded answer or the recorded failure.

Nothing leaves the process. A question that was never asked has no answer here; where a budget was spent that is how it
shows, so it fails as `budget_spent` and the result is then held against what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from agents.models import RecordedFailure
from agents.opinion import Abstain
from agents.reasoning import BUDGET_SPENT
from memory.tables import RecordingRow
from prompts.loader import Tier
from tools.canonical import content_sha256

TIERS: tuple[Tier, ...] = ("fast", "deep")


@dataclass(frozen=True)
class RecordedEndpoint:
    """Answers by the hash of the whole request, which holds the messages too: model, place in the line, sample."""

    model_id: str
    answers: Mapping[str, Mapping[str, Any]]
    """Recorded responses (`content`, `problem`, `abstain`, `passing`) by the SHA-256 of the recorded request."""

    async def ask(
        self, messages: Sequence[BaseMessage], request: Mapping[str, Any], max_output_tokens: int
    ) -> AIMessage:
        del messages, max_output_tokens
        said = self.answers.get(content_sha256(request))
        if said is None:
            raise RecordedFailure(BUDGET_SPENT)
        if said["abstain"] == "model_refused" and said["content"]:
            return AIMessage(said["content"], additional_kwargs={"refusal": "recorded"})
        if said["abstain"]:
            abstain = Abstain(reason=said["abstain"], detail=said["problem"] or "")
            raise RecordedFailure(abstain, passing=bool(said.get("passing")))
        return AIMessage(said["content"])


def recorded_endpoints(
    rows: Iterable[RecordingRow], answers: Mapping[str, Mapping[str, Any]]
) -> dict[Tier, list[RecordedEndpoint]]:
    """The lines of endpoints as the recorded calls of one cycle saw them; one without a name where none was asked."""
    named: dict[Tier, dict[int, str]] = {tier: {} for tier in TIERS}
    for row in rows:
        tier, place = row.meta.get("quarterdeck.tier"), int(row.meta.get("quarterdeck.endpoint", 0))
        for each in TIERS if tier is None else (tier,):
            named[each][place] = str(row.meta["gen_ai.request.model"])
    return {
        tier: [RecordedEndpoint(places[place], answers) for place in sorted(places)] or [RecordedEndpoint("", answers)]
        for tier, places in named.items()
    }
