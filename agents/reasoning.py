"""Ask a model one closed question: budget, timeout, one repair, every attempt recorded, every failure named.

Meta names follow the OpenTelemetry GenAI conventions where one exists; ours start with `quarterdeck.`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langsmith import tracing_context
from pydantic import BaseModel, ConfigDict, ValidationError

from agents.models import call_errors, failure
from agents.opinion import Abstain, Context
from prompts.loader import Rendered, load

REPAIRS = 1
CHARACTERS_PER_TOKEN = 3
SHOWN_PROBLEM = 1200

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


class Closed(BaseModel):
    """Base of what a model may answer: no field beyond the declared ones, nothing coerced afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


T = TypeVar("T", bound=Closed)


@dataclass(frozen=True)
class Answer(Generic[T]):
    """Valid answers, oldest first. More than one when the first was valid but left something out."""

    values: tuple[T, ...]
    calls: int

    @property
    def last(self) -> T:
        return self.values[-1]

    @property
    def repairs(self) -> int:
        return self.calls - 1


@dataclass(frozen=True)
class _Attempt:
    """What one call gave: text, or the reason why there is none."""

    text: str
    trouble: Abstain | None
    meta: Mapping[str, Any]


async def call_structured(
    context: Context,
    *,
    call: str,
    prompt: Rendered,
    output: type[T],
    max_output_tokens: int,
    schema: Mapping[str, Any] | None = None,
    complaint: Callable[[T], str | None] = lambda _: None,
    case_id: str | None = None,
) -> Answer[T] | Abstain:
    """Ask once, and once more when the answer breaks the schema or `complaint` finds something missing.

    `schema` is the JSON schema to send where it is narrower than the one of `output` (e.g. with the ids of this
    brief as an enum). An endpoint that is down, late or refusing is not asked again. Never raises for what a model
    or its endpoint does: the outcome is an Answer or an Abstain with its reason (P3).
    """
    if context.model is None:
        return Abstain(reason="model_unreachable", detail="no model is configured")
    sent = dict(schema or output.model_json_schema())
    messages: list[BaseMessage] = [SystemMessage(prompt.system), HumanMessage(prompt.user)]
    valid: list[T] = []
    trouble = Abstain(reason="schema_invalid", detail="no usable answer")
    for attempt in range(1 + REPAIRS):
        cost = _estimate(messages, sent, max_output_tokens)
        if not context.budget.reserve(cost):
            trouble = Abstain(reason="budget_spent", detail="the token budget of this run does not cover the call")
            return Answer(tuple(valid), attempt) if valid else trouble
        done = await _one_call(context, prompt, messages, sent, max_output_tokens, cost)
        answer, problem = _read(done, output)
        complained = complaint(answer) if answer is not None else None
        _record(context, call, attempt, messages, sent, done, problem or complained, case_id)
        if answer is not None:
            valid.append(answer)
            if complained is None:
                return Answer(tuple(valid), attempt + 1)
        if done.trouble is not None and done.trouble.reason != "schema_invalid":
            return Answer(tuple(valid), attempt + 1) if valid else done.trouble
        wrong = complained or problem or "the answer does not fit the schema"
        trouble = done.trouble or Abstain(reason="schema_invalid", detail="the answer does not fit the schema")
        repair = load("reasoning/repair").render(problem=wrong[:SHOWN_PROBLEM])
        messages = [*messages, AIMessage(done.text[:4000] or "(nothing)"), HumanMessage(repair.user)]
    return Answer(tuple(valid), 1 + REPAIRS) if valid else trouble


async def _one_call(
    context: Context,
    prompt: Rendered,
    messages: list[BaseMessage],
    schema: dict[str, Any],
    max_output_tokens: int,
    reserved: int,
) -> _Attempt:
    assert context.model is not None
    runnable = context.model.with_structured_output(
        schema, method="json_schema", strict=True, include_raw=True, max_tokens=max_output_tokens
    )
    meta: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": context.model_id,
        "gen_ai.request.max_tokens": max_output_tokens,
        "gen_ai.output.type": "json",
        "quarterdeck.prompt.id": prompt.prompt_id,
        "quarterdeck.prompt.version": prompt.version,
        "quarterdeck.prompt.sha256": prompt.sha256,
    }
    used = reserved
    text, trouble = "", None
    started = time.monotonic()
    try:
        with tracing_context(enabled=False):
            async with asyncio.timeout(context.timeout_s):
                reply = cast(dict[str, Any], await runnable.ainvoke(messages, config={"callbacks": []}))
        raw = reply["raw"]
        text = raw.text if isinstance(raw, AIMessage) else ""
        details = _details(raw)
        meta |= details
        used = _tokens(details) or reserved
        if raw.additional_kwargs.get("refusal"):
            trouble = Abstain(reason="model_refused", detail="the model refused to answer")
    except call_errors() as error:
        trouble = failure(error)
        used = reserved if trouble.reason in ("timeout", "schema_invalid") else 0
        meta["error.type"] = type(error).__name__
    finally:
        context.budget.settle(reserved, used)
    meta["quarterdeck.latency_ms"] = round((time.monotonic() - started) * 1000)
    return _Attempt(text, trouble, meta)


def _details(raw: AIMessage) -> dict[str, Any]:
    usage = raw.usage_metadata
    answered: dict[str, Any] = {
        "gen_ai.response.model": raw.response_metadata.get("model_name"),
        "gen_ai.response.finish_reasons": [raw.response_metadata.get("finish_reason")],
        "gen_ai.usage.input_tokens": usage["input_tokens"] if usage else None,
        "gen_ai.usage.output_tokens": usage["output_tokens"] if usage else None,
    }
    return {name: value for name, value in answered.items() if value not in (None, [None])}


def _tokens(meta: Mapping[str, Any]) -> int:
    return int(meta.get("gen_ai.usage.input_tokens", 0)) + int(meta.get("gen_ai.usage.output_tokens", 0))


def _read(done: _Attempt, output: type[T]) -> tuple[T | None, str | None]:
    """Hold the text against the schema; the second value says what is wrong with it."""
    if done.trouble is not None:
        return None, done.trouble.detail
    fenced = _FENCED.match(done.text)
    try:
        return output.model_validate_json(fenced[1] if fenced else done.text), None
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc']) or 'answer'}: {e['msg']}" for e in error.errors()[:8]]
        return None, "; ".join(lines)


def _record(
    context: Context,
    call: str,
    attempt: int,
    messages: list[BaseMessage],
    schema: dict[str, Any],
    done: _Attempt,
    problem: str | None,
    case_id: str | None,
) -> None:
    request = {
        "model": context.model_id,
        "messages": [{"role": message.type, "content": str(message.content)} for message in messages],
        "schema": schema,
    }
    response = {
        "content": done.text,
        "problem": problem,
        "abstain": done.trouble.reason if done.trouble else None,
    }
    meta = {**done.meta, "quarterdeck.repair": attempt > 0, "quarterdeck.usable": problem is None}
    context.recorder.record_model_call(
        call=call, attempt=attempt, request=request, response=response, meta=meta, case_id=case_id
    )


def _estimate(messages: list[BaseMessage], schema: dict[str, Any], max_output_tokens: int) -> int:
    """Tokens a call may cost at most, counted by characters: a tokenizer would be a download."""
    characters = sum(len(str(message.content)) for message in messages) + len(json.dumps(schema))
    return characters // CHARACTERS_PER_TOKEN + max_output_tokens
