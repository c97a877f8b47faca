"""A loopback endpoint that speaks the OpenAI chat completions protocol, well or badly. Written from the public API.

    with OpenAIPeer(mode="garbage") as peer:
        model = chat_model(peer.base_url, "key", "tiny", 5.0)

Modes: ok, dead (nothing listens), garbage (200 and no JSON), not_an_object (200 and other JSON), slow (answers after
`delay_s`), wrong_schema, missing (leaves the last candidate out), unknown_id, unauthorized (401 that echoes the key),
error (500), busy (429), refused (a refusal), filtered (content filter), truncated (cut at the length limit),
bad_numbers (prose with a planted number), no_usage (ok without token counts), drip (a good answer, a byte at a time),
tool_calls (asks for tools that do not exist), deep (JSON nested beyond what a parser goes down), half_pair (half of a
surrogate pair, which no UTF-8 holds), false_counts (ok with the token counts of `counts`), and the personalities of
`openai_words`. `script` holds modes for the next requests, first come first served; then `mode` applies.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.peers.openai_words import SPOILERS

PLANTED = "The chance of a gain is 87.31 %."

Line = dict[str, Any]


class OpenAIPeer:
    """One server thread on a free loopback port. Counts every request it accepts."""

    def __init__(self, mode: str = "ok", *, delay_s: float = 30.0, script: Iterable[str] = ()) -> None:
        self.mode = mode
        self.delay_s = delay_s
        self.script = deque(script)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.under_way = self.most_at_once = 0
        self.verdict: Callable[[str], Line] = lambda handle: {"verdict": "keep"}
        self.prose: str | None = None
        self.counts = (0, 0)
        self.intent: dict[str, str] = {"intent": "unknown", "symbol": ""}
        self.remark = ""
        self.noticed: list[str] = []
        self.waits: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.peer = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def calls(self) -> int:
        return len(self.requests)

    @property
    def base_url(self) -> str:
        port = _closed_port() if self.mode == "dead" else self._server.server_address[1]
        return f"http://127.0.0.1:{port}/v1"

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def take(self, body: dict[str, Any], key: str) -> str:
        """Count a request and say in which mode it is answered."""
        with self._lock:
            self.requests.append(body)
            self.keys.append(key)
            return self.script.popleft() if self.script else self.mode

    def wait(self, seconds: float | None = None) -> None:
        self._stopping.wait(self.delay_s if seconds is None else seconds)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count an answer that is under way."""
        with self._lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1

    def content(self, body: dict[str, Any], mode: str) -> str:
        """What the model says: JSON that fits the schema that was asked for, spoilt as the mode wants."""
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        if mode == "half_pair":
            return "\ud83d"
        if mode == "wrong_schema":
            return json.dumps({"opinion": "strong buy", "target_price": 123.45})
        answer = self._answer(schema, _user_text(body), mode)
        if mode in SPOILERS:
            return SPOILERS[mode](answer, "\n".join(str(item["content"]) for item in body["messages"]))
        text = json.dumps(answer)
        return text[: len(text) // 2] if mode == "truncated" else text

    def _answer(self, schema: dict[str, Any], user: str, mode: str) -> Any:
        if _has(schema, "lines"):
            return {"lines": self._lines(schema, mode)}
        if _has(schema, "body"):
            first = re.search(r"(?m)^- \w+ \([^)]*\): (.+)$", user)
            body = (
                self.prose
                if self.prose is not None
                else first.group(1)
                if first
                else "The claims say what is proposed."
            )
            return {"headline": "What is proposed.", "body": f"{body} {PLANTED}" if mode == "bad_numbers" else body}
        if _has(schema, "hypothesis"):
            said = re.search(r"(?m)^Reading: (\w+)$", user)
            words = self.prose if self.prose is not None else "The views may come too late in their moves."
            words = f"{words} {PLANTED}" if mode == "bad_numbers" else words
            return {"reading": said.group(1) if said else "", "hypothesis": words}
        if _has(schema, "hypotheses"):
            return {"hypotheses": self._hypotheses(schema, mode)}
        if _has(schema, "advice"):
            return {"advice": self._advice(schema)}
        if _has(schema, "remark"):
            return {"remark": self.remark}
        if _has(schema, "intent"):
            return self.intent
        return _instance(schema, schema)

    def _hypotheses(self, schema: dict[str, Any], mode: str) -> list[Line]:
        blank = _instance(schema["properties"]["hypotheses"]["items"], schema)
        said = [PLANTED] if mode == "bad_numbers" else self.noticed
        return [{**blank, "severity": "warning", "text": text} for text in said]

    def _advice(self, schema: dict[str, Any]) -> list[Line]:
        item = schema["properties"]["advice"]["items"]
        blank = _instance(item, schema)
        handles = item["properties"]["entry"]["enum"]
        return [{**blank, "entry": one, "say": "wait" if one in self.waits else "ask"} for one in handles]

    def _lines(self, schema: dict[str, Any], mode: str) -> list[Line]:
        item = _resolve(schema["properties"]["lines"]["items"], schema)
        blank = _instance(item, schema)
        handles = list(item["properties"]["candidate"]["enum"])
        if mode == "missing":
            handles = handles[:-1]
        lines: list[Line] = [
            {
                **blank,
                "reason": "sound",
                "evidence": [],
                "rationale": "Looked at.",
                "candidate": handle,
                **self.verdict(handle),
            }
            for handle in handles
        ]
        if mode == "unknown_id":
            lines[-1]["candidate"] = "c99"
        if mode == "bad_numbers":
            lines = [{**line, "rationale": PLANTED} for line in lines]
        return lines


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    peer: OpenAIPeer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing on the console of a test."""

    def do_GET(self) -> None:
        self._send(200, json.dumps({"object": "list", "data": [{"id": "peer", "object": "model"}]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        peer = self.server.peer
        mode = peer.take(body, key)
        with peer.counted():
            self._answer(peer, body, mode, key)

    def _answer(self, peer: OpenAIPeer, body: dict[str, Any], mode: str, key: str) -> None:
        if mode == "slow":
            peer.wait()
        if mode in _STATUS:
            message = f"Incorrect API key provided: {key}" if mode == "unauthorized" else f"the peer is in mode {mode}"
            self._send(_STATUS[mode], json.dumps({"error": {"message": message, "type": mode, "code": mode}}))
        elif mode == "garbage":
            self._send(200, "<html>It works!</html>", "text/html")
        elif mode == "not_an_object":
            self._send(200, json.dumps(["no", "completion"]))
        elif mode == "deep":
            self._send(200, "[" * 100_000)
        else:
            made = _completion(body, peer.content(body, mode), mode)
            if mode == "false_counts":
                made["usage"] = dict(zip(("prompt_tokens", "completion_tokens"), peer.counts, strict=True))
            completion = json.dumps(made)
            self._send(200, completion, drip_s=0.05 if mode == "drip" else 0)

    def _send(self, status: int, text: str, kind: str = "application/json", *, drip_s: float = 0) -> None:
        data = text.encode()
        try:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if not drip_s:
                self.wfile.write(data)
            for place in range(len(data) if drip_s else 0):
                self.wfile.write(data[place : place + 1])
                self.wfile.flush()
                self.server.peer.wait(drip_s)
        except ConnectionError:
            self.close_connection = True


_STATUS = {"unauthorized": 401, "error": 500, "busy": 429}


def _completion(body: dict[str, Any], content: str, mode: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    finish = {"truncated": "length", "filtered": "content_filter", "tool_calls": "tool_calls"}.get(mode, "stop")
    if mode == "refused":
        message = {"role": "assistant", "content": None, "refusal": "I would rather not."}
    if mode == "tool_calls":
        wanted = {"name": "place_order", "arguments": json.dumps({"symbol": "IBM", "quantity": 10**6})}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": wanted}]}
    completion: dict[str, Any] = {
        "id": "chatcmpl-peer", "object": "chat.completion", "created": 1, "model": f"{body['model']}-peer",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
    }  # fmt: skip
    if mode != "no_usage":
        asked, answered = len(json.dumps(body)) // 4, len(content) // 4
        completion["usage"] = {
            "prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered,
        }  # fmt: skip
    return completion


def _user_text(body: dict[str, Any]) -> str:
    return "\n".join(str(item["content"]) for item in body["messages"] if item["role"] == "user")


def _has(schema: dict[str, Any], name: str) -> bool:
    return name in schema.get("properties", {})


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    node: Any = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        node = node[part]
    return dict(node)


def _instance(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The smallest value that fits a schema: first of an enum, empty strings, as many items as are wanted."""
    schema = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _instance(part, root) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [_instance(schema["items"], root) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return "x" * schema.get("minLength", 0)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
