"""What Alpaca says of itself and its names right now: its clock, who trades, who can be borrowed, who is paused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tools.data.collectors.alpaca_bars import snapshots
from tools.data.collectors.alpaca_client import AlpacaClient
from tools.data.collectors.alpaca_statuses import StatusFeed
from tools.data.collectors.alpaca_words import Asset, VenueClock, parsed, parsed_list, traded_at
from tools.data.sessions import Schedule, exchange_sessions, require_aware
from tools.errors import QuarterdeckError

CLOCK, ASSETS = "/clock", "/assets"
EVERY_S = 20.0
ASSETS_EVERY = timedelta(hours=6)
SKEW_GOOD_FOR = timedelta(seconds=90)
ASSETS_GOOD_FOR = timedelta(hours=24)


class _Skew(NamedTuple):
    seconds: float | None
    measured: datetime
    venue: datetime


class AlpacaVenue:
    """`VenueState` from memory. `start` polls in a thread and listens to the statuses; `poll` asks once.

    A measurement that is too old is none. Without `statuses` no name is known to trade, so `paused` is None in the
    hours of a session.
    """

    def __init__(
        self,
        client: AlpacaClient,
        names: Sequence[str],
        *,
        feed: str = "iex",
        statuses: StatusFeed | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        stopwatch: Callable[[], float] = time.monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        self._client, self._names, self._feed, self._statuses = client, tuple(names), feed, statuses
        self._clock, self._stopwatch, self._every_s = clock, stopwatch, every_s
        today = require_aware(clock()).date()
        self._schedule = Schedule(exchange_sessions(today - timedelta(days=14), today + timedelta(days=400)))
        self._skew: _Skew | None = None
        self._assets: dict[str, Asset] = {}
        self._assets_at: datetime | None = None
        self._traded: dict[str, datetime] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.trouble: str | None = None

    def __repr__(self) -> str:
        return f"AlpacaVenue({self._feed}, {len(self._names)} names)"

    def start(self) -> None:
        if self._statuses is not None:
            self._statuses.start()
        self._thread = threading.Thread(target=self._run, name="alpaca-venue", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(self._every_s)
        if self._statuses is not None:
            self._statuses.close()

    def poll(self) -> None:
        """Measure the clock, then look at the assets when they are due, then at the latest trades."""
        self._measure()
        now = self._clock()
        if self._assets_at is None or not timedelta(0) <= now - self._assets_at < ASSETS_EVERY:
            listed = self._client.get("trading", ASSETS, {"status": "active", "asset_class": "us_equity"})
            self._assets = {item.symbol: item for item in parsed_list(Asset, listed, ASSETS)}
            self._assets_at = now
        if self._statuses is not None:
            found = {name: traded_at(item) for name, item in snapshots(self._client, self._names, self._feed).items()}
            self._traded = {name: at for name, at in found.items() if at is not None}

    def clock_skew_seconds(self, now: datetime) -> float | None:
        """This machine's clock minus the venue's, half the round trip added to its size.

        None 90 s after the last measurement, and while the venue's own clock has gone back.
        """
        skew = self._skew
        if skew is None or not timedelta(0) <= now - skew.measured <= SKEW_GOOD_FOR:
            return None
        return skew.seconds

    def paused(self, symbol: str, as_of: datetime) -> bool | None:
        """True after a halt or pause was told. Without one: False outside the hours of a session (a volatility pause
        exists within them only), and within them when we have been listening since the open or the name has traded
        since we listen; else None.
        """
        verdict = None if self._statuses is None else self._statuses.verdict(symbol, as_of)
        if verdict in ("stopped", "trading"):
            return verdict == "stopped"
        opened = self._schedule.opened(as_of)
        if opened == self._schedule.closed(as_of):
            return False
        since = None if self._statuses is None else self._statuses.since
        if verdict is None or since is None:
            return None
        traded = self._traded.get(symbol)
        return False if since <= self._schedule.sessions[opened - 1].opens or (traded and traded >= since) else None

    def borrow(self, symbol: str) -> bool | None:
        """Whether the venue lists the name as shortable and easy to borrow."""
        if not self._assets_known():
            return None
        asset = self._assets.get(symbol)
        return asset is not None and asset.shortable and asset.easy_to_borrow

    def tradable(self, symbol: str) -> bool | None:
        if not self._assets_known():
            return None
        asset = self._assets.get(symbol)
        return asset is not None and asset.tradable and asset.status == "active"

    def _measure(self) -> None:
        begun, started = self._clock(), self._stopwatch()
        answer = self._client.get("trading", CLOCK)
        trip = max(0.0, self._stopwatch() - started)
        venue = parsed(VenueClock, answer, CLOCK).timestamp
        if self._skew is not None and venue < self._skew.venue:
            self._skew = _Skew(None, begun, venue)
            return
        seconds = (begun - venue).total_seconds() + trip / 2
        self._skew = _Skew(seconds + (trip / 2 if seconds >= 0 else -trip / 2), begun, venue)

    def _assets_known(self) -> bool:
        at = self._assets_at
        return at is not None and timedelta(0) <= self._clock() - at <= ASSETS_GOOD_FOR

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.poll()
                self.trouble = None
            except QuarterdeckError as error:
                self.trouble = error.message
            self._stopping.wait(self._every_s)
