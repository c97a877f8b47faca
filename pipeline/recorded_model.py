"""Endpoints that answer from recordings: the same question gets the recorded answer or the recorded failure.

Nothing leaves the process. A question that was never asked has no answer here; where a budget was spent that is how it
shows, so it fails as `budget_spent` and the result is then held against what was recorded. `missing` notes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata

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
    counted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was noted of each call, tokens among it, by the same."""
    missing: list[str] = field(default_factory=list)

    async def ask(
        self, messages: Sequence[BaseMessage], request: Mapping[str, Any], max_output_tokens: int
    ) -> AIMessage:
        del messages, max_output_tokens
        key = content_sha256(request)
        said = self.answers.get(key)
        if said is None:
            self.missing.append(key)
            raise RecordedFailure(BUDGET_SPENT)
        usage = _usage(self.counted.get(key, {}))
        if said["abstain"] == "model_refused" and said["content"]:
            return AIMessage(said["content"], additional_kwargs={"refusal": "recorded"}, usage_metadata=usage)
        if said["abstain"]:
            abstain = Abstain(reason=said["abstain"], detail=said["problem"] or "")
            raise RecordedFailure(abstain, passing=bool(said.get("passing")))
        return AIMessage(said["content"], usage_metadata=usage)


def _usage(meta: Mapping[str, Any]) -> UsageMetadata | None:
    asked, answered = (int(meta.get(f"gen_ai.usage.{way}_tokens", 0)) for way in ("input", "output"))
    if not asked + answered:
        return None
    return UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)


def recorded_endpoints(
    rows: Sequence[RecordingRow], answers: Mapping[str, Mapping[str, Any]], missing: list[str] | None = None
) -> dict[Tier, list[RecordedEndpoint]]:
    """The lines of endpoints as the recorded calls of one cycle saw them; one without a name where none was asked."""
    counted = {row.input_sha256: row.meta for row in rows}
    lost = [] if missing is None else missing
    named: dict[Tier, dict[int, str]] = {tier: {} for tier in TIERS}
    for row in rows:
        tier, place = row.meta.get("quarterdeck.tier"), int(row.meta.get("quarterdeck.endpoint", 0))
        for each in TIERS if tier is None else (tier,):
            named[each][place] = str(row.meta["gen_ai.request.model"])
    return {
        tier: [RecordedEndpoint(places.get(place, ""), answers, counted, lost) for place in sorted(places) or [0]]
        for tier, places in named.items()
    }
