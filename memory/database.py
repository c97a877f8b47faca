"""The SQL database: the only truth. SQLite by default, PostgreSQL when a URL says so.

Every write transaction on SQLite begins with BEGIN IMMEDIATE: two processes then queue for the lock
instead of failing half-way or forking the ledger. On PostgreSQL it begins with one advisory lock, for the same
reason: what a transaction read is still so when it writes, and two of them cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlmodel import Session, SQLModel
from tenacity import retry, retry_if_exception_message, stop_after_delay, wait_fixed

from tools.errors import ConfigError, HomeError

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another one."""
WRITE_LOCK = 0x51444C45
"""Key of the PostgreSQL advisory lock that every write transaction holds."""
_WRITE = "quarterdeck_write"


@retry(
    retry=retry_if_exception_message(match=".*locked.*"), stop=stop_after_delay(10), wait=wait_fixed(0.02), reraise=True
)
def _enter_wal(cursor: Any) -> None:
    """Switch to WAL; SQLite ignores the busy timeout for this one statement, so it is tried again."""
    cursor.execute("PRAGMA journal_mode=WAL")


def _prepare_sqlite(engine: Engine, busy_timeout_s: float) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(busy_timeout_s * 1000)}")
        _enter_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class Database:
    """Sessions over one database. `read()` never blocks a writer; `write()` commits at exit or not at all."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        try:
            parsed = make_url(url)
            self.dialect = parsed.get_backend_name()
            parsed.get_dialect()
        except (ArgumentError, ValueError) as error:
            raise ConfigError(f"database URL cannot be used: {error}", code="bad_database_url") from None
        if self.dialect not in {"sqlite", "postgresql"}:
            raise ConfigError(
                f"database {self.dialect!r} is not supported: use sqlite:/// or postgresql+psycopg://",
                code="bad_database_url",
            )
        self._connect(parsed, busy_timeout_s)

    def _connect(self, url: URL, busy_timeout_s: float) -> None:
        if self.dialect == "sqlite":
            self.engine = create_engine(url)
            _prepare_sqlite(self.engine, busy_timeout_s)
        else:
            patience = {"options": f"-c lock_timeout={int(busy_timeout_s * 1000)}"}
            self.engine = create_engine(url, pool_pre_ping=True, connect_args=patience)
        self._writer = self.engine.execution_options(**{_WRITE: True})

    def hasty(self, busy_timeout_s: float) -> Self:
        """The same database over connections of its own, which wait no longer than this for a lock."""
        other = copy(self)
        other._connect(self.engine.url, busy_timeout_s)
        return other

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent snapshot; nothing written in it is kept."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction, serialised against every other writer."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            connection = session.connection()
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            yield session

    def check(self) -> None:
        """Raise HomeError when the file is not a sound database."""
        try:
            with self.engine.connect() as connection:
                if self.dialect == "sqlite":
                    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
                    if verdict != "ok":
                        raise HomeError(f"the database is damaged ({verdict}): restore a backup", code="home_corrupted")
        except OperationalError as error:
            raise HomeError(f"the database cannot be opened: {error.orig}", code="home_unreadable") from None
        except DatabaseError as error:
            raise HomeError(
                f"the database is damaged ({error.orig}): restore a backup", code="home_corrupted"
            ) from None

    def dispose(self) -> None:
        self.engine.dispose()


def insert_if_absent(session: Session, row: type[SQLModel], values: Mapping[str, Any]) -> bool:
    """Insert one row unless its key is taken; True when it was inserted."""
    table = getattr(row, "__table__")  # noqa: B009  (SQLModel does not type it)
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    insert = build(table).values(**values).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return session.connection().execute(insert).first() is not None
