"""A chat model that answers from recordings: the same question gets the recorded answer or the recorded failure.

Nothing leaves the process. A question that was never asked has no answer here; on a run whose token budget was spent
that is how the budget shows, so it fails as `budget_spent` and the result is then held against what was recorded.
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable, RunnableLambda

from agents.models import RecordedFailure
from agents.opinion import Abstain
from tools.canonical import content_sha256


class RecordedModel(BaseChatModel):
    """Answers by the hash of the whole request: model, messages and schema."""

    model_id: str
    answers: dict[str, dict[str, Any]]
    """Recorded responses (`content`, `problem`, `abstain`) by the SHA-256 of the recorded request."""

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def with_structured_output(self, schema: Any, **_: Any) -> Runnable[Any, Any]:
        """A runnable from messages to `{"raw": AIMessage}`, as the real model gives with `include_raw`."""
        return RunnableLambda(lambda messages: {"raw": self._answer(messages, dict(schema))})

    def _answer(self, messages: list[BaseMessage], schema: dict[str, Any]) -> AIMessage:
        request = {
            "model": self.model_id,
            "messages": [{"role": message.type, "content": str(message.content)} for message in messages],
            "schema": schema,
        }
        said = self.answers.get(content_sha256(request))
        if said is None:
            detail = "the token budget of this run does not cover the call"
            raise RecordedFailure(Abstain(reason="budget_spent", detail=detail))
        if said["abstain"] == "model_refused" and said["content"]:
            return AIMessage(said["content"], additional_kwargs={"refusal": "recorded"})
        if said["abstain"]:
            raise RecordedFailure(Abstain(reason=said["abstain"], detail=said["problem"] or ""))
        return AIMessage(said["content"])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("recordings hold structured answers only")
