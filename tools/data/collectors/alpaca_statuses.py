"""Alpaca's trading statuses, heard in a thread of its own: who is halted or paused, as long as we are listening.

The stream tells changes only. What held before the connection is therefore not known from it, and after a lost
connection everything is forgotten: a status may have been missed.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from tools.errors import ConfigError

if TYPE_CHECKING:
    from alpaca.data.live.stock import StockDataStream

OPEN_TIMEOUT_S = 10.0
STOPPED = frozenset({"2", "H", "P", "Q"})
"""After these a name does not trade: halt (2 on tapes A and B, H on tape C), volatility pause (P), quotes only (Q)."""

TRADING = frozenset({"3", "T"})
INFORMATION = frozenset({"5", "6", "7", "8", "9", "A", "C", "D", "E", "F"})
"""Codes of tapes A and B that leave trading as it is: indications, imbalances, short sale restriction, price limits."""

Verdict = Literal["stopped", "trading", "quiet"]


class StatusFeed:
    """Listens from `start` to `close` and connects anew by itself. No key is in a repr or in what it keeps."""

    def __init__(
        self,
        key_id: str,
        secret_key: str,
        *,
        feed: Literal["iex", "sip"] = "iex",
        url: str | None = None,
        backoff_s: tuple[float, float] = (1.0, 30.0),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not key_id or not secret_key:
            raise ConfigError("Alpaca's stream needs both halves of the key", code="missing_key")
        self._keys, self._feed, self._url, self._backoff, self._clock = (
            (key_id, secret_key),
            feed,
            url,
            backoff_s,
            clock,
        )
        self._lock = threading.Lock()
        self._heard: dict[str, list[tuple[datetime, str]]] = {}
        self._since: datetime | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"StatusFeed({self._feed})"

    @property
    def since(self) -> datetime | None:
        """Since when nothing can have been missed; None while not listening."""
        with self._lock:
            return self._since

    def verdict(self, symbol: str, as_of: datetime) -> Verdict | None:
        """The last status told up to `as_of`; `quiet` for none, None while not listening or for an unknown code."""
        with self._lock:
            if self._since is None:
                return None
            codes = [code for at, code in self._heard.get(symbol, ()) if at <= as_of and code not in INFORMATION]
        if not codes:
            return "quiet"
        return "stopped" if codes[-1] in STOPPED else "trading" if codes[-1] in TRADING else None

    def start(self) -> None:
        """Listen in a thread until `close`."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="alpaca-statuses", daemon=True)
        self._thread.start()
        ready.wait(OPEN_TIMEOUT_S)

    def close(self) -> None:
        """Stop listening. Before Python 3.12 a cancellation may be lost at the end of `wait_for`, so it is repeated."""
        loop, task, thread = self._loop, self._task, self._thread
        until = time.monotonic() + OPEN_TIMEOUT_S
        while loop and task and thread and thread.is_alive() and time.monotonic() < until:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
            thread.join(0.05)
        self._thread = None

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._task = self._loop.create_task(self._listen())
            ready.set()
            try:
                self._loop.run_until_complete(self._task)
            except asyncio.CancelledError:
                return

    async def _listen(self) -> None:
        from websockets.exceptions import WebSocketException

        failures = (
            OSError,
            TimeoutError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            AttributeError,
            WebSocketException,
        )
        wait = self._backoff[0]
        while True:
            stream = _stream(*self._keys, feed=self._feed, url=self._url)
            try:
                with suppress(*failures):
                    await asyncio.wait_for(_subscribe(stream), OPEN_TIMEOUT_S)
                    self._reset(self._clock())
                    wait = self._backoff[0]
                    async for raw in _socket(stream):
                        for message in _messages(raw):
                            self._take(message)
            finally:
                self._reset(None)
                await _close(stream)
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._backoff[1])

    def _reset(self, since: datetime | None) -> None:
        with self._lock:
            self._heard, self._since = {}, since

    def _take(self, message: dict[str, Any]) -> None:
        at = message["t"]
        moment = at.to_datetime() if hasattr(at, "to_datetime") else datetime.fromisoformat(at)
        with self._lock:
            told = self._heard.setdefault(str(message["S"]), [])
            told.append((moment, str(message["sc"])))
            told.sort(key=lambda item: item[0])


def _messages(raw: bytes) -> Iterator[dict[str, Any]]:
    import msgpack

    for message in msgpack.unpackb(raw):
        if message["T"] == "error":
            raise ValueError("the stream refuses")
        if message["T"] == "s":
            yield message


async def _subscribe(stream: StockDataStream) -> None:
    """Connect, log in, subscribe, and wait until Alpaca says that it listens; only then can nothing be missed."""
    import msgpack

    await stream._start_ws()
    await stream._send_subscribe_msg()
    while True:
        for message in msgpack.unpackb(await _socket(stream).recv()):
            if message["T"] == "error":
                raise ValueError("the subscription is refused")
            if message["T"] == "subscription":
                if not message.get("statuses"):
                    raise ValueError("statuses are not offered")
                return


def _socket(stream: StockDataStream) -> Any:
    return stream._ws


async def _close(stream: StockDataStream) -> None:
    from websockets.exceptions import WebSocketException

    try:
        await asyncio.wait_for(stream.close(), OPEN_TIMEOUT_S)
    except (OSError, TimeoutError, WebSocketException):
        return


def _stream(key_id: str, secret_key: str, *, feed: str, url: str | None) -> StockDataStream:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
        from alpaca.data.enums import DataFeed
        from alpaca.data.live.stock import StockDataStream

    stream = StockDataStream(
        key_id, secret_key, raw_data=True, feed=DataFeed(feed), url_override=url,
        websocket_params={"ping_interval": 5, "ping_timeout": 10, "close_timeout": 2, "max_queue": 1024},
    )  # fmt: skip
    stream.subscribe_trading_statuses(_ignore, "*")
    return stream


async def _ignore(_: Any) -> None:
    """alpaca-py subscribes only when it has a handler; the messages are read from the socket instead."""
