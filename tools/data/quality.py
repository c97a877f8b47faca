"""Look for holes, repairs, frozen prices, split-like jumps and stale series in what a tick can see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tools.data.types import DatasetSummary, MarketData, QualityIssue
from tools.types import Tick

_DAY = 86400.0


@dataclass(frozen=True)
class Thresholds:
    """Limits of the inspection.

    `jump` is the absolute adjusted return, close to close or close to open, above which a move looks like a split
    nobody told us of (3 for 2 gives 0.33). `frozen_sessions` is the run of equal closes that looks like a dead feed.
    `series_days` limits the age of a series' latest value, by series and else by `default_days`; the monthly ones
    allow a month plus their publication lag.
    """

    jump: float = 0.30
    frozen_sessions: int = 6
    default_days: float = 7.0
    series_days: Mapping[str, float] = field(
        default_factory=lambda: {
            "WTI": 14.0, "MOODYS_AAA": 40.0, "MOODYS_BAA": 40.0, "CORE_CPI": 60.0, "CORE_CPI_YOY": 60.0,
        }
    )  # fmt: skip


DEFAULT_THRESHOLDS = Thresholds()


@runtime_checkable
class Traced(Protocol):
    """A market that can say what its source lacked and what was repaired."""

    missing_sessions: tuple[date, ...]
    repaired_rows: int

    def repaired(self, session: date, as_of: datetime) -> tuple[str, ...]: ...


@runtime_checkable
class Noticing(Protocol):
    """A market that reports what it noticed while it fetched."""

    def noticed(self, tick: Tick) -> tuple[QualityIssue, ...]: ...


def inspect(market: MarketData, tick: Tick, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> tuple[QualityIssue, ...]:
    """Every issue visible at `tick`, in a fixed order; empty when the data are sound.

    Prices are compared after adjustment for known corporate actions, so a split the market knows of is no issue.
    """
    found = [*_missing_sessions(market, tick), *_stale_series(market, tick, thresholds)]
    if isinstance(market, Noticing):
        found += market.noticed(tick)
    if tick.phase == "close":
        found += _closed_bars(market, tick, thresholds)
    else:
        found += _opening_gaps(market, tick, thresholds)
    return tuple(sorted(found, key=lambda issue: (issue.code, issue.symbol or "", issue.series or "")))


def summarise(market: MarketData) -> DatasetSummary:
    """What the data are. A market that keeps no trace of repairs and holes reports none."""
    traced = market if isinstance(market, Traced) else None
    return DatasetSummary(
        label=market.label, dataset_sha256=market.dataset_sha256,
        first_session=market.sessions[0], last_session=market.sessions[-1],
        sessions=len(market.sessions), names=len(market.symbols),
        missing_sessions=traced.missing_sessions if traced else (),
        repaired_rows=traced.repaired_rows if traced else 0,
    )  # fmt: skip


def _missing_sessions(market: MarketData, tick: Tick) -> Iterator[QualityIssue]:
    if not isinstance(market, Traced):
        return
    position = market.sessions.index(tick.session)
    if position == 0:
        return
    previous = market.sessions[position - 1]
    holes = [day for day in market.missing_sessions if previous < day < tick.session]
    if holes:
        yield QualityIssue(
            code="missing_session", severity="warning", session=tick.session, value=len(holes), limit=0,
            unit="sessions", message=f"the exchange traded on {_list(holes)} but the data have no bars for it",
        )  # fmt: skip


def _stale_series(market: MarketData, tick: Tick, thresholds: Thresholds) -> Iterator[QualityIssue]:
    for item in market.observations(tick.as_of):
        age = (tick.as_of - item.event_time).total_seconds() / _DAY
        limit = thresholds.series_days.get(item.series, thresholds.default_days)
        if age > limit:
            yield QualityIssue(
                code="stale_series", severity="warning", series=item.series, session=tick.session,
                value=age, limit=limit, unit="days",
                message=f"the latest {item.series} is of {item.event_time.date()}",
            )  # fmt: skip


def _closed_bars(market: MarketData, tick: Tick, thresholds: Thresholds) -> Iterator[QualityIssue]:
    panel = market.panel(tick.as_of, max(2, thresholds.frozen_sessions))
    close, volume = panel.close, panel.volume
    absent = np.isnan(close[-1])
    for symbol in _named(panel.symbols, absent):
        yield _issue("missing_bar", symbol, tick, 1, 0, "rows", "no bar for this session")
    for symbol in _named(panel.symbols, volume[-1] <= 0):
        yield _issue("zero_volume", symbol, tick, 0, 1, "shares", "no share was traded in this session")
    if len(close) >= thresholds.frozen_sessions:
        for symbol in _named(panel.symbols, ~absent & (np.ptp(close, axis=0) == 0)):
            runs = thresholds.frozen_sessions
            yield _issue(
                "frozen_price", symbol, tick, runs, runs, "sessions", f"the close has not moved for {runs} sessions"
            )
    if len(close) >= 2:
        yield from _jumps(panel.symbols, close[-1] / close[-2] - 1, tick, thresholds, "close to close")
    if isinstance(market, Traced):
        for symbol in market.repaired(tick.session, tick.as_of):
            yield _issue("repaired_bar", symbol, tick, 1, 0, "rows",
                         "high or low did not contain the bar and was widened", severity="info")  # fmt: skip


def _opening_gaps(market: MarketData, tick: Tick, thresholds: Thresholds) -> Iterator[QualityIssue]:
    if tick.session == market.sessions[0]:
        return
    panel = market.panel(tick.as_of, 1)
    opens = market.opens(tick)
    for symbol in panel.symbols:
        if symbol not in opens:
            yield _issue("missing_bar", symbol, tick, 1, 0, "rows", "no opening price for this session")
    prices = np.array([float(opens[symbol]) if symbol in opens else np.nan for symbol in panel.symbols])
    yield from _jumps(panel.symbols, prices / panel.close[-1] - 1, tick, thresholds, "close to open")


def _jumps(
    symbols: Sequence[str], moves: NDArray[np.float64], tick: Tick, thresholds: Thresholds, what: str
) -> Iterator[QualityIssue]:
    for column in np.flatnonzero(np.abs(moves) > thresholds.jump).tolist():
        move = float(moves[column])
        yield _issue("unexplained_jump", symbols[column], tick, move, thresholds.jump, "fraction",
                     f"moved {move:+.1%} {what} with no known corporate action")  # fmt: skip


def _named(symbols: Sequence[str], mask: NDArray[np.bool_]) -> list[str]:
    return [symbols[column] for column in np.flatnonzero(mask).tolist()]


def _issue(
    code: str, symbol: str, tick: Tick, value: float, limit: float, unit: str, message: str, severity: str = "warning"
) -> QualityIssue:
    return QualityIssue.model_validate({
        "code": code, "severity": severity, "symbol": symbol, "session": tick.session, "value": value, "limit": limit,
        "unit": unit, "message": message,
    })  # fmt: skip


def _list(days: Sequence[date]) -> str:
    return ", ".join(day.isoformat() for day in days)
