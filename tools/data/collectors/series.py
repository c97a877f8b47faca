"""Index, rate and macro series of the embedded market, each value with the moment it became known.

The macro files hold final values, not first releases. Every series therefore carries a publication lag, stated
in its source, that is no shorter than the real one as far as we know it.
"""

from __future__ import annotations

import csv
import gzip
import io
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from tools.data.types import Observation
from tools.errors import ConfigError

NEW_YORK = ZoneInfo("America/New_York")
BENCHMARK = "SP500"
TREASURY_COLUMNS = {"3month": "UST_3M", "2year": "UST_2Y", "10year": "UST_10Y", "30year": "UST_30Y"}
WTI_LAG_DAYS = 7
YIELD_LAG_DAYS = 5
CPI_LAG_DAYS = 25


@dataclass(frozen=True)
class Series:
    """Observations of one series, ascending by the moment they became known."""

    name: str
    observations: tuple[Observation, ...]

    def latest(self, as_of: datetime) -> Observation | None:
        """The last observation known at `as_of`."""
        position = bisect_right(self.observations, as_of, key=lambda item: item.known_at)
        return self.observations[position - 1] if position else None


@dataclass(frozen=True)
class _Value:
    day: date
    value: float


def index_series(name: str, path: Path, closes: Mapping[date, datetime]) -> Series:
    """Daily closes of an index, known at that session's close; `closes` maps session to closing moment."""
    return Series(name, tuple(
        Observation(series=name, kind="index", value=item.value, unit="points", event_time=closes[item.day],
                    known_at=closes[item.day], source=f"arch {path.name} daily closes, known at the close")
        for item in _daily(path, "Close", closes.__contains__)
    ))  # fmt: skip


def treasury_series(path: Path, first: date, last: date) -> tuple[Series, ...]:
    """Par yields of the Treasury curve in percent, known at 18:00 New York the same day."""
    source = f"zipline-reloaded {path.name} par yields, publication at 18:00 New York assumed"
    found: dict[str, list[Observation]] = {name: [] for name in TREASURY_COLUMNS.values()}
    for row in _rows(path):
        day = _parse_day(path, row["Time Period"][:10])
        if not first <= day <= last:
            continue
        known = datetime.combine(day, time(18), NEW_YORK).astimezone(UTC)
        for column, name in TREASURY_COLUMNS.items():
            if row[column]:
                found[name].append(Observation(
                    series=name, kind="rate", value=round(float(row[column]) * 100, 6), unit="percent",
                    event_time=datetime.combine(day, time(16), NEW_YORK).astimezone(UTC), known_at=known, source=source,
                ))  # fmt: skip
    return tuple(Series(name, tuple(items)) for name, items in found.items())


def oil_series(path: Path, first: date, last: date) -> Series:
    """WTI spot price in dollars a barrel, known a week after its day."""
    source = f"arch {path.name} spot price, final values, lag {WTI_LAG_DAYS} d assumed"
    values = _daily(path, "DCOILWTICO", lambda day: first <= day <= last)
    return Series("WTI", tuple(
        Observation(series="WTI", kind="macro", value=item.value, unit="usd", source=source,
                    event_time=_noon(item.day), known_at=_noon(item.day) + timedelta(days=WTI_LAG_DAYS))
        for item in values
    ))  # fmt: skip


def yield_series(path: Path, first: date, last: date) -> tuple[Series, ...]:
    """Moody's seasoned Aaa and Baa corporate yields, monthly averages in percent."""
    return tuple(
        _monthly(name, path, column, "rate", "percent", YIELD_LAG_DAYS, first, last)
        for name, column in (("MOODYS_AAA", "AAA"), ("MOODYS_BAA", "BAA"))
    )


def inflation_series(path: Path, first: date, last: date) -> tuple[Series, ...]:
    """Core consumer prices: the index, and its change over twelve months in percent."""
    level = _monthly("CORE_CPI", path, "CPILFESL", "macro", "points", CPI_LAG_DAYS, first - timedelta(days=400), last)
    change = tuple(
        now.model_copy(update={
            "series": "CORE_CPI_YOY", "unit": "percent", "value": round((now.value / then.value - 1) * 100, 6),
            "source": now.source + ", change over twelve months computed",
        })
        for then, now in zip(level.observations, level.observations[12:], strict=False)
    )  # fmt: skip
    recent = tuple(item for item in level.observations if item.event_time.date() >= first)
    return Series("CORE_CPI", recent), Series("CORE_CPI_YOY", change)


def _monthly(
    name: str,
    path: Path,
    column: str,
    kind: Literal["rate", "macro"],
    unit: str,
    lag_days: int,
    first: date,
    last: date,
) -> Series:
    source = f"arch {path.name} monthly, final values, lag {lag_days} d after the month assumed"
    items = []
    for item in _daily(path, column, lambda day: first <= day <= last):
        following = date(item.day.year + item.day.month // 12, item.day.month % 12 + 1, 1)
        ended = datetime.combine(following, time(), UTC) - timedelta(seconds=1)
        items.append(Observation(series=name, kind=kind, value=item.value, unit=unit, source=source,
                                 event_time=ended, known_at=ended + timedelta(days=lag_days)))  # fmt: skip
    return Series(name, tuple(items))


def _daily(path: Path, column: str, wanted: Callable[[date], bool]) -> Sequence[_Value]:
    found = []
    for row in _rows(path):
        day = _parse_day(path, row["Date"])
        text = row.get(column, "")
        if wanted(day) and text not in ("", "."):
            found.append(_Value(day, float(text)))
    return found


def _rows(path: Path) -> Iterable[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    return csv.DictReader(io.StringIO(text))


def _parse_day(path: Path, text: str) -> date:
    try:
        if "/" in text:
            month, day, year = text.split("/")
            return date(int(year), int(month), int(day))
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{path.name} holds {text!r} where a date belongs; run `make setup` to reinstall the pinned data",
            code="data_file_unusable",
        ) from error


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
