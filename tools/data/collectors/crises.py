"""Moves of past crises from the installed data packages: the index since 1999, and sector funds since 2008."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from tools.canonical import content_sha256, sha256_hex
from tools.errors import ConfigError
from tools.packages import package_file

NEW_YORK = ZoneInfo("America/New_York")
SECTOR_FUNDS: Mapping[str, str] = {
    "Materials": "XLB", "Energy": "XLE", "Financials": "XLF", "Information Technology": "XLK", "Utilities": "XLU",
}  # fmt: skip
"""Select Sector SPDR funds of the file; the other sectors have none in it."""

INDEX_SOURCE = "arch sp500.csv.gz"
FUNDS_SOURCE = "mlfinpy stock_prices.csv"
SEPTEMBER_FROM = date(2008, 8, 29)
FLASH_CRASH = date(2010, 5, 6)


@dataclass(frozen=True)
class Move:
    """A simple return between two dates. `known_at` is the close (16:00 New York) of the second."""

    first: date
    last: date
    value: float
    source: str

    @property
    def known_at(self) -> datetime:
        return datetime.combine(self.last, time(16), NEW_YORK).astimezone(UTC)


@dataclass(frozen=True)
class Crises:
    """What the packages hold: September 2008 of the index and of sector funds, the flash crash of the index.

    September 2008 runs from the last close of August to the month's lowest close of the index; the flash crash from
    the close of 2010-05-05 to the next day's low.
    """

    september: Move
    september_sectors: Mapping[str, Move]
    flash_crash: Move
    sha256: str


@lru_cache(maxsize=1)
def read_crises() -> Crises:
    """Read the files once a process; ConfigError `data_file_unusable` when a date is not in them."""
    index = package_file("arch", "data", "sp500", "sp500.csv.gz")
    funds = package_file("mlfinpy", "dataset", "data", "stock_prices.csv")
    closes: dict[date, float] = {}
    lows: dict[date, float] = {}
    for row in _rows(index):
        month, day, year = (int(part) for part in row["Date"].split("/"))
        closes[date(year, month, day)] = float(row["Close"])
        lows[date(year, month, day)] = float(row["Low"])
    month_of = [day for day in closes if (day.year, day.month) == (2008, 9)]
    if not month_of or FLASH_CRASH not in lows or SEPTEMBER_FROM not in closes:
        raise _unusable(index)
    lowest = min(month_of, key=closes.__getitem__)
    before = max(day for day in closes if day < FLASH_CRASH)
    prices = {row["Date"]: row for row in _rows(funds) if row["Date"] in (str(SEPTEMBER_FROM), str(lowest))}
    if len(prices) != 2:
        raise _unusable(funds)
    start, end = prices[str(SEPTEMBER_FROM)], prices[str(lowest)]
    return Crises(
        september=Move(SEPTEMBER_FROM, lowest, closes[lowest] / closes[SEPTEMBER_FROM] - 1, INDEX_SOURCE),
        september_sectors={
            sector: Move(SEPTEMBER_FROM, lowest, float(end[fund]) / float(start[fund]) - 1, f"{FUNDS_SOURCE} {fund}")
            for sector, fund in SECTOR_FUNDS.items()
        },
        flash_crash=Move(before, FLASH_CRASH, lows[FLASH_CRASH] / closes[before] - 1, INDEX_SOURCE),
        sha256=content_sha256([sha256_hex(path.read_bytes()) for path in (index, funds)]),
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    return csv.DictReader(io.StringIO(text))


def _unusable(path: Path) -> ConfigError:
    return ConfigError(
        f"{path.name} does not hold the crisis dates; run `make setup` to reinstall the pinned data",
        code="data_file_unusable",
    )
