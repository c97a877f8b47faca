"""Empty databases with the newest schema: SQLite always, PostgreSQL where a test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memory.database import Database
from memory.migrations import upgrade


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database with the newest schema."""
    database = Database(f"sqlite:///{tmp_path / 'desk.sqlite'}")
    upgrade(database)
    yield database
    database.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind, with no schema yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'desk.sqlite'}"
    new_postgres: Callable[[], str] = request.getfixturevalue("new_postgres")
    return new_postgres()


@pytest.fixture
def any_db(any_url: str) -> Iterator[Database]:
    """A database of each kind with the newest schema."""
    database = Database(any_url)
    upgrade(database)
    yield database
    database.dispose()
