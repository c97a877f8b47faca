"""Homes with one open run, on SQLite and on PostgreSQL; and a desk with one case parked in its thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from memory.tables import RunRow
from pipeline.activation import in_force
from pipeline.desk import Desk, RunRequest, start_run
from pipeline.headless import open_player
from pipeline.session import SessionPlayer
from pipeline.store import Store
from pipeline.venue import open_broker, open_market
from tests.pipeline import life, parked
from tools.data.types import MarketData


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


@pytest.fixture(scope="session")
def market() -> MarketData:
    return open_market(parked.SYMBOLS)


@pytest.fixture
def desk(tmp_path: Path, market: MarketData) -> Iterator[Desk]:
    """A desk on the embedded market at the close of session 60, without recall."""
    store = life.new_store(tmp_path / "home")
    run = start_run(store, RunRequest(symbols=parked.SYMBOLS))
    with store.db.write() as session:
        row = session.get_one(RunRow, run.id)
        row.session_index, row.stage = 60, "closed"
        session.add(row)
    yield Desk(
        store=store, run_id=run.id, market=market, broker=open_broker(store, run), law=in_force(store), recall=None,
        seed=0,
    )  # fmt: skip
    store.db.dispose()


@pytest.fixture
async def player(desk: Desk) -> AsyncIterator[SessionPlayer]:
    async with open_player(desk) as opened:
        yield opened


@pytest.fixture
async def case(desk: Desk, player: SessionPlayer) -> parked.Case:
    """One case that waits for one person."""
    found = await parked.ask(desk, player)
    assert found.truth() == parked.WAITING
    return found
