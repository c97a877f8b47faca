"""The home: the folder that holds one mode's state, and the lock that one desk takes on it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from memory.database import BUSY_TIMEOUT_S, Database
from memory.migrations import newest, upgrade
from memory.private_file import create_private
from memory.tables import HomeRow
from pipeline.processes import lives
from pipeline.settings import Settings
from tools.errors import HomeError
from tools.types import Frozen


class DeskFile(Frozen):
    """What a running desk writes so that commands find it."""

    url: str
    pid: int
    certificate: str | None = None
    """The PEM file that the desk at `url` must show, when it speaks HTTPS."""


class Home:
    """Paths and the lock of one home folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config"
        self.checkpoints = path / "checkpoints.sqlite"
        self.broker = path / "broker.sqlite"
        self.chroma = path / "chroma"
        self.heads = path / "heads"
        self.ledger_key = path / "keys" / "ledger.pem"
        self.grant_key = path / "keys" / "grants.pem"
        self.halt_file = path / "HALT"
        self.desk_file = path / "desk.json"
        self.logs = path / "logs"

    @property
    def database_file(self) -> Path:
        return self.path / "quarterdeck.sqlite"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database_file}"

    def token(self) -> str:
        """The local token, made at first use and readable by the owner only."""
        file = self.path / "token"
        if not file.exists():
            create_private(file, secrets.token_urlsafe(32).encode())
        return file.read_text().strip()

    def desk(self) -> DeskFile | None:
        """The desk that holds this home; None when there is none or it died without a word."""
        try:
            found = DeskFile.model_validate(json.loads(self.desk_file.read_text()))
        except (FileNotFoundError, ValueError):
            return None
        return found if lives(found.pid) else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the home alone; HomeError(home_locked) when somebody else does."""
        lock = FileLock(str(self.path / "lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise HomeError(
                f"{self.path} is in use by another desk: stop it, or choose another --home", code="home_locked"
            ) from None
        try:
            yield
        finally:
            lock.release()


def open_home(
    settings: Settings, *, create: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> tuple[Home, Database]:
    """Open a home and bring its schema up to date; refuses a damaged one and one of another mode than was asked for."""
    home = Home(settings.home)
    if not create and not home.path.exists():
        raise HomeError(f"{home.path} does not exist: start a desk with `quarterdeck run` first", code="no_home")
    if not create and settings.database_url is None and not home.database_file.exists():
        raise HomeError(f"the database of {home.path} is gone: restore a backup", code="home_unreadable")
    try:
        for folder in (home.path, home.config, home.heads, home.logs):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"{home.path} cannot be used as a home: {error.strerror}", code="home_unreadable") from None
    database = Database(settings.database_url or home.database_url, busy_timeout_s=busy_timeout_s)
    try:
        database.check()
        upgrade(database)
    except sqlite3.DatabaseError as error:
        raise HomeError(
            f"{home.path / 'quarterdeck.sqlite'} is damaged ({error}): restore a backup or choose another --home",
            code="home_corrupted",
        ) from None
    _stamp(database, settings)
    return home, database


def _stamp(database: Database, settings: Settings) -> None:
    with database.read() as session:
        row = session.get(HomeRow, 1)
    if row is None:
        with database.write() as session:
            row = session.get(HomeRow, 1) or HomeRow(
                mode=settings.mode, schema_version=newest(), created_wall=datetime.now(UTC)
            )
            session.add(row)
    if row.mode != settings.mode and "mode" in settings.model_fields_set:
        raise HomeError(
            f"{settings.home} is a {row.mode} home and cannot be opened in {settings.mode} mode: choose another --home",
            code="home_mode",
        )
