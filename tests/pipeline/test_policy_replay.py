"""Another policy over recorded history: what it would have asked, with nothing touched."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel, func, select

from pipeline.activation import in_force
from pipeline.headless import run_sessions
from pipeline.policy import Policy, load_policy
from pipeline.policy_replay import replay_policy
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import code_of

EVERYTHING_TWICE = """
version: strict
profile: desk
ttl_sessions: 1
capacity: 5
rules:
  - {name: two_for_all, when: {}, approvers: 2}
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("played") / "home"
    store = life.new_store(home)
    asyncio.run(run_sessions(store, sessions=1, symbols=("AMD", "EL", "TXT", "FCX", "PNC"), stand_in="none"))
    store.db.dispose()
    return home


@pytest.fixture
def history(played: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(played, tmp_path / "home")
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


def sizes(store: Store) -> dict[str, int]:
    with store.db.read() as session:
        return {
            name: session.exec(select(func.count()).select_from(table)).one()
            for name, table in SQLModel.metadata.tables.items()
        }


def altered(store: Store, **changes: object) -> Policy:
    return in_force(store).policy.model_copy(update=changes)


def test_the_policy_in_force_asks_what_it_asked(history: Store) -> None:
    found = replay_policy(history, in_force(history).policy)
    assert (found.cases, found.same, found.differences) == (5, 5, ())
    assert (found.signatures_in_force, found.signatures_replayed) == (5, 5)
    assert found.by_rule == {"entry": 5}


def test_two_people_for_everything_differs_in_every_case_and_writes_nothing(history: Store) -> None:
    before = sizes(history)
    found = replay_policy(history, load_policy(EVERYTHING_TWICE))
    assert (found.version, found.cases, found.same, len(found.differences)) == ("strict", 5, 0, 5)
    assert (found.signatures_in_force, found.signatures_replayed) == (5, 10)
    assert found.by_rule == {"two_for_all": 5}
    assert {(item.was, item.would_be) for item in found.differences} == {("entry: 1 ask", "two_for_all: 2 ask")}
    assert {item.symbol for item in found.differences} == {"AMD", "EL", "TXT", "FCX", "PNC"}
    assert all(item.notional > 0 for item in found.differences)
    assert sizes(history) == before
    assert before["approvals"] == 5


def test_the_same_number_of_people_under_advice_is_a_difference(history: Store) -> None:
    found = replay_policy(history, altered(history, mode="advise"))
    assert found.same == 0
    assert {item.would_be for item in found.differences} == {"entry: 1 advise"}


def test_a_replay_repeats_itself(history: Store) -> None:
    other = load_policy(EVERYTHING_TWICE)
    assert replay_policy(history, other) == replay_policy(history, other)


def test_without_a_run_there_is_nothing_to_compare(tmp_path: Path) -> None:
    empty = life.new_store(tmp_path / "home")
    assert code_of(lambda: replay_policy(empty, load_policy(EVERYTHING_TWICE))) == "no_run"
    empty.db.dispose()
