"""Ask a model one closed question: budget, timeout, one repair, fallbacks, every attempt recorded, every failure named.

Meta names follow the OpenTelemetry GenAI conventions where one exists; ours start with `quarterdeck.`.
"""

from __future__ import annotations

import json
import re
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import ValidationError

from agents.models import BreakerOpen, call_errors, failure, is_passing
from agents.opinion import Abstain, Closed, Context, Endpoint, Usage
from prompts.loader import Rendered, load

REPAIRS = 1
BYTES_PER_TOKEN = 3
SHOWN_PROBLEM = 1200
MOST_TOKENS = 100_000_000
"""An endpoint that counts more for one call does not count: what was set aside is spent."""
LONGEST_NAME = 200
BUDGET_SPENT = Abstain(reason="budget_spent", detail="the budget for model calls does not cover the call")
"""Said whichever budget it was: a replay knows only that the question was not asked."""

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


T = TypeVar("T", bound=Closed)


@dataclass(frozen=True)
class Answer(Generic[T]):
    """Valid answers, oldest first. More than one when the first was valid but left something out."""

    values: tuple[T, ...]
    calls: int
    repairs: int

    @property
    def last(self) -> T:
        return self.values[-1]


@dataclass(frozen=True)
class _Attempt:
    """What one call gave: text, or the reason why there is none; `passing` when another endpoint may be asked."""

    request: Mapping[str, Any]
    text: str
    trouble: Abstain | None
    passing: bool
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
    brief as an enum). An endpoint that is down, late, busy or broken is passed over for the next of the prompt's tier
    and not asked again; one that refuses or answers badly is not passed over. Where the budget ends the asking, what
    was reached before stands. Never raises for what a model or its endpoint does: the outcome is an Answer or an
    Abstain with its reason (P3).
    """
    line = context.endpoints.get(prompt.tier, ())
    if not line:
        return Abstain(reason="model_unreachable", detail="no model is configured")
    sent = dict(schema or output.model_json_schema())
    asking = _Asking(context, line, call, prompt, sent, max_output_tokens, case_id)
    messages: list[BaseMessage] = [SystemMessage(prompt.system), HumanMessage(prompt.user)]
    valid: list[T] = []
    trouble: Abstain | None = None
    for turn in range(1 + REPAIRS):
        trouble = None
        while True:
            done = await asking.one_call(messages)
            if done is None:
                return asking.answer(valid) or trouble or BUDGET_SPENT
            answer, problem = _read(done, output)
            complained = complaint(answer) if answer is not None else None
            asking.record(done, problem or complained, is_repair=turn > 0)
            trouble = done.trouble
            if trouble is None or not (done.passing and asking.pass_over(trouble)):
                break
        if answer is not None:
            valid.append(answer)
            if complained is None:
                break
        if trouble is not None and trouble.reason != "schema_invalid":
            break
        trouble = trouble or Abstain(reason="schema_invalid", detail="the answer does not fit the schema")
        wrong = complained or problem or trouble.detail
        repair = load("reasoning/repair").render(problem=wrong[:SHOWN_PROBLEM])
        messages = [*messages, AIMessage(done.text[:4000] or "(nothing)"), HumanMessage(repair.user)]
    return asking.answer(valid) or trouble or BUDGET_SPENT


@dataclass
class _Asking:
    """One question on its way down the line of endpoints."""

    context: Context
    line: Sequence[Endpoint]
    call: str
    prompt: Rendered
    schema: dict[str, Any]
    max_output_tokens: int
    case_id: str | None
    place: int = 0
    calls: int = 0
    repairs: int = 0
    passed: dict[str, str] = field(default_factory=dict)
    """Who was passed over last, and why."""

    def pass_over(self, trouble: Abstain) -> bool:
        """Move on to the next endpoint; False when there is none."""
        if self.place + 1 == len(self.line):
            return False
        asked = self.line[self.place].model_id
        self.passed = {"quarterdeck.fallback.from": asked, "quarterdeck.fallback.reason": trouble.reason}
        self.place += 1
        return True

    def answer(self, valid: Sequence[T]) -> Answer[T] | None:
        return Answer(tuple(valid), self.calls, self.repairs) if valid else None

    async def one_call(self, messages: Sequence[BaseMessage]) -> _Attempt | None:
        """Ask the endpoint whose turn it is; None when the budget does not cover it."""
        endpoint, budget = self.line[self.place], self.context.budget
        most = Usage(_estimate(messages, self.schema), self.max_output_tokens)
        reservation = budget.reserve(self.call, endpoint.model_id, most)
        if reservation is None:
            return None
        request = self._request(messages, endpoint)
        meta = self._meta(endpoint)
        used, cost = most, None
        text, trouble, passing = "", None, False
        started = time.monotonic()
        try:
            raw = await endpoint.ask(messages, request, self.max_output_tokens)
            text = _writable(raw.text) if isinstance(raw, AIMessage) else ""
            details = _details(raw)
            meta |= details
            used = _used(details) or most
            if raw.additional_kwargs.get("refusal"):
                trouble = Abstain(reason="model_refused", detail="the model refused to answer")
        except call_errors() as error:
            trouble, passing = failure(error), is_passing(error)
            sent = not isinstance(error, BreakerOpen)
            used = most if sent and trouble.reason in ("timeout", "schema_invalid") else Usage(0, 0)
            meta |= {"error.type": type(error).__name__, **({} if sent else {"quarterdeck.breaker": "open"})}
        finally:
            cost = budget.settle(reservation, used)
        if trouble is not None and trouble.reason == "budget_spent":  # read back from a recording
            return None
        meta["quarterdeck.latency_ms"] = round((time.monotonic() - started) * 1000)
        if cost is not None:
            meta["quarterdeck.cost"] = str(cost)
        return _Attempt(request, text, trouble, passing, meta)

    def _request(self, messages: Sequence[BaseMessage], endpoint: Endpoint) -> dict[str, Any]:
        """What is recorded and what a recording is found by; the first endpoint and sample are not named in it."""
        apart = {"endpoint": self.place, "sample": self.context.sample}
        return {
            "model": endpoint.model_id,
            "messages": [{"role": message.type, "content": str(message.content)} for message in messages],
            "schema": self.schema,
            **{name: value for name, value in apart.items() if value},
        }

    def _meta(self, endpoint: Endpoint) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": endpoint.model_id,
            "gen_ai.request.max_tokens": self.max_output_tokens,
            "gen_ai.output.type": "json",
            "quarterdeck.prompt.id": self.prompt.prompt_id,
            "quarterdeck.prompt.version": self.prompt.version,
            "quarterdeck.prompt.sha256": self.prompt.sha256,
            "quarterdeck.tier": self.prompt.tier,
            "quarterdeck.endpoint": self.place,
            **self.passed,
        }

    def record(self, done: _Attempt, problem: str | None, *, is_repair: bool) -> None:
        response = {
            "content": done.text,
            "problem": problem,
            "abstain": done.trouble.reason if done.trouble else None,
            **({"passing": True} if done.passing else {}),
        }
        meta = {**done.meta, "quarterdeck.repair": is_repair, "quarterdeck.usable": problem is None}
        self.context.recorder.record_model_call(
            call=self.call, attempt=self.calls, request=done.request, response=response, meta=meta,
            case_id=self.case_id,
        )  # fmt: skip
        self.calls += 1
        self.repairs += is_repair


def shown(text: str) -> str:
    """A model's sentence without control and invisible characters."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(kept.split())


def _writable(text: str) -> str:
    """Text that can be kept: half of a surrogate pair, which no UTF-8 holds, becomes a question mark."""
    return text.encode(errors="replace").decode()


def _details(raw: AIMessage) -> dict[str, Any]:
    """What the endpoint says of its answer. Names are cut, and counts that cannot be are left out."""
    usage: Mapping[str, Any] = raw.usage_metadata or {}
    counts = [usage.get("input_tokens"), usage.get("output_tokens")]
    asked, answered = counts if all(_is_count(value) for value in counts) else (None, None)
    said: dict[str, Any] = {
        "gen_ai.response.model": _name(raw.response_metadata.get("model_name")),
        "gen_ai.response.finish_reasons": [_name(raw.response_metadata.get("finish_reason"))],
        "gen_ai.usage.input_tokens": asked,
        "gen_ai.usage.output_tokens": answered,
    }
    return {name: value for name, value in said.items() if value not in (None, [None])}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS


def _name(value: object) -> str | None:
    return _writable(value)[:LONGEST_NAME] if isinstance(value, str) else None


def _used(meta: Mapping[str, Any]) -> Usage | None:
    """Tokens that the endpoint counted; None where it did not."""
    counted = Usage(
        int(meta.get("gen_ai.usage.input_tokens", 0)), int(meta.get("gen_ai.usage.output_tokens", 0))
    )  # fmt: skip
    return counted if counted.total else None


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


def _estimate(messages: Sequence[BaseMessage], schema: dict[str, Any]) -> int:
    """Tokens that a question may cost at most, counted by bytes of UTF-8: a tokenizer would be a download."""
    size = sum(len(str(message.content).encode()) for message in messages) + len(json.dumps(schema))
    return size // BYTES_PER_TOKEN
