"""A desk that holds positions, played once through the real path and copied for each drill."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pipeline.store import Store
from tests.drills.desk import Drill, at_work, new_home
from tests.pipeline import life

SESSIONS = 3
"""After the third close entries are approved for the next open."""


@pytest.fixture(scope="session")
def played_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after a few sessions in which a stand-in approved everything."""
    folder = tmp_path_factory.mktemp("drills")
    store = new_home(folder)

    async def play() -> None:
        async with at_work(store) as drill:
            await drill.play(SESSIONS)
            assert len(drill.held()) >= 3
            assert drill.protected()

    asyncio.run(play())
    store.db.dispose()
    return folder / "home"


@pytest.fixture
def home(played_home: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that home, opened."""
    shutil.copytree(played_home, tmp_path / "home")
    store = life.new_store(tmp_path / "home")
    yield store
    store.db.dispose()


@pytest.fixture
async def drill(home: Store) -> AsyncIterator[Drill]:
    """A desk at work on it."""
    async with at_work(home) as opened:
        yield opened
