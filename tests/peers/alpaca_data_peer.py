"""A loopback Alpaca for reading: bars, snapshots, corporate actions, news, clock, calendar, assets, and the statuses.

    with AlpacaDataPeer(day) as peer:
        client = AlpacaClient(KEY, SECRET, data_url=peer.base_url, trading_url=peer.base_url)

It tells what is known at `day.now` and nothing else. `script` holds the faults of the next requests, as in
`alpaca_peer`: busy, error, unavailable, timeout_before, die_before, garbage_after, cut_after, slow; and of its own:

    empty            200 with nothing of what was asked
    endless          every page points to itself
    repeat_page      the page comes twice, under another token
    wrong_token      the next page has a token that is refused
    two_bars         the first bar comes a second time with another volume

`spoiled` replaces fields of single bars, e.g. `{("IBM", day): {"c": -1}}`; `unknown` names are refused by name, as
Alpaca does with malformed ones; `hidden` names are left out of every answer.
"""

from __future__ import annotations

import json
import queue
from collections import deque
from datetime import date, datetime, timedelta
from typing import Any

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.peers.alpaca_book import Json, Refused, asset
from tests.peers.alpaca_day import NEW_YORK, AlpacaDay, text
from tests.peers.alpaca_peer import KEY, SECRET, LoopbackServers
from tools.data.types import Bar


class AlpacaDataPeer(LoopbackServers):
    """HTTP and the data stream over one `AlpacaDay`."""

    def __init__(self, day: AlpacaDay, *, hang_s: float = 0.5, slow_s: float = 0.01, page: int = 10_000) -> None:
        super().__init__(hang_s=hang_s, slow_s=slow_s)
        self.page = page
        self.stream_url = f"{self.stream_host}/v2/iex"
        self._listeners: list[queue.Queue[bytes | None]] = []
        self.reset(day)

    def reset(self, day: AlpacaDay) -> None:
        """Start over on a day, with no faults and nothing spoiled."""
        with self.lock:
            self.day = day
            self.retry_after: str | None = None
            self.script: deque[str] = deque()
            self.requests: list[tuple[str, str]] = []
            self.queries: list[tuple[str, dict[str, str]]] = []
            self.headers: list[dict[str, str]] = []
            self.spoiled: dict[tuple[str, date], Json] = {}
            self.unknown: set[str] = set()
            self.hidden: set[str] = set()
            self.actions: dict[str, list[Json]] = {}
            self.articles: list[Json] = []
            self.assets: dict[str, Json] = {}
            self.clock_ahead = timedelta(0)
            self.logins_refused = 0

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries of the requests for one path, in order."""
        return [query for asked, query in self.queries if asked == path]

    def tell_status(self, symbol: str, code: str, at: datetime | None = None) -> None:
        """Send a trading status to everyone who listens."""
        body = {"T": "s", "S": symbol, "sc": code, "sm": "", "rc": "", "rm": "", "z": "C"}
        frame = msgpack.packb([{**body, "t": at or self.day.now}], datetime=True)
        for listener in self._listeners:
            listener.put(frame)

    def hang_up(self) -> None:
        """Close every connection of the stream."""
        for listener in self._listeners:
            listener.put(None)

    def step(self, method: str, path: str) -> str:
        with self.lock:
            self.requests.append((method, path))
            return self.script.popleft() if self.script else "ok"

    def carry_out(self, fault: str, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Any]:
        with self.lock:
            self.queries.append((path, query))
            try:
                return 200, self._route(path, query, fault)
            except Refused as refused:
                return refused.status, refused.body

    def _route(self, path: str, query: dict[str, str], fault: str) -> Any:
        names = [name for name in query.get("symbols", "").split(",") if name]
        for name in names:
            if name in self.unknown:
                raise Refused(400, None, f"invalid symbol: {name}")
        names = [name for name in names if name not in self.hidden]
        match path.split("/"):
            case ["stocks", "bars"]:
                return self._bars(names, query, fault)
            case ["stocks", "snapshots"]:
                return {} if fault == "empty" else self._snapshots(names)
            case ["", "v1", "corporate-actions"]:
                return {"corporate_actions": self._actions(names, query), "next_page_token": None}
            case ["", "v1beta1", "news"]:
                found = [] if fault == "empty" else self._news(names, query)
                rows, token = self._cut(found, query, fault, size=int(query["limit"]))
                return {"news": rows, "next_page_token": token}
            case ["clock"]:
                return {**self.day.clock(), "timestamp": text(self.day.now + self.clock_ahead)}
            case ["calendar"]:
                return self._calendar(query)
            case ["assets"]:
                return self._assets()
            case _:
                raise Refused(404, None, f"endpoint not found: {path}")

    def _bars(self, names: list[str], query: dict[str, str], fault: str) -> Json:
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        rows = []
        for name in sorted(names):
            for session in self.day.schedule.sessions:
                stamp = datetime.combine(session.day, datetime.min.time(), NEW_YORK)
                if not start <= stamp <= end or session.opens > self.day.now:
                    continue
                bar = self.day.bars(session.day).get(name)
                if bar is not None:
                    rows.append((name, self._bar(bar, stamp, whole=session.closes <= self.day.now)))
        if fault == "two_bars":
            rows.insert(1, (rows[0][0], {**rows[0][1], "v": 1}))
        found, token = self._cut([] if fault == "empty" else rows, query, fault, size=min(self.page, 10_000))
        grouped: dict[str, list[Json]] = {}
        for name, raw in found:
            grouped.setdefault(name, []).append(raw)
        return {"bars": grouped, "next_page_token": token}

    def _bar(self, bar: Bar, stamp: datetime, *, whole: bool) -> Json:
        """A daily bar; one that is not closed yet knows its open only."""
        shown = (bar.open, bar.high, bar.low, bar.close) if whole else (bar.open,) * 4
        prices = dict(zip("ohlc", map(float, shown), strict=True))
        found = {"t": text(stamp), **prices, "v": bar.volume if whole else 100, "n": 1, "vw": prices["c"]}
        return {**found, **self.spoiled.get((bar.symbol, stamp.date()), {})}

    def _cut(self, rows: list[Any], query: dict[str, str], fault: str, *, size: int) -> tuple[list[Any], str | None]:
        """One page of the rows and the token of the next. A token names where to go on, and how often it came."""
        token = query.get("page_token", "0.0")
        if token == "wrong":
            raise Refused(400, None, "invalid page_token")
        first, copy = (int(part) for part in token.split("."))
        if fault == "endless":
            return rows[first : first + size], f"{first}.{copy}"
        if fault == "wrong_token":
            return rows[first : first + size], "wrong"
        if fault == "repeat_page":
            return rows[first : first + size], f"{first}.{copy + 1}"
        later = first + size
        return rows[first:later], f"{later}.0" if later < len(rows) else None

    def _snapshots(self, names: list[str]) -> Json:
        opened, closed = self.day.schedule.opened(self.day.now), self.day.schedule.closed(self.day.now)
        if not opened:
            return {}
        session = self.day.schedule.sessions[opened - 1]
        stamp = datetime.combine(session.day, datetime.min.time(), NEW_YORK)
        prices, found = self.day.prices(), {}
        for name in names:
            bar = self.day.bars(session.day).get(name)
            if bar is not None:
                at = self.day.now if opened > closed else session.closes
                found[name] = {
                    "latestTrade": {"t": text(at), "p": float(prices[name]), "s": 100, "x": "V"},
                    "dailyBar": self._bar(bar, stamp, whole=opened == closed), "prevDailyBar": None,
                }  # fmt: skip
        return found

    def _actions(self, names: list[str], query: dict[str, str]) -> dict[str, list[Json]]:
        start, end = date.fromisoformat(query["start"]), date.fromisoformat(query["end"])
        found: dict[str, list[Json]] = {}
        for item in self.day.actions:
            if item.symbol not in names or not start <= item.ex_date <= end or item.known_at > self.day.now:
                continue
            body: Json = {"id": f"{item.symbol}-{item.ex_date}", "symbol": item.symbol, "ex_date": str(item.ex_date)}
            if item.kind == "split":
                found.setdefault("forward_splits", []).append({**body, "old_rate": 1, "new_rate": float(item.ratio)})
            else:
                found.setdefault("cash_dividends", []).append({**body, "rate": float(item.cash), "special": True})
        for kind, items in self.actions.items():
            found.setdefault(kind, []).extend(items)
        return found

    def _news(self, names: list[str], query: dict[str, str]) -> list[Json]:
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        rows: list[Json] = [
            {
                "id": number, "headline": item.text, "created_at": text(item.known_at),
                "updated_at": text(item.known_at), "symbols": list(item.symbols), "source": "peer", "author": "",
                "summary": "", "content": "", "url": None,
            }
            for number, item in enumerate(self.day.headlines)
        ] + self.articles  # fmt: skip
        return [
            row for row in rows
            if start <= datetime.fromisoformat(row["updated_at"]) <= min(end, self.day.now)
            and set(names) & set(row["symbols"])
        ]  # fmt: skip

    def _calendar(self, query: dict[str, str]) -> list[Json]:
        return [
            {
                "date": str(item.day), "open": f"{item.opens.astimezone(NEW_YORK):%H:%M}",
                "close": f"{item.closes.astimezone(NEW_YORK):%H:%M}",
            }
            for item in self.day.schedule.sessions
            if query.get("start", "") <= str(item.day) <= query.get("end", "9999")
        ]  # fmt: skip

    def _assets(self) -> list[Json]:
        listed = (name for name in (*self.day.symbols, "SPY") if name not in self.unknown | self.hidden)
        return [asset(name, **self.assets.get(name, {})) for name in listed]

    def _stream(self, connection: ServerConnection) -> None:
        """The data stream: hello, login, subscription, then statuses."""
        inbox: queue.Queue[bytes | None] = queue.Queue()
        try:
            connection.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
            login = msgpack.unpackb(_bytes(connection.recv()))
            if (login["key"], login["secret"]) != (KEY, SECRET):
                self.logins_refused += 1
                connection.send(msgpack.packb([{"T": "error", "code": 402, "msg": "auth failed"}]))
                return
            connection.send(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
            wanted = msgpack.unpackb(_bytes(connection.recv()))
            self._listeners.append(inbox)
            connection.send(msgpack.packb([{"T": "subscription", "statuses": wanted.get("statuses", [])}]))
            while not self.stopping.is_set():
                try:
                    item = inbox.get(timeout=0.02)
                except queue.Empty:
                    continue
                if item is None:
                    return
                connection.send(item)
        except ConnectionClosed:
            return
        finally:
            if inbox in self._listeners:
                self._listeners.remove(inbox)


def _bytes(data: str | bytes) -> bytes:
    return data if isinstance(data, bytes) else json.dumps(data).encode()
