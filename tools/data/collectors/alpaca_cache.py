"""Fetched bars and corporate actions in a folder: what is there is not asked for again, what is damaged is set aside.

Each file is one line of JSON (what it is, when it was fetched, the SHA-256 of the rest) and then its payload, replaced
as a whole, so that a reader in another process sees the old one or the new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from tools.canonical import canonical_bytes, instant_text, sha256_hex
from tools.data.collectors.alpaca_words import BarRow, Told
from tools.types import Frozen, Instant

FORMAT = 1
FIELDS = ("open", "high", "low", "close", "volume")
Grid = NDArray[np.float64]


class Span(NamedTuple):
    """First and last session that were asked for; a session in it without a bar had none."""

    first: date
    last: date


class SeenAction(Frozen):
    """A corporate action and the moment we first saw it; `worth` is a spin-off's cash per old share."""

    told: Told
    first_seen: Instant
    worth: Decimal | None = None


class Damage(NamedTuple):
    """A file that could not be used, and where it was put."""

    file: str
    set_aside: str


@dataclass
class BarTable:
    """Raw daily bars over fixed sessions: grids of shape (S, N), NaN where there is no bar."""

    days: tuple[date, ...]
    columns: dict[str, int] = field(default_factory=dict)
    grids: list[Grid] = field(default_factory=list)
    spans: dict[str, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {day: row for row, day in enumerate(self.days)}
        if not self.grids:
            self.grids = [np.full((len(self.days), len(self.columns)), np.nan) for _ in FIELDS]

    def add(self, symbols: Iterable[str]) -> None:
        """Make room for names that are not there yet."""
        fresh = sorted(set(symbols) - set(self.columns))
        for symbol in fresh:
            self.columns[symbol] = len(self.columns)
        room = np.full((len(self.days), len(fresh)), np.nan)
        self.grids = [np.hstack((grid, room)) for grid in self.grids]

    def put(self, row: BarRow) -> None:
        at = self.rows[row.day], self.columns[row.symbol]
        for grid, value in zip(self.grids, row[2:], strict=True):
            grid[at] = value

    def select(self, symbols: Sequence[str]) -> tuple[Grid, ...]:
        """Copies of the five grids with the columns of `symbols`."""
        chosen = [self.columns[symbol] for symbol in symbols]
        return tuple(grid[:, chosen] for grid in self.grids)

    def sha256(self, symbols: Sequence[str], sessions: int) -> str:
        """SHA-256 of the first sessions of some names, the same whatever else the table holds."""
        digest = hashlib.sha256(canonical_bytes([self.days[:sessions], symbols]))
        for grid in self.select(symbols):
            digest.update(np.nan_to_num(grid[:sessions], nan=-1.0).astype("<f8").tobytes())
        return digest.hexdigest()


class AlpacaCache:
    """The files of one feed in one folder, which is made if it is not there."""

    def __init__(self, folder: Path, *, feed: str) -> None:
        self._folder = folder
        self._what = {"format": FORMAT, "feed": feed, "adjustment": "raw"}
        folder.mkdir(parents=True, exist_ok=True)

    def load_bars(self, days: Sequence[date]) -> tuple[BarTable, Damage | None]:
        """What is kept of the sessions in `days`; empty, and the damage, when the file cannot be used."""
        table = BarTable(tuple(days))
        payload, damage = self._read("bars")
        if payload is None:
            return table, damage
        try:
            with np.load(io.BytesIO(payload), allow_pickle=False) as kept:
                kept_days = [date.fromordinal(int(number)) for number in kept["days"]]
                symbols = [str(name) for name in kept["symbols"]]
                grids = [np.asarray(kept[name], dtype=np.float64) for name in FIELDS]
                spans = {
                    symbol: Span(date.fromordinal(int(first)), date.fromordinal(int(last)))
                    for symbol, (first, last) in zip(symbols, kept["spans"], strict=True)
                }
        except (ValueError, KeyError, OSError, zipfile.BadZipFile):
            return table, self._set_aside("bars")
        table.add(symbols)
        common = [(row, table.rows[day]) for row, day in enumerate(kept_days) if day in table.rows]
        theirs, ours = [pair[0] for pair in common], [pair[1] for pair in common]
        for position, symbol in enumerate(symbols):
            for grid, source in zip(table.grids, grids, strict=True):
                grid[ours, table.columns[symbol]] = source[theirs, position]
        table.spans = {
            name: Span(max(span.first, days[0]), min(span.last, days[-1]))
            for name, span in spans.items() if span.first <= days[-1] and days[0] <= span.last
        }  # fmt: skip
        return table, damage

    def save_bars(self, table: BarTable, fetched_at: datetime) -> None:
        """Keep every name that was asked for."""
        symbols = sorted(table.spans)
        spans = [[table.spans[name].first.toordinal(), table.spans[name].last.toordinal()] for name in symbols]
        arrays: dict[str, Any] = dict(zip(FIELDS, table.select(symbols), strict=True))
        buffer = io.BytesIO()
        np.savez(
            buffer, days=np.array([day.toordinal() for day in table.days], dtype=np.int64),
            symbols=np.array(symbols, dtype="U10"), spans=np.array(spans, dtype=np.int64).reshape(-1, 2), **arrays,
        )  # fmt: skip
        self._write("bars", buffer.getvalue(), fetched_at)

    def load_actions(self) -> tuple[dict[str, SeenAction], Damage | None]:
        payload, damage = self._read("actions")
        if payload is None:
            return {}, damage
        try:
            seen = TypeAdapter(list[SeenAction]).validate_json(payload)
        except ValidationError:
            return {}, self._set_aside("actions")
        return {item.told.id: item for item in seen}, damage

    def save_actions(self, seen: Mapping[str, SeenAction], fetched_at: datetime) -> None:
        self._write("actions", canonical_bytes([seen[name] for name in sorted(seen)]), fetched_at)

    def _path(self, what: str) -> Path:
        return self._folder / f"alpaca-{self._what['feed']}-{what}.cache"

    def _read(self, what: str) -> tuple[bytes | None, Damage | None]:
        try:
            head, _, payload = self._path(what).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None, None
        try:
            header = json.loads(head)
            sound = header["sha256"] == sha256_hex(payload) and {key: header[key] for key in self._what} == self._what
        except (ValueError, KeyError, TypeError):
            sound = False
        return (payload, None) if sound else (None, self._set_aside(what))

    def _write(self, what: str, payload: bytes, fetched_at: datetime) -> None:
        header = {**self._what, "fetched_at": instant_text(fetched_at), "sha256": sha256_hex(payload)}
        path = self._path(what)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(json.dumps(header).encode() + b"\n" + payload)
        fresh.replace(path)

    def _set_aside(self, what: str) -> Damage:
        path = self._path(what)
        number = 1
        while (aside := path.with_suffix(f".damaged-{number}")).exists():
            number += 1
        path.replace(aside)
        return Damage(path.name, aside.name)
