"""What the adapter must not forget between two processes: the numbers of fills, and what was sent a moment ago.

Alpaca's activities have ids but no sequence, and one may become visible after a later one. So each gets the next
number when it is first seen, and keeps it in a small file beside the home: a late fill is never skipped by a cursor.
A sending is written down before it leaves, so that a "no such order" soon after it is not taken for an answer.
A lost file costs a re-read; fills are keyed by their execution id everywhere.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from tools.errors import ExecutionError
from tools.execution.brokers.alpaca_words import WireFill, fill_of
from tools.execution.types import Fill

FIRST_OVERLAP = timedelta(days=3)
OVERLAP = timedelta(minutes=15)

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (account_number TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fills (
    sequence INTEGER PRIMARY KEY, execution_id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL, at TEXT NOT NULL, fill TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sendings (client_order_id TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS fills_order ON fills (order_id);
"""


class AlpacaJournal:
    """Fills in order of first sight, and sendings. `path` None keeps both in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=30)
        self._db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {SCHEMA}")
        self._looked = False

    def close(self) -> None:
        self._db.close()

    def bind(self, account_number: str) -> None:
        """Tie the file to one account; ExecutionError `account_mismatch` when it holds another's fills."""
        with self._lock, self._db:
            row = self._db.execute("SELECT account_number FROM account").fetchone()
            if row is None:
                self._db.execute("INSERT INTO account VALUES (?)", (account_number,))
            elif row[0] != account_number:
                raise ExecutionError(
                    "the journal of fills belongs to another Alpaca account; use that account's key or a new home",
                    code="account_mismatch",
                )

    def sending(self, client_order_id: str, at: float | None) -> None:
        """Write down that an order is about to be sent; `at` in seconds of the wall clock, None that it was not."""
        with self._lock:
            if at is None:
                self._db.execute("DELETE FROM sendings WHERE client_order_id = ?", (client_order_id,))
            else:
                self._db.execute("INSERT OR REPLACE INTO sendings VALUES (?, ?)", (client_order_id, at))

    def last_sent(self, client_order_id: str) -> float | None:
        """When the order was last sent, if it ever was."""
        with self._lock:
            return self._sent(client_order_id)

    def look_back(self, since: datetime | None) -> datetime | None:
        """From when to read again: a stretch before the newest fill (longer once per process), never before `since`."""
        with self._lock:
            row = self._db.execute("SELECT MAX(at) FROM fills").fetchone()
        if row[0] is None:
            return since
        back = datetime.fromisoformat(row[0]) - (OVERLAP if self._looked else FIRST_OVERLAP)
        return back if since is None else max(since, back)

    def looked(self) -> None:
        """Say that everything since `look_back` was read."""
        self._looked = True

    def add(self, page: Iterable[WireFill], name_of: Callable[[str], str]) -> None:
        """Number what is new on a page, in the page's order. `name_of` gives the client id of an order id.

        A fraction of a share is left out where this desk did not send its order: the account's positions name it while
        it is there and its cash differs afterwards, and what the desk itself traded is read in spite of it.
        """
        with self._lock:
            fresh = [item for item in page if not self._known(item.id)]
            names = {order: self._name(order) or name_of(order) for order in {item.order_id for item in fresh}}
            fresh = [item for item in fresh if item.qty == int(item.qty) or self._sent(names[item.order_id])]
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for item in fresh:
                    self._insert(item, names[item.order_id])
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def after(self, sequence: int) -> tuple[Fill, ...]:
        with self._lock:
            rows = self._db.execute(
                "SELECT fill FROM fills WHERE sequence > ? ORDER BY sequence", (sequence,)
            ).fetchall()
        return tuple(Fill.model_validate_json(row[0]) for row in rows)

    def execution(self, named: str, client_order_id: str) -> str | None:
        """Our key of the execution that a trade update names: the activity whose id ends with it, None where it is not
        known (yet)."""
        same = [key for key in self._keys(client_order_id) if key.rpartition("::")[2] == named]
        return same[0] if len(same) == 1 else None

    def only_execution(self, client_order_id: str) -> str | None:
        """Our key of the order's execution where it has one, whatever a trade update calls it."""
        keys = self._keys(client_order_id)
        return keys[0] if len(keys) == 1 else None

    def _keys(self, client_order_id: str) -> list[str]:
        with self._lock:
            rows = self._db.execute(
                "SELECT execution_id FROM fills WHERE client_order_id = ?", (client_order_id,)
            ).fetchall()
        return [str(row[0]) for row in rows]

    def _insert(self, item: WireFill, name: str) -> None:
        if self._known(item.id):
            return
        sequence = int(self._db.execute("SELECT COALESCE(MAX(sequence), 0) + 1 FROM fills").fetchone()[0])
        fill = fill_of(item, sequence, name)
        self._db.execute(
            "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?)",
            (sequence, fill.execution_id, item.order_id, name, fill.at.isoformat(), fill.model_dump_json()),
        )

    def _known(self, execution_id: str) -> bool:
        return self._db.execute("SELECT 1 FROM fills WHERE execution_id = ?", (execution_id,)).fetchone() is not None

    def _sent(self, client_order_id: str) -> float | None:
        row = self._db.execute("SELECT at FROM sendings WHERE client_order_id = ?", (client_order_id,)).fetchone()
        return None if row is None else float(row[0])

    def _name(self, order_id: str) -> str | None:
        row = self._db.execute("SELECT client_order_id FROM fills WHERE order_id = ?", (order_id,)).fetchone()
        return None if row is None else str(row[0])
