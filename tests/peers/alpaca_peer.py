"""A loopback Alpaca: REST v2 and the trading stream over its own book, well or badly behaved; from the public protocol.

    with AlpacaPeer(seed=7) as peer:
        broker = AlpacaBroker(key_id=KEY, secret_key=SECRET, base_url=peer.base_url, stream_url=peer.stream_url)

`script` holds the faults of the next requests, first come first served; then `rates` are drawn from the seed. A fault
says what happens to the request and to its answer:

    busy, error, unavailable    429, 500, 503, and nothing is done
    timeout_before, die_before  no answer (silence, a closed connection), and nothing is done
    timeout_after, die_after    no answer, and it was done
    error_after, gateway_after  500, 504, and it was done
    garbage_after, cut_after    200 with a page of HTML, 200 cut short; and it was done
    late                        a closed connection, and it is done some requests later
    blind                       done and answered, but look-ups by client id find nothing for a while
    slow                        done and answered, late but in time

The stream's `stream_script` and `stream_rates` know drop, repeat, delay (sent after the next one), disconnect, garbage.
"""

from __future__ import annotations

import json
import queue
import random
import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.peers.alpaca_book import OPEN, AlpacaBook, Json, Refused, asset

KEY, SECRET = "PKPEERPEERPEERPEER00", "a-secret-that-must-never-be-seen"
STATUS = {"busy": 429, "error": 500, "unavailable": 503, "error_after": 500, "gateway_after": 504}
BEFORE = frozenset({"busy", "error", "unavailable", "timeout_before", "die_before"})
WRITES = frozenset({"POST", "PATCH", "DELETE"})
FAULTS = (
    "busy", "error", "unavailable", "timeout_before", "die_before", "timeout_after", "die_after", "error_after",
    "gateway_after", "garbage_after", "cut_after", "late", "blind",
)  # fmt: skip
STREAM_FAULTS = ("drop", "repeat", "delay", "disconnect", "garbage")


class LoopbackServers(ABC):
    """HTTP and a stream on free loopback ports, each in its thread while inside `with`. `hang_s` is how long a silent
    answer keeps its connection."""

    def __init__(self, *, hang_s: float = 0.5, slow_s: float = 0.01) -> None:
        self.hang_s, self.slow_s = hang_s, slow_s
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.peer = self
        self._sockets = serve(self._stream, "127.0.0.1", 0)
        self._threads = [
            threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True),
            threading.Thread(target=self._sockets.serve_forever, daemon=True),
        ]
        self.base_url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.stream_host = f"ws://127.0.0.1:{self._sockets.socket.getsockname()[1]}"

    @abstractmethod
    def _stream(self, connection: ServerConnection) -> None:
        """Serve one listener until it goes away."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._sockets.shutdown()
        for thread in self._threads:
            thread.join(timeout=5)


class AlpacaPeer(LoopbackServers):
    """Two servers over one book."""

    def __init__(self, seed: int = 0, *, hang_s: float = 0.5, slow_s: float = 0.01) -> None:
        super().__init__(hang_s=hang_s, slow_s=slow_s)
        self.retry_after: str | None = None
        self.stream_url = f"{self.stream_host}/stream"
        self.reset(seed)

    def reset(self, seed: int, cash: Decimal = Decimal(100_000)) -> None:
        """Start over with an empty book and no faults."""
        with self.lock:
            prices = {"IBM": Decimal("127.50"), "DELL": Decimal("15.20"), "GE": Decimal("16.01")}
            self.book = AlpacaBook(seed, cash=cash, prices=prices)
            self.random = random.Random(seed + 1)
            self.script: deque[str] = deque()
            self.stream_script: deque[str] = deque()
            self.rates: dict[str, float] = {}
            self.stream_rates: dict[str, float] = {}
            self.lively = False
            self.requests: list[tuple[str, str]] = []
            self.headers: list[dict[str, str]] = []
            self._late: list[tuple[int, Callable[[], Any]]] = []
            self._blind: dict[str, int] = {}
            self._hidden: dict[str, int] = {}
            self._listeners: list[queue.Queue[bytes | None]] = []
            self._delayed: list[bytes | None] = []
            self._told = 0

    def listen(self) -> queue.Queue[bytes | None]:
        """What a listener of the stream gets from now on, faults and all, without a socket; None where it breaks."""
        inbox: queue.Queue[bytes | None] = queue.Queue()
        with self.lock:
            self._listeners.append(inbox)
        return inbox

    def duplicates(self) -> dict[str, int]:
        """Client ids that the book accepted more than once. Must be empty."""
        return {name: count for name, count in self.book.accepted.items() if count > 1}

    def hide_fill(self, activity_id: str, requests: int) -> None:
        """Let an activity become visible only after so many requests for activities."""
        self._hidden[activity_id] = requests

    def calm(self) -> None:
        """No more faults: what was late arrives, what was hidden shows."""
        with self.lock:
            self.script.clear()
            self.rates, self.stream_rates = {}, {}
            for _, action in self._late:
                _try(action)
            self._late, self._blind, self._hidden = [], {}, {}
            self.publish()

    def publish(self) -> None:
        """Send what the book has to tell, as the stream's faults allow."""
        with self.lock:
            fresh, self._told = self.book.updates[self._told :], len(self.book.updates)
            for update in fresh:
                fault = self._draw(self.stream_script, self.stream_rates)
                data = json.dumps(update).encode()
                if fault == "delay":
                    self._delayed.append(data)
                    continue
                sent: dict[str, list[bytes | None]] = {
                    "drop": [], "repeat": [data, data], "garbage": [b"\x00{not json"], "disconnect": [None],
                }  # fmt: skip
                self._send(sent.get(fault, [data]) + self._delayed)
                self._delayed = []

    def step(self, method: str, path: str) -> str:
        """Count a request, let time pass, and say which fault it meets."""
        with self.lock:
            self.requests.append((method, path))
            due = [action for wait, action in self._late if wait <= 0]
            self._late = [(wait - 1, action) for wait, action in self._late if wait > 0]
            for action in due:
                _try(action)
            if self.lively:
                self.book.live()
            return self._draw(self.script, self.rates)

    def carry_out(self, fault: str, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Any]:
        """Do what was asked, now or later, and give the answer that a healthy Alpaca would."""

        def act() -> Any:
            return self._route(method, path, query, body)

        with self.lock:
            if fault == "late" and method in WRITES:
                self._late.append((self.random.randint(1, 4), act))
                return 0, None
            try:
                answer = act()
            except Refused as refused:
                return refused.status, refused.body
            if fault == "blind" and method == "POST":
                self._blind[body["client_order_id"]] = self.random.randint(1, 3)
            self.publish()
            return (204, None) if method == "DELETE" else (200, answer)

    def _route(self, method: str, path: str, query: dict[str, str], body: Json) -> Any:
        book, parts = self.book, path.split("/")
        match method, parts:
            case "GET", ["account"]:
                return book.account()
            case "GET", ["clock"]:
                return book.clock()
            case "GET", ["assets"]:
                return [asset(name) for name in book.listed]
            case "GET", ["positions"]:
                return book.open_positions()
            case "GET", ["account", "activities", "FILL"]:
                return self._activities(query)
            case "GET", ["orders:by_client_order_id"]:
                name = query["client_order_id"]
                if self._blind.get(name, 0) > 0:
                    self._blind[name] -= 1
                    raise Refused(404, 40410000, f"order not found for {name}")
                return {**book.by_client_id(name), "legs": None}
            case "GET", ["orders"]:
                return self._orders(query)
            case "GET", ["orders", order_id]:
                order = book.by_id(order_id)
                return order if query.get("nested") == "true" else {**order, "legs": None}
            case "POST", ["orders"]:
                return book.submit(body)
            case "PATCH", ["orders", order_id]:
                return book.replace(order_id, body)
            case "DELETE", ["orders", order_id]:
                return book.cancel(order_id)
            case _:
                raise Refused(404, None, f"endpoint not found: {method} {path}")

    def _activities(self, query: dict[str, str]) -> list[Json]:
        for name in list(self._hidden):
            self._hidden[name] -= 1
            if self._hidden[name] < 0:
                del self._hidden[name]
        rows = sorted((row for row in self.book.activities if row["id"] not in self._hidden), key=lambda row: row["id"])
        if after := query.get("after"):
            rows = [row for row in rows if row["transaction_time"] > after]
        if query.get("direction") != "asc":
            rows.reverse()
        if token := query.get("page_token"):
            rows = [
                row for row in rows if (row["id"] > token) == (query.get("direction") == "asc") and row["id"] != token
            ]
        return rows[: int(query.get("page_size", "100"))]

    def _orders(self, query: dict[str, str]) -> list[Json]:
        rows = [
            {**row, "legs": None} for row in self.book.orders.values()
            if query.get("status", "open") == "all" or row["status"] in OPEN
        ]  # fmt: skip
        if after := query.get("after"):
            rows = [row for row in rows if row["submitted_at"] > after]
        rows.sort(key=lambda row: row["submitted_at"], reverse=query.get("direction") != "asc")
        return rows[: int(query.get("limit", "50"))]

    def _draw(self, script: deque[str], rates: dict[str, float]) -> str:
        if script:
            return script.popleft()
        roll = self.random.random()
        for fault, rate in rates.items():
            roll -= rate
            if roll < 0:
                return fault
        return "ok"

    def _send(self, data: list[bytes | None]) -> None:
        for listener in self._listeners:
            for item in data:
                listener.put(item)

    def _stream(self, connection: ServerConnection) -> None:
        inbox: queue.Queue[bytes | None] = queue.Queue()
        try:
            login = json.loads(connection.recv())["data"]
            good = (login["key_id"], login["secret_key"]) == (KEY, SECRET)
            status = "authorized" if good else "unauthorized"
            connection.send(json.dumps({"stream": "authorization", "data": {"status": status}}).encode())
            if not good:
                return
            wanted = json.loads(connection.recv())["data"]
            with self.lock:
                self._listeners.append(inbox)
                connection.send(json.dumps({"stream": "listening", "data": wanted}).encode())
            while not self.stopping.is_set():
                try:
                    item = inbox.get(timeout=0.05)
                except queue.Empty:
                    continue
                if item is None:
                    return
                connection.send(item)
        except ConnectionClosed:
            return
        finally:
            with self.lock:
                if inbox in self._listeners:
                    self._listeners.remove(inbox)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    peer: Any
    """An AlpacaPeer, or a peer for reading with the same `step` and `carry_out`."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing on the console of a test."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw, parse_float=str) if raw else {}
        peer, path = self.server.peer, url.path.removeprefix("/v2/")
        peer.headers.append(dict(self.headers))
        fault = peer.step(method, path)
        if (self.headers.get("APCA-API-KEY-ID"), self.headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            self._answer(401, {"message": f"unauthorized: {self.headers.get('APCA-API-SECRET-KEY')}"})
            return
        status, answer = (0, None) if fault in BEFORE else peer.carry_out(fault, method, path, query, body)
        if fault in STATUS:
            self._answer(STATUS[fault], {"message": f"the peer is in fault {fault}"}, retry_after=peer.retry_after)
        elif fault in ("timeout_before", "timeout_after"):
            peer.stopping.wait(peer.hang_s)
            self._die()
        elif fault in ("die_before", "die_after") or status == 0:
            self._die()
        elif fault == "garbage_after":
            self._answer(200, "<html>It works!</html>")
        elif fault == "cut_after":
            self._answer(200, answer, cut=True)
            self._die()
        else:
            if fault == "slow":
                peer.stopping.wait(peer.slow_s)
            self._answer(status, answer)

    def _answer(self, status: int, answer: Any, *, cut: bool = False, retry_after: str | None = None) -> None:
        data = b"" if status == 204 else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data) + (10 if cut else 0)))
            if retry_after is not None:
                self.send_header("retry-after", retry_after)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
        except OSError:
            self.close_connection = True

    def _die(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _try(action: Callable[[], Any]) -> None:
    """Do what came late; nobody waits for the answer."""
    try:
        action()
    except Refused:
        return
