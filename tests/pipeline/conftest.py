"""Homes with one open run: on SQLite, and on PostgreSQL where a test asks for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.store import Store
from tests.pipeline import life


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A home with a run that stands at the close of session 60."""
    opened = life.new_store(tmp_path / "home")
    life.seed_run(opened)
    yield opened
    opened.db.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_database(request: pytest.FixtureRequest) -> str | None:
    """None for SQLite in the home, else the URL of an empty PostgreSQL database."""
    if request.param == "sqlite":
        return None
    new_postgres: Callable[[], str] = request.getfixturevalue("new_postgres")
    return new_postgres()


@pytest.fixture
def any_store(tmp_path: Path, any_database: str | None) -> Iterator[Store]:
    """The same home over each kind of database."""
    opened = life.new_store(tmp_path / "home", any_database)
    life.seed_run(opened)
    yield opened
    opened.db.dispose()
