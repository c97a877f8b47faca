"""Recall answers from SQL: as of a session, within a run, the same however the index was built."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlmodel import select

from memory.database import Database
from memory.migrations import upgrade
from memory.recall import SIMILARITY_FLOOR, Recall, Recalled
from memory.tables import MemoryRow
from tools.errors import ConfigError

SECTORS = ("Energy", "Technology", "Health Care", "Utilities", "Financials", "Materials")
MOODS = (
    "close above its 50-session average with rising volume",
    "four closes down in a row below its 20-session band",
    "a gap up after earnings on heavy trade",
)
QUERY = "trend order.entry buy XOM Exxon Mobil, Energy. close above its 50-session average with rising volume"


def situations(count: int) -> list[tuple[str, str]]:
    return [
        (
            f"case_{number:04d}",
            f"trend order.entry buy N{number}, {SECTORS[number % 6]}. {MOODS[number % 3]}, {number % 7} sessions",
        )
        for number in range(count)
    ]


def remember(recall: Recall, items: list[tuple[str, str]], **changes: object) -> None:
    for number, (memory_id, words) in enumerate(items):
        given: dict[str, object] = {
            "memory_id": memory_id, "run_id": "run_1", "symbol": "XOM", "strategy": "trend", "known_index": 60 + number,
            "text": words,
        }  # fmt: skip
        recall.remember(**{**given, **changes})  # type: ignore[arg-type]


def ask(recall: Recall, **changes: object) -> tuple[Recalled, ...]:
    given: dict[str, object] = {"run_id": "run_1", "as_of_index": 10_000, "strategy": "trend"}
    return recall.recall(QUERY, **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Path, Recall]]:
    """Eighty remembered cases of one run."""
    folder = tmp_path_factory.mktemp("recall")
    database = Database(f"sqlite:///{folder / 'desk.sqlite'}")
    upgrade(database)
    recall = Recall(database, folder / "chroma")
    remember(recall, situations(80))
    yield database, folder, recall
    database.dispose()


def test_the_answer_is_the_exact_ranking_of_the_vectors_in_sql(filled: tuple[Database, Path, Recall]) -> None:
    database, _, recall = filled
    query = recall._encoder.encode(QUERY)
    with database.read() as session:
        rows = session.exec(select(MemoryRow)).all()
    exact = sorted((-round(float(np.frombuffer(row.vector, dtype=np.float32) @ query), 4), row.id) for row in rows)
    expected = tuple(Recalled(memory_id, -score) for score, memory_id in exact if -score >= SIMILARITY_FLOOR)
    assert ask(recall, limit=10) == expected[:10]
    assert len(expected) > 10, "too few neighbours: the ranking is not tested"


def test_what_became_known_later_is_not_recalled(filled: tuple[Database, Path, Recall]) -> None:
    *_, recall = filled
    everything = {item.id for item in ask(recall, limit=80)}
    for as_of in (59, 60, 75, 100, 200):
        found = {item.id for item in ask(recall, as_of_index=as_of, limit=80)}
        assert found == {name for name in everything if 60 + int(name[-4:]) <= as_of}


def test_an_index_that_lies_about_when_a_case_was_known_is_not_believed(tmp_path: Path, db: Database) -> None:
    recall = Recall(db, tmp_path / "chroma")
    remember(recall, [("case_old", QUERY)], known_index=60)
    remember(recall, [("case_new", QUERY)], known_index=90)
    recall._collection.update(ids=["case_new"], metadatas=[{"known_index": 1}])
    assert "case_new" not in {item.id for item in ask(recall, as_of_index=70)}
    assert "case_new" in {item.id for item in ask(recall, as_of_index=90)}


def test_another_run_and_another_strategy_recall_nothing_of_it(filled: tuple[Database, Path, Recall]) -> None:
    *_, recall = filled
    assert ask(recall, run_id="run_2") == ()
    assert ask(recall, strategy="reversion") == ()
    assert ask(recall) != ()


def test_runs_that_remember_the_same_keep_to_their_own(tmp_path: Path, db: Database) -> None:
    recall = Recall(db, tmp_path / "chroma")
    for run in ("run_1", "run_2"):
        remember(recall, [(f"{run}_{name}", words) for name, words in situations(6)], run_id=run)
    for run in ("run_1", "run_2"):
        found = ask(recall, run_id=run, limit=20)
        assert found
        assert all(item.id.startswith(run) for item in found)


def test_equal_texts_come_in_the_order_of_their_ids(tmp_path: Path, db: Database) -> None:
    recall = Recall(db, tmp_path / "chroma")
    names = [f"case_{letter}" for letter in "hgfedcba"]
    remember(recall, [(name, QUERY) for name in names])
    assert [item.id for item in ask(recall, limit=4)] == ["case_a", "case_b", "case_c", "case_d"]


def test_the_same_id_again_changes_nothing(tmp_path: Path, db: Database) -> None:
    recall = Recall(db, tmp_path / "chroma")
    remember(recall, [("case_a", QUERY)])
    before = ask(recall)
    remember(recall, [("case_a", "something else altogether")])
    assert ask(recall) == before
    assert recall.count() == 1


def test_the_index_built_in_another_order_gives_the_same_answers(
    filled: tuple[Database, Path, Recall], tmp_path: Path
) -> None:
    _, _, recall = filled
    expected = ask(recall, limit=10)
    for seed in (1, 2):
        database = Database(f"sqlite:///{tmp_path / f'{seed}.sqlite'}")
        upgrade(database)
        other = Recall(database, tmp_path / f"chroma-{seed}")
        items = list(enumerate(situations(80)))
        random.Random(seed).shuffle(items)
        for number, item in items:
            remember(other, [item], known_index=60 + number)
        assert ask(other, limit=10) == expected
        database.dispose()


def test_a_deleted_index_is_built_again_with_the_same_answers(
    filled: tuple[Database, Path, Recall], tmp_path: Path
) -> None:
    database, _, recall = filled
    again = Recall(database, tmp_path / "fresh")
    assert again.count() == 80
    assert ask(again, limit=10) == ask(recall, limit=10)


def test_an_index_that_knows_more_or_other_cases_than_sql_is_brought_back(tmp_path: Path) -> None:
    """A database restored from a backup beside a newer index: what SQL does not hold is forgotten."""
    database = Database(f"sqlite:///{tmp_path / 'desk.sqlite'}")
    upgrade(database)
    recall = Recall(database, tmp_path / "chroma")
    remember(recall, situations(6))
    with database.write() as session:
        for row in session.exec(select(MemoryRow)).all():
            if row.id != "case_0000":
                session.delete(row)
        session.flush()
        kept = session.get_one(MemoryRow, "case_0000").model_dump()
        for number in range(5):
            session.add(MemoryRow(**{**kept, "id": f"case_new_{number}"}))
    again = Recall(database, tmp_path / "chroma")
    assert again.count() == 6
    assert {item.id for item in ask(again, limit=20)} == {"case_0000", *(f"case_new_{n}" for n in range(5))}
    database.dispose()


def test_a_damaged_index_is_a_configuration_error_with_a_remedy(tmp_path: Path, db: Database) -> None:
    folder = tmp_path / "chroma"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "chroma.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigError, match="rebuilt") as caught:
        Recall(db, folder)
    assert caught.value.code == "recall_unreadable"
