"""Alpaca's daily bars as the desk's market: fetched once, then only what is missing, and never ahead of the clock.

A daily bar is known at its session's close, and taken when the feed can no longer change it, `settle` later. The
opening price of a session is the open of the feed's daily bar in progress (from the snapshots), later of the settled
bar; a name that has not traded yet has none. Prices stay raw; `panel` adjusts for the actions in effect at the clock.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np

from tools.canonical import content_sha256, instant_text
from tools.data.adjust import Adjustment, adjustment
from tools.data.asof import require_known
from tools.data.collectors.alpaca_actions import ActionBook
from tools.data.collectors.alpaca_bars import BarStore, opening_prices
from tools.data.collectors.alpaca_cache import AlpacaCache
from tools.data.collectors.alpaca_client import AlpacaClient
from tools.data.collectors.alpaca_news import NewsDesk
from tools.data.collectors.alpaca_notes import Notes
from tools.data.panels import adjusted_panel
from tools.data.sessions import Schedule, exchange_sessions, require_aware
from tools.data.types import Bar, CorporateAction, Headline, Instrument, Observation, Panel, QualityIssue, VenueState
from tools.data.universe import unknown_symbol
from tools.errors import ConfigError, DataError, RetryableToolError
from tools.types import Tick

HISTORY, HORIZON = 260, 250
SETTLE = timedelta(minutes=15)
BENCHMARK = "SPY"
UNCLASSIFIED = "Unclassified"
Macro = Callable[[datetime], Sequence[Observation]]


def utc_now() -> datetime:
    return datetime.now(UTC)


class AlpacaMarket:
    """`MarketData`, and `VenueState` when given one, over Alpaca's data.

    `instruments` are the names wished for, with their sectors; `symbols` chooses among them or adds to them (a name
    without a sector counts as one of the sector "Unclassified"). A name that Alpaca does not know, or that has no bar
    before the anchor, is in `left_out` with the reason.

    `anchor` is the first session to be played: `history` sessions lie before it in `sessions`, itself and `horizon`
    more after. Keep it with the run and give it again, or indices and hash move; None is the first session that has
    not opened. `folder` holds the cache. `macro` gives the observations, without it there are none.

    Raises ConfigError for keys, DataError `no_history` when nothing is left or the benchmark is missing,
    RetryableToolError when Alpaca cannot be reached or its bars are not final yet.
    """

    def __init__(
        self,
        client: AlpacaClient,
        folder: Path,
        *,
        instruments: Mapping[str, Instrument],
        symbols: Sequence[str] | None = None,
        anchor: date | None = None,
        feed: Literal["iex", "sip"] = "iex",
        history: int = HISTORY,
        horizon: int = HORIZON,
        benchmark: str = BENCHMARK,
        macro: Macro | None = None,
        venue: VenueState | None = None,
        clock: Callable[[], datetime] = utc_now,
        settle: timedelta = SETTLE,
    ) -> None:
        self._client, self._feed, self._benchmark, self._macro, self._venue = client, feed, benchmark, macro, venue
        self._clock, self._settle = clock, settle
        self._latest = require_aware(clock())
        self._lock = threading.RLock()
        self._schedule, self._played = _window(anchor, self._latest, history, horizon)
        self._notes = Notes(self._schedule)
        wanted = sorted(set(instruments if symbols is None else symbols))
        cache = AlpacaCache(folder, feed=feed)
        self._bars = BarStore(client, cache, self._schedule, self._notes, feed=feed, benchmark=benchmark)
        self._actions = ActionBook(client, cache, self._schedule, self._notes, anchor=self.anchor)
        self._news = NewsDesk(client)
        self._bars.fill([*wanted, benchmark], self._final(self._latest), self._latest)
        self.left_out = self._bars.without_history(wanted, self._played, self._latest)
        self._symbols = tuple(name for name in wanted if name not in self.left_out)
        if not self._symbols or not self._bars.has_history(benchmark, self._played):
            missing = f"{len(wanted)} names" if not self._symbols else f"the benchmark {benchmark}"
            raise DataError(
                f"Alpaca's feed {feed} has no bar before {self.anchor} for {missing}; check feed and symbols",
                code="no_history",
            )
        self._column = {symbol: position for position, symbol in enumerate(self._symbols)}
        self._instruments = {name: instruments.get(name) or _unclassified(name) for name in self._symbols}
        self._opened: dict[date, dict[str, Decimal]] = {}
        self._actions.learn(self._symbols, self._latest)
        self._actions.value(self.anchor, self._latest, feed)
        self._renew()

    def __repr__(self) -> str:
        return f"AlpacaMarket({self._feed}, {len(self._symbols)} names, from {self.anchor})"

    @property
    def label(self) -> str:
        return f"Alpaca {self._feed}, names of today"

    @property
    def dataset_sha256(self) -> str:
        """SHA-256 of what a run begins with: feed, names and every bar up to two sessions before the anchor.

        Later bars do not change it, so a desk may restart on any day; a revised or lost history does.
        """
        sessions = max(0, self._played - 1)
        return content_sha256(
            ["alpaca", self._feed, "raw", self._benchmark, self._bars.table.sha256(self._symbols, sessions)]
        )

    @property
    def anchor(self) -> date:
        """The first session to be played."""
        return self._schedule.days[self._played]

    @property
    def sessions(self) -> tuple[date, ...]:
        """History, the anchor, and the sessions to come up to the horizon."""
        return self._schedule.days

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    def instrument(self, symbol: str) -> Instrument:
        """Name, sector and industry; DataError with code `unknown_symbol`."""
        found = self._instruments.get(symbol)
        if found is None:
            raise unknown_symbol(symbol, self._symbols)
        return found

    def tick(self, session: date, phase: Literal["open", "close"]) -> Tick:
        """The opening or closing moment of a session, early closes included."""
        return self._schedule.tick(session, phase)

    def panel(self, as_of: datetime, lookback: int, symbols: Sequence[str] | None = None) -> Panel:
        """The last `lookback` closed sessions, adjusted for the actions known and in effect at `as_of`; NaN for no bar.

        RetryableToolError `not_final` until the last of them is settled.
        """
        with self._lock:
            self._ready(as_of)
            return adjusted_panel(
                self._schedule, self._column, self._fields, self._adjustments, as_of, lookback, symbols
            )  # fmt: skip

    def opens(self, tick: Tick) -> dict[str, Decimal]:
        """Raw opening prices of the names that have traded; one that was given once does not change.

        FutureDataError before the open by either clock, RetryableToolError `no_opens` while the benchmark has none.
        """
        row = self._schedule.index(tick.session)
        session = self._schedule.sessions[row]
        with self._lock:
            now = self._now()
            for clock in (tick.as_of, now):
                require_known(session.opens, clock, f"the open of {tick.session}")
            if row < self._final(now):
                self._ready(session.closes)
            known = self._opened.setdefault(tick.session, {})
            if row < self._bars.filled:
                for symbol in self._symbols:
                    price = self._fields[0][row, self._column[symbol]]
                    if not np.isnan(price):
                        known.setdefault(symbol, _money(float(price)))
            elif set(self._symbols) - known.keys():
                wanted = dict.fromkeys([*self._symbols, self._benchmark])
                fresh = opening_prices(self._client, tuple(wanted), tick.session, self._feed)
                if self._benchmark not in fresh:
                    raise RetryableToolError(
                        f"Alpaca has no opening price of {self._benchmark} for {tick.session} yet; ask again in a "
                        "moment", code="no_opens",
                    )  # fmt: skip
                for symbol in self._symbols:
                    if symbol in fresh:
                        known.setdefault(symbol, fresh[symbol])
            return dict(known)

    def bars(self, session: date, as_of: datetime) -> dict[str, Bar]:
        """Raw bars of the names that traded in a closed session; FutureDataError before its close."""
        row = self._schedule.index(session)
        moment = self._schedule.sessions[row]
        require_known(moment.closes, as_of, f"the bar of {session}")
        with self._lock:
            self._ready(moment.closes)
            columns = [grid[row].tolist() for grid in self._fields]
        return {
            symbol: Bar(
                symbol=symbol, session=session, open=_money(open_), high=_money(high), low=_money(low),
                close=_money(close), volume=int(volume), event_time=moment.closes, known_at=moment.closes,
            )
            for symbol, open_, high, low, close, volume in zip(self._symbols, *columns, strict=True)
            if not np.isnan(close)
        }  # fmt: skip

    def corporate_actions(self, ex_date: date, as_of: datetime) -> tuple[CorporateAction, ...]:
        """Actions whose ex-date is `ex_date`, if known at `as_of`; see `ActionBook` for when that is."""
        require_aware(as_of)
        with self._lock:
            now = self._now()
            if self._actions.learn(self._symbols, now) | self._actions.value(ex_date, now, self._feed):
                self._renew()
            return tuple(item for item in self._actions.known if item.ex_date == ex_date and item.known_at <= as_of)

    def observations(self, as_of: datetime) -> tuple[Observation, ...]:
        """What the given source of macro data knows at `as_of`; nothing without one."""
        require_aware(as_of)
        found = self._macro(as_of) if self._macro is not None else ()
        return tuple(item for item in found if item.known_at <= as_of)

    def index_close(self, session: date, as_of: datetime) -> float:
        """Raw close of the benchmark, SPY; FutureDataError before the close, DataError `no_benchmark` for a hole."""
        row = self._schedule.index(session)
        closes = self._schedule.sessions[row].closes
        require_known(closes, as_of, f"the index close of {session}")
        with self._lock:
            self._ready(closes)
            value = float(self._bars.table.select([self._benchmark])[3][row, 0])
        if np.isnan(value):
            raise DataError(f"Alpaca has no bar of {self._benchmark} for {session}", code="no_benchmark")
        return value

    def headlines(self, since: datetime, as_of: datetime) -> tuple[Headline, ...]:
        """Headlines with `since < known_at <= as_of`, oldest first, each article once."""
        require_aware(since)
        with self._lock:
            self._news.fetch(self._symbols, since, require_aware(as_of), self._now())
            return self._news.between(since, as_of)

    def noticed(self, tick: Tick) -> tuple[QualityIssue, ...]:
        """What was wrong with what came, reported in the session in which it was noticed."""
        with self._lock:
            return self._notes.of(tick.session)

    def clock_skew_seconds(self, now: datetime) -> float | None:
        return None if self._venue is None else self._venue.clock_skew_seconds(now)

    def paused(self, symbol: str, as_of: datetime) -> bool | None:
        return None if self._venue is None else self._venue.paused(symbol, as_of)

    def borrow(self, symbol: str) -> bool | None:
        return None if self._venue is None else self._venue.borrow(symbol)

    def tradable(self, symbol: str) -> bool | None:
        return None if self._venue is None else self._venue.tradable(symbol)

    def _now(self) -> datetime:
        """The wall clock; one that went back is reported, and what it has not reached again is not known."""
        now = require_aware(self._clock())
        if self._latest - now > timedelta(seconds=1):
            self._notes.clock_back((self._latest - now).total_seconds(), now)
        self._latest = now
        return now

    def _final(self, now: datetime) -> int:
        """How many sessions are settled by the wall clock."""
        return bisect_right([item.closes + self._settle for item in self._schedule.sessions], now)

    def _ready(self, as_of: datetime) -> None:
        """Have the bars of every session closed at `as_of`."""
        closed = self._schedule.closed(as_of)
        if not closed:
            return
        now = self._now()
        last = self._schedule.sessions[closed - 1]
        require_known(last.closes, now, f"the bar of {last.day}")
        if closed <= self._bars.filled:
            return
        if closed > self._final(now):
            raise RetryableToolError(
                f"the bars of {last.day} are final at {instant_text(last.closes + self._settle)}; ask again then",
                code="not_final",
            )
        self._bars.fill([*self._symbols, self._benchmark], self._final(now), now)
        self._actions.learn(self._symbols, now)
        self._renew()

    def _renew(self) -> None:
        """Cut the grids of our names out of the table and compute the factors of the actions anew."""
        self._fields = self._bars.table.select(self._symbols)
        self._adjustments = tuple(self._factors())

    def _factors(self) -> Iterator[Adjustment]:
        for action in self._actions.known:
            row, column = bisect_left(self._schedule.days, action.ex_date), self._column.get(action.symbol)
            if column is None or not 0 < row <= self._bars.filled:
                continue
            close = self._fields[3]
            before = np.flatnonzero(~np.isnan(close[:row, column]))
            if not len(before):
                continue
            carried = close.copy() if before[-1] != row - 1 else close
            carried[row - 1, column] = close[before[-1], column]
            try:
                yield adjustment(action, row, column, carried)
            except ConfigError as error:
                self._notes.unbooked(action.symbol, f"{action.note} on {action.ex_date}: {error.message}", self._latest)


def _window(anchor: date | None, now: datetime, history: int, horizon: int) -> tuple[Schedule, int]:
    """The sessions round the anchor and its position among them."""
    around = anchor or now.date()
    reach = timedelta(days=14)
    exchange = exchange_sessions(
        around - timedelta(days=history * 365 // 250) - reach, around + timedelta(days=horizon * 365 // 250) + reach
    )
    if anchor is None:
        at = bisect_left([item.opens for item in exchange], now)
    else:
        at = bisect_left([item.day for item in exchange], anchor)
    first = max(0, at - history)
    return Schedule(exchange[first : at + horizon + 1]), at - first


def _unclassified(symbol: str) -> Instrument:
    return Instrument(symbol=symbol, name=symbol, sector=UNCLASSIFIED, industry=UNCLASSIFIED)


def _money(value: float) -> Decimal:
    return Decimal(str(value))
