"""A loopback receiver of Standard Webhooks, written from the public convention: checks the signature, keeps ids.

Modes: `ok`, `500`, `410`, `redirect`, `hang` (takes the request and never answers), `drip` (answers one byte a time),
`die` (closes the connection in the middle of the request).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Received(NamedTuple):
    """One request that arrived whole."""

    id: str
    timestamp: int
    body: Any
    genuine: bool
    raw: bytes
    headers: dict[str, str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    peer: WebhookPeer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.server.peer.take(self)

    def do_GET(self) -> None:
        self.server.peer.followed += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class WebhookPeer:
    """`with WebhookPeer(secret) as peer:` listens on a free port; `peer.mode` may change at any time."""

    def __init__(self, secret: str, mode: str = "ok") -> None:
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.mode = mode
        self.received: list[Received] = []
        self.arrived = threading.Event()
        self.followed = 0
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.peer = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def distinct(self) -> set[str]:
        """Delivery ids as a receiver that drops repeats would count them."""
        return {one.id for one in self.received}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def genuine(self, headers: Any, body: bytes) -> bool:
        """Verify as a receiver does: HMAC over id, timestamp and body; a timestamp within five minutes."""
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split(" "))

    def take(self, handler: _Handler) -> None:
        if self.mode == "die":
            self.arrived.set()
            handler.connection.close()
            return
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.received.append(
            Received(
                handler.headers["webhook-id"], int(handler.headers["webhook-timestamp"]), json.loads(body),
                self.genuine(handler.headers, body), body, dict(handler.headers),
            )
        )  # fmt: skip
        self.arrived.set()
        if self.mode == "hang":
            self._over.wait(30)
            return
        if self.mode == "drip":
            while not self._over.wait(0.1):
                handler.wfile.write(b"H")
            return
        status = {"ok": 204, "500": 500, "410": 410, "redirect": 302}[self.mode]
        handler.send_response(status)
        if self.mode == "redirect":
            handler.send_header("location", self.url)
        handler.send_header("content-length", "0")
        handler.end_headers()


def wait_until(condition: Any, timeout_s: float = 10.0) -> None:
    """Wait for something that another thread or process brings about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)
