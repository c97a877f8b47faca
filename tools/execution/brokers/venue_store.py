"""The simulated venue's own SQLite file: every write is one immediate transaction, several processes may share it."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import ExecutionError, RetryableToolError

BUSY_TIMEOUT_S = 30.0
WAL_RETRY_S = 0.01

FIRST = (
    """CREATE TABLE IF NOT EXISTS accounts (
        account TEXT PRIMARY KEY, seed INTEGER NOT NULL, starting_cash TEXT NOT NULL, cash TEXT NOT NULL,
        last_order INTEGER NOT NULL DEFAULT 0, last_fill INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS orders (
        account TEXT NOT NULL, client_order_id TEXT NOT NULL, number INTEGER NOT NULL, symbol TEXT NOT NULL,
        open INTEGER NOT NULL, request TEXT NOT NULL, report TEXT NOT NULL,
        PRIMARY KEY (account, client_order_id), UNIQUE (account, number))""",
    "CREATE INDEX IF NOT EXISTS open_orders ON orders (account, number) WHERE open = 1",
    """CREATE TABLE IF NOT EXISTS fills (
        account TEXT NOT NULL, sequence INTEGER NOT NULL, execution_id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL,
        session TEXT NOT NULL, quantity INTEGER NOT NULL, fill TEXT NOT NULL,
        PRIMARY KEY (account, sequence))""",
    """CREATE TABLE IF NOT EXISTS positions (
        account TEXT NOT NULL, symbol TEXT NOT NULL, position TEXT NOT NULL, PRIMARY KEY (account, symbol))""",
    """CREATE TABLE IF NOT EXISTS ticks (
        account TEXT NOT NULL, session TEXT NOT NULL, phase TEXT NOT NULL, as_of TEXT NOT NULL,
        PRIMARY KEY (account, session, phase))""",
    """CREATE TABLE IF NOT EXISTS actions (
        account TEXT NOT NULL, symbol TEXT NOT NULL, kind TEXT NOT NULL, ex_date TEXT NOT NULL,
        PRIMARY KEY (account, symbol, kind, ex_date))""",
)
TERMS = (
    "ALTER TABLE accounts ADD COLUMN terms TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE orders ADD COLUMN working TEXT NOT NULL DEFAULT '{}'",
    """CREATE TABLE charges (
        account TEXT NOT NULL, sequence INTEGER NOT NULL, charge TEXT NOT NULL, PRIMARY KEY (account, sequence))""",
    """CREATE TABLE amendments (
        account TEXT NOT NULL, sequence INTEGER NOT NULL, execution_id TEXT NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (account, sequence))""",
)
VERSIONS = (FIRST, TERMS)
"""What each version of the file adds to the one before; `PRAGMA user_version` counts those applied. Files of the first
version may say 0, so its statements must bear repetition."""


class VenueStore:
    """One connection, used by one thread at a time.

    An older file is brought to this version on opening. A busy or vanished file raises RetryableToolError
    `broker_unreachable` (unknown: ask with `find`), a file that is no venue ExecutionError `venue_corrupt`, one of a
    later version `venue_newer`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._finalizer = weakref.finalize(self, self._connection.close)
            self._enter_wal()
            self._connection.execute("PRAGMA synchronous = FULL")
        with self.write() as db:
            self._upgrade(db)

    def close(self) -> None:
        self._finalizer()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; rolled back on any error."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _upgrade(self, db: sqlite3.Connection) -> None:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(VERSIONS):
            raise ExecutionError(
                f"simulation venue {self._path.name} has version {version}, this program knows {len(VERSIONS)}; "
                "open it with the program that wrote it",
                code="venue_newer",
            )
        for statements in VERSIONS[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(VERSIONS)}")

    def _enter_wal(self) -> None:
        """Switch the file to WAL. SQLite does not wait for the lock here by itself, so two first openers must."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(WAL_RETRY_S)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise RetryableToolError(
                f"simulation venue {self._path.name} does not answer: {error}", code="broker_unreachable"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ExecutionError(
                f"simulation venue {self._path.name} is unreadable: {error}; restore it or start a new home",
                code="venue_corrupt",
            ) from error
