"""Fetching daily bars into the table: only the sessions that are missing, all of them or none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np

from tools.canonical import instant_text
from tools.data.collectors.alpaca_cache import AlpacaCache, Span
from tools.data.collectors.alpaca_client import AlpacaClient, Refused, garbled
from tools.data.collectors.alpaca_notes import Notes
from tools.data.collectors.alpaca_words import NEW_YORK, BarRow, Unusable, bar_rows, opening_of
from tools.data.sessions import Schedule
from tools.errors import RetryableToolError

BARS, SNAPSHOTS = "/stocks/bars", "/stocks/snapshots"
NAMES = 100
PAGE = "10000"
_REFUSED = re.compile(r"invalid symbol: ?([A-Z0-9.\-]+)")


class BarStore:
    """The bars of one feed, in memory and in the cache. `filled` sessions are complete for what was last asked."""

    def __init__(
        self,
        client: AlpacaClient,
        cache: AlpacaCache,
        schedule: Schedule,
        notes: Notes,
        *,
        feed: str,
        benchmark: str,
    ) -> None:
        self._client, self._cache, self._schedule, self._notes = client, cache, schedule, notes
        self._feed, self._benchmark = feed, benchmark
        self._refused: set[str] = set()
        self.filled = 0
        self.table, self._damage = cache.load_bars(schedule.days)

    def fill(self, names: Sequence[str], sessions: int, now: datetime) -> None:
        """Have the first `sessions` sessions of every name; what fails leaves the table and the cache as they were.

        RetryableToolError `no_bars` while the benchmark has none for the last of them: the feed is behind.
        """
        if self._damage is not None:
            self._notes.damaged(*self._damage, now)
            self._damage = None
        self.table.add(names)
        if not sessions:
            return
        first, last = self._schedule.days[0], self._schedule.days[sessions - 1]
        rows: dict[tuple[str, date], BarRow] = {}
        troubles: list[Unusable] = []
        asked: dict[str, Span] = {}
        for span, group in self._missing(dict.fromkeys(names), first, last).items():
            for start in range(0, len(group), NAMES):
                chunk = group[start : start + NAMES]
                troubles += self._ask(chunk, span, rows)
                asked |= {name: Span(first, last) for name in chunk if name not in self._refused}
        if self._benchmark in asked and (self._benchmark, last) not in rows and self._lives(self._benchmark, rows):
            raise RetryableToolError(
                f"Alpaca has no bar of {self._benchmark} for {last} yet, so the bars of that day are not complete; "
                "ask again in some minutes", code="no_bars",
            )  # fmt: skip
        for trouble in troubles:
            self._notes.dropped(trouble.symbol, f"{trouble.day or 'no date'}: {trouble.why}", now)
        if asked:
            for row in rows.values():
                self.table.put(row)
            self.table.spans |= asked
            self._cache.save_bars(self.table, now)
        self.filled = sessions

    def has_history(self, name: str, sessions: int) -> bool:
        """Whether any of the first sessions has a bar of the name."""
        return bool(np.isfinite(self.table.select([name])[3][:sessions]).any())

    def without_history(self, names: Sequence[str], sessions: int, now: datetime) -> dict[str, str]:
        """Names with no bar before the anchor, with the reason; each is noted."""
        found = {}
        for name in names:
            if self.has_history(name, sessions):
                continue
            found[name] = "Alpaca does not know it" if name in self._refused else "it has no bar before the first day"
            self._notes.left_out(name, found[name], now)
        return found

    def _missing(self, names: Mapping[str, None], first: date, last: date) -> dict[Span, list[str]]:
        """Names by the span of sessions that has to be asked for."""
        groups: defaultdict[Span, list[str]] = defaultdict(list)
        for name in names:
            span = self.table.spans.get(name)
            if name in self._refused or (span is not None and span.first <= first and last <= span.last):
                continue
            if span is None or span.first > first or span.last < first:
                groups[Span(first, last)].append(name)
            else:
                groups[Span(self._schedule.days[self.table.rows[span.last] + 1], last)].append(name)
        return dict(groups)

    def _ask(self, names: list[str], span: Span, into: dict[tuple[str, date], BarRow]) -> list[Unusable]:
        days = {day for day in self._schedule.days if span.first <= day <= span.last}
        troubles: list[Unusable] = []
        for row in self._rows(names, span, days, troubles):
            known = into.setdefault((row.symbol, row.day), row)
            if known != row:
                troubles.append(Unusable(row.symbol, row.day, "two different bars for one session"))
        for trouble in troubles:
            if trouble.day is not None:
                into.pop((trouble.symbol, trouble.day), None)
        return troubles

    def _rows(self, names: list[str], span: Span, days: set[date], troubles: list[Unusable]) -> Iterator[BarRow]:
        asked = [name for name in names if name not in self._refused]
        while asked:
            query = {
                "symbols": ",".join(asked), "timeframe": "1Day", "adjustment": "raw", "feed": self._feed,
                "start": instant_text(datetime.combine(span.first, time(), NEW_YORK)),
                "end": instant_text(self._schedule.session(span.last).closes), "limit": PAGE, "sort": "asc",
            }  # fmt: skip
            try:
                pages = list(self._client.pages("stocks", BARS, query))
            except Refused as refused:
                match = _REFUSED.search(refused.said)
                if match is None or match[1] not in asked:
                    raise
                self._refused.add(match[1])
                asked.remove(match[1])
                continue
            for page in pages:
                rows, unusable = bar_rows(page, BARS, days)
                troubles += unusable
                yield from (row for row in rows if row.symbol in asked)
            return

    def _lives(self, name: str, rows: Mapping[tuple[str, date], BarRow]) -> bool:
        """Whether the feed has bars of the name, so that a missing one is a delay and not a wrong name."""
        return name in self.table.spans or any(symbol == name for symbol, _ in rows)


def opening_prices(client: AlpacaClient, names: Sequence[str], day: date, feed: str) -> dict[str, Decimal]:
    """The open of the daily bar in progress of every name that has traded on `day`."""
    found = {}
    for symbol, snapshot in snapshots(client, names, feed).items():
        if (price := opening_of(snapshot, day)) is not None:
            found[symbol] = price
    return found


def snapshots(client: AlpacaClient, names: Sequence[str], feed: str) -> dict[str, object]:
    """The latest trade and bars of each name, as Alpaca writes them."""
    found: dict[str, object] = {}
    for first in range(0, len(names), NAMES):
        chunk = names[first : first + NAMES]
        answer = client.get("stocks", SNAPSHOTS, {"symbols": ",".join(chunk), "feed": feed})
        if not isinstance(answer, dict):
            raise garbled(SNAPSHOTS, "no object")
        found |= {name: answer[name] for name in chunk if name in answer}
    return found


def daily_open(client: AlpacaClient, symbol: str, session_open: datetime, until: datetime, feed: str) -> Decimal | None:
    """The open of one name's daily bar of the session that opened at `session_open`; None for no bar."""
    day = session_open.astimezone(NEW_YORK).date()
    query = {
        "symbols": symbol, "timeframe": "1Day", "adjustment": "raw", "feed": feed, "limit": "10", "sort": "asc",
        "start": instant_text(datetime.combine(day, time(), NEW_YORK)), "end": instant_text(until),
    }  # fmt: skip
    for page in client.pages("stocks", BARS, query):
        for row in bar_rows(page, BARS, {day})[0]:
            if row.symbol == symbol:
                return Decimal(str(row.open))
    return None
