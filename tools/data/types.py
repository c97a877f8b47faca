"""Typed market data and the one Protocol through which everything reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.types import Frozen, Instant, Severity, Sha256, Symbol, Tick


class Instrument(Frozen):
    """A tradable name of the universe."""

    symbol: Symbol
    name: str
    sector: str
    industry: str
    asset_class: Literal["equity"] = "equity"


class Bar(Frozen):
    """One daily bar in raw prices; `volume` in shares. `known_at` is the session's close."""

    symbol: Symbol
    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int = Field(ge=0)
    event_time: Instant
    known_at: Instant


class CorporateAction(Frozen):
    """A dated fact that moves the raw price: `ratio` new shares per old one and `cash` per old share.

    Effective before the open of `ex_date`; known from `known_at` (the announcement).
    """

    symbol: Symbol
    kind: Literal["split", "distribution"]
    ex_date: date
    ratio: Decimal = Field(default=Decimal(1), gt=0)
    cash: Decimal = Field(default=Decimal(0), ge=0)
    known_at: Instant
    note: str


class Observation(Frozen):
    """One value of an index, rate or macro series; `unit` is `points`, `percent` or `usd`."""

    series: str
    kind: Literal["index", "rate", "macro"]
    value: float
    unit: str
    event_time: Instant
    known_at: Instant
    source: str


class Headline(Frozen):
    """One dated headline. Text is untrusted whatever its source."""

    id: str
    text: str
    symbols: tuple[Symbol, ...]
    source_kind: Literal["filing", "press_release", "exchange", "government", "newswire", "synthetic"]
    event_time: Instant
    known_at: Instant


class QualityIssue(Frozen):
    """Something wrong or suspicious in the data at a tick; `value` against `limit`, both in `unit`, made it one."""

    code: Literal[
        "missing_session", "missing_bar", "repaired_bar", "zero_volume", "frozen_price", "unexplained_jump",
        "stale_series", "left_out", "dropped_bar", "damaged_cache", "late_action", "unbooked_action", "clock_back",
    ]  # fmt: skip
    severity: Severity
    symbol: Symbol | None = None
    series: str | None = None
    session: date
    value: float
    limit: float
    unit: Literal["sessions", "rows", "shares", "fraction", "days", "seconds"]
    message: str


class DatasetSummary(Frozen):
    """What a market's data are, for a report or a doctor: repaired rows count the whole file, chosen names or not."""

    label: str
    dataset_sha256: Sha256
    first_session: date
    last_session: date
    sessions: int
    names: int
    missing_sessions: tuple[date, ...]
    repaired_rows: int


@dataclass(frozen=True)
class Panel:
    """Closed daily bars as arrays, split-adjusted as of the clock.

    `sessions` has S dates ascending, `symbols` N names; every array is float64 of shape (S, N).
    Prices in account currency, volume in shares, both on today's share basis.
    """

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def column(self, symbol: str) -> int:
        return self.symbols.index(symbol)


class MarketData(Protocol):
    """The market as known at a moment. No method ever returns what was known later than `as_of`."""

    @property
    def label(self) -> str:
        """What every result must be labelled with, e.g. `survivors only`."""
        ...

    @property
    def dataset_sha256(self) -> str: ...

    @property
    def sessions(self) -> tuple[date, ...]: ...

    @property
    def symbols(self) -> tuple[str, ...]: ...

    def instrument(self, symbol: str) -> Instrument: ...

    def tick(self, session: date, phase: Literal["open", "close"]) -> Tick:
        """The exchange's opening or closing moment of a session, as an aware UTC tick."""
        ...

    def panel(self, as_of: datetime, lookback: int, symbols: Sequence[str] | None = None) -> Panel:
        """The last `lookback` closed sessions; fewer when history is shorter. Raises DataError for none."""
        ...

    def opens(self, tick: Tick) -> dict[str, Decimal]:
        """Raw opening prices of the tick's session; FutureDataError before the open."""
        ...

    def bars(self, session: date, as_of: datetime) -> dict[str, Bar]:
        """Raw bars of a closed session; FutureDataError before its close."""
        ...

    def corporate_actions(self, ex_date: date, as_of: datetime) -> tuple[CorporateAction, ...]:
        """Actions whose ex-date is `ex_date`, if known at `as_of`."""
        ...

    def observations(self, as_of: datetime) -> tuple[Observation, ...]:
        """The latest known value of every index, rate and macro series."""
        ...

    def index_close(self, session: date, as_of: datetime) -> float:
        """Close of the benchmark index; FutureDataError before the session's close."""
        ...

    def headlines(self, since: datetime, as_of: datetime) -> tuple[Headline, ...]:
        """Headlines with `since < known_at <= as_of`, oldest first."""
        ...


@runtime_checkable
class VenueState(Protocol):
    """What a venue says of itself and of its names right now. None is not known, and what is not known blocks.

    Answers come from memory, never from the network, so that they may be asked inside a transaction.
    """

    def clock_skew_seconds(self, now: datetime) -> float | None:
        """The desk's clock minus the venue's, the uncertainty of the measurement added to its size."""
        ...

    def paused(self, symbol: str, as_of: datetime) -> bool | None:
        """Whether trading in the symbol is paused or halted."""
        ...

    def borrow(self, symbol: str) -> bool | None:
        """Whether shares of the symbol can be borrowed easily."""
        ...

    def tradable(self, symbol: str) -> bool | None:
        """Whether the venue takes orders in the symbol at all."""
        ...
