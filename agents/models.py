"""The one place where a chat model is made and called, and where its failures get a name."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langsmith import tracing_context
from pydantic import SecretStr

from agents.breaker import Breaker
from agents.gate import Gate
from agents.opinion import Abstain

if TYPE_CHECKING:
    import openai

DEFAULT_BASE_URL = "https://api.openai.com/v1"
NO_KEY = "no-key"
"""Sent where no key is configured, so that a key lying in the shell never reaches another endpoint."""


class KnownFailure(Exception):
    """A failure that has its name already; `passing` when another endpoint may be asked after it."""

    def __init__(self, abstain: Abstain, *, passing: bool = False) -> None:
        super().__init__(abstain.detail)
        self.abstain = abstain
        self.passing = passing


class RecordedFailure(KnownFailure):
    """A failure read back from a recording."""


class BreakerOpen(KnownFailure):
    """The endpoint failed too often in a row: nothing was sent."""


@dataclass(frozen=True)
class LiveEndpoint:
    """A chat model behind a gate and a breaker. `timeout_s` bounds the whole answer from the moment the gate is
    passed, however slowly it drips."""

    model: BaseChatModel
    model_id: str
    timeout_s: float
    gate: Gate
    breaker: Breaker = field(default_factory=Breaker)

    async def ask(
        self, messages: Sequence[BaseMessage], request: Mapping[str, Any], max_output_tokens: int
    ) -> AIMessage:
        """Ask for JSON that fits the schema of the request, without tracing and without callbacks.

        Raises BreakerOpen, and sends nothing, while the endpoint is left alone.
        """
        async with self.gate.place():
            refusal = self.breaker.refusal()
            if refusal is not None:
                raise BreakerOpen(refusal, passing=True)
            tell = self.breaker.given_up
            try:
                answer = await self._send(messages, request, max_output_tokens)
                tell = self.breaker.answered
                return answer
            except call_errors() as error:
                tell = partial(self.breaker.failed, failure(error)) if is_passing(error) else self.breaker.answered
                raise
            finally:
                tell()

    async def _send(
        self, messages: Sequence[BaseMessage], request: Mapping[str, Any], max_output_tokens: int
    ) -> AIMessage:
        runnable = self.model.with_structured_output(
            request["schema"], method="json_schema", strict=True, include_raw=True, max_tokens=max_output_tokens
        )
        with tracing_context(enabled=False):
            async with asyncio.timeout(self.timeout_s):
                reply = cast(dict[str, Any], await runnable.ainvoke(list(messages), config={"callbacks": []}))
        return cast(AIMessage, reply["raw"])


def chat_model(base_url: str | None, api_key: str, model_id: str, timeout_s: float) -> BaseChatModel:
    """Make a ChatOpenAI for any OpenAI-compatible endpoint; nothing is sent yet.

    No retries (an attempt is counted and recorded by its caller), an explicit timeout in seconds, no cache.
    Base URL and key are always given explicitly: environment variables of other tools cannot redirect them.
    A loopback endpoint is reached without the shell's proxy. Connections are not kept, since one engine uses
    the model from several event loops.
    """
    import httpx2
    from langchain_openai import ChatOpenAI

    url = base_url or DEFAULT_BASE_URL
    client = httpx2.AsyncClient(
        base_url=url,
        timeout=timeout_s,
        limits=httpx2.Limits(max_keepalive_connections=0),
        trust_env=not _is_loopback(url),
        verify=_tls(),
    )
    return ChatOpenAI(
        model=model_id,
        base_url=url,
        api_key=SecretStr(api_key or NO_KEY),
        timeout=timeout_s,
        max_retries=0,
        http_async_client=client,
        cache=False,
        use_responses_api=False,
        http_socket_options=(),
    )


def call_errors() -> tuple[type[Exception], ...]:
    """Everything a call to an endpoint that misbehaves has been seen to raise."""
    import openai

    # A 200 with a body that is no completion surfaces from the client as one of the built-in errors.
    raised = (openai.OpenAIError, TimeoutError, ValueError, TypeError, LookupError, AttributeError)
    return (KnownFailure, *raised, ArithmeticError, RecursionError)


def is_passing(error: Exception) -> bool:
    """True when another endpoint may be asked instead: this one is not reached, late, busy or broken."""
    import openai

    match error:
        case KnownFailure():
            return error.passing
        case openai.APIConnectionError() | TimeoutError():
            return True
        case openai.APIStatusError():
            return error.status_code == 429 or error.status_code >= 500
        case _:
            return False


def failure(error: Exception) -> Abstain:
    """Name a failure. The endpoint's own words are left out: they may echo a key."""
    import openai

    match error:
        case KnownFailure():
            return error.abstain
        case openai.APITimeoutError() | TimeoutError():
            return Abstain(reason="timeout", detail="the endpoint did not answer in time")
        case openai.ContentFilterFinishReasonError():
            return Abstain(reason="model_refused", detail="the endpoint's content filter stopped the answer")
        case openai.LengthFinishReasonError():
            return Abstain(reason="schema_invalid", detail="the answer was cut at its length limit")
        case openai.APIStatusError():
            return _by_status(error)
        case openai.APIConnectionError():
            return Abstain(reason="model_unreachable", detail="the endpoint cannot be reached")
        case _:
            return Abstain(reason="schema_invalid", detail=f"the endpoint's answer is no completion ({_name(error)})")


def _by_status(error: openai.APIStatusError) -> Abstain:
    status = error.status_code
    if status in (400, 413, 422):
        return Abstain(reason="model_refused", detail=f"the endpoint refused the request with status {status}")
    return Abstain(reason="model_unreachable", detail=f"the endpoint answered with status {status}")


def _name(error: Exception) -> str:
    return type(error).__name__


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def _tls() -> ssl.SSLContext:
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
