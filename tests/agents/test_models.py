from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.tracers.langchain import wait_for_all_tracers
from langsmith import utils as langsmith_utils

from agents.gate import Gate
from agents.models import NO_KEY, LiveEndpoint, chat_model
from agents.opinion import Context
from agents.reasoning import call_structured
from prompts.loader import load
from tests.agents.builders import KEY, Budget, Calls, endpoint, model_context


def _forget_variables() -> None:
    """LangSmith reads its variables once and remembers them."""
    remembered: Any = langsmith_utils.get_env_var
    remembered.cache_clear()


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A loopback server to which nothing may be sent; it notes who calls."""
    hits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_GET = do_PUT = do_PATCH = do_CONNECT = do_POST

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", hits
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def shell(elsewhere: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Variables of other tools that would send state or keys elsewhere if they were heeded."""
    url, hits = elsewhere
    for name, value in {
        "OPENAI_API_KEY": "sk-from-the-shell", "OPENAI_API_BASE": f"{url}/v1", "OPENAI_BASE_URL": f"{url}/v1",
        "LANGSMITH_GATEWAY": url, "HTTP_PROXY": url, "http_proxy": url, "ALL_PROXY": url, "LANGSMITH_TRACING": "true",
        "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_ENDPOINT": url, "LANGSMITH_API_KEY": "ls",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    _forget_variables()
    yield hits
    wait_for_all_tracers()
    _forget_variables()


async def ask(context: Any) -> Any:
    from agents.operator.output import IntentChoice

    prompt = load("operator/intent").render(intents=[("why", "why")], question="why?")
    return await call_structured(context, call="test", prompt=prompt, output=IntentChoice, max_output_tokens=50)


async def test_variables_of_the_shell_redirect_nothing_and_trace_nothing(
    openai_peer: Callable[..., Any], shell: list[str]
) -> None:
    peer = openai_peer()
    context, _ = model_context(peer)
    assert (await ask(context)).calls == 1
    wait_for_all_tracers()
    assert peer.keys == [KEY]
    assert shell == []


async def test_without_a_key_the_shells_key_is_not_sent(openai_peer: Callable[..., Any], shell: list[str]) -> None:
    peer = openai_peer()
    keyless = LiveEndpoint(chat_model(peer.base_url, "", "tiny", 5.0), "tiny", 5.0, Gate(1))
    await ask(Context(reasoner="model", recorder=Calls(), budget=Budget(), endpoints={"fast": [keyless]}))
    assert peer.keys == [NO_KEY]
    assert shell == []


async def test_a_failing_call_is_not_retried_behind_our_back(openai_peer: Callable[..., Any]) -> None:
    peer = openai_peer("error")
    context, calls = model_context(peer)
    await ask(context)
    assert (peer.calls, len(calls.made)) == (1, 1)


async def test_a_live_model_is_out_of_reach_of_every_test() -> None:
    for host in ("192.0.2.1", "api.openai.com"):
        with socket.socket() as way_out, pytest.raises(RuntimeError, match="stay on loopback"):
            way_out.connect((host, 443))
    away = endpoint("http://192.0.2.1/v1")
    with pytest.raises((RuntimeError, ExceptionGroup)):
        await ask(Context(reasoner="model", recorder=Calls(), budget=Budget(), endpoints={"fast": [away]}))
