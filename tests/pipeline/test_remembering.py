"""A played home remembers what it settled, explained and learnt; agents get fields, and the index changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from memory.remembered import Question
from memory.tables import (
    CaseRow,
    EvidenceRow,
    ExplanationRow,
    FindingRow,
    LedgerRow,
    LessonRow,
    MemoryRow,
    OutcomeRow,
    RunRow,
)
from pipeline.desk import Desk, open_desk
from pipeline.headless import RunSummary, run_sessions
from pipeline.long_term import INDEX_DOWN, keep_recall, remember_runbooks, stamp_of, tell
from pipeline.remembering import remember_close, summary
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from pipeline.work import CycleWork, regime_at
from prompts.runbooks import runbooks
from tools.strategy.regime import REGIMES

SYMBOLS = ("IBM", "XOM", "HPQ", "DIS", "GE", "PFE", "KO", "JPM", "WMT", "CVX", "MRK", "T")
SESSIONS = 13
START = date(2010, 4, 26)
"""The days before the flash crash: both regimes, tainted names, wishes that come again."""


def play(store: Store) -> RunSummary:
    return asyncio.run(run_sessions(store, sessions=SESSIONS, symbols=SYMBOLS, start=START, stand_in="approve"))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, RunSummary, Desk]]:
    store = open_store(load_settings(home=tmp_path_factory.mktemp("remembering")))
    summed = play(store)
    desk = open_desk(store, started=True)
    yield store, summed, desk
    if desk.recall is not None:
        desk.recall.close()
    store.db.dispose()


def memories(session: Session, kind: str) -> list[MemoryRow]:
    return list(session.exec(select(MemoryRow).where(MemoryRow.kind == kind).order_by(MemoryRow.id)).all())


def test_settled_cases_are_remembered_with_what_became_of_them(played: tuple[Store, RunSummary, Desk]) -> None:
    store, _, desk = played
    with store.db.read() as session:
        rows = memories(session, "case")
        outcomes = {row.case_id: row for row in session.exec(select(OutcomeRow)).all()}
        cases = {row.id: row for row in session.exec(select(CaseRow)).all()}
    assert len(rows) >= 3, "too few cases settled: nothing is tested"
    for row in rows:
        assert row.outcome == outcomes[row.subject].disposition
        assert row.known_index == outcomes[row.subject].due_index
        assert row.regime == regime_at(desk.market, cases[row.subject].opened_index)
        assert row.regime in REGIMES
        assert row.taint == cases[row.subject].order.taint
    assert {row.taint for row in rows} == {True, False}
    assert len({row.regime for row in rows}) > 1
    assert any(row.cluster != row.id for row in rows), "no wish came again: duplicates are not tested"


def test_explanations_and_lessons_are_remembered_and_nothing_of_a_stranger(
    played: tuple[Store, RunSummary, Desk],
) -> None:
    store, _, _ = played
    with store.db.read() as session:
        explanations, lessons = memories(session, "explanation"), memories(session, "lesson")
        bodies = {row.case_id: row.body for row in session.exec(select(ExplanationRow)).all()}
        last = {row.scope: row.id for row in session.exec(select(LessonRow).order_by(col(LessonRow.as_of)))}
        refused = session.exec(select(FindingRow).where(FindingRow.code == "memory_refused")).all()
    assert refused == []
    assert len(explanations) >= 3
    strange = [claim["text"] for body in bodies.values() for claim in body["claims"] if claim["taint"]]
    assert not [row.id for row in explanations if any(text in row.text for text in strange)]
    assert not any(row.taint for row in (*explanations, *lessons))
    assert {row.subject for row in lessons if row.superseded_index is None} == set(last.values())


def test_a_repeated_close_remembers_nothing_twice(played: tuple[Store, RunSummary, Desk]) -> None:
    store, _, desk = played
    with store.db.read() as session:
        before = [row.model_dump() for row in session.exec(select(MemoryRow).order_by(MemoryRow.id))]
        index = session.exec(select(RunRow)).one().session_index
    assert remember_close(desk, CycleWork(desk, index)) == (0, 0, 0, 0)
    with store.db.read() as session:
        assert [row.model_dump() for row in session.exec(select(MemoryRow).order_by(MemoryRow.id))] == before


def test_what_was_recalled_is_recorded_with_every_factor_and_no_text(played: tuple[Store, RunSummary, Desk]) -> None:
    store, _, _ = played
    with store.db.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.kind == "recall")).all()
        texts = [row.text for row in memories(session, "case")]
        lessons = [row.body.claim for row in session.exec(select(LessonRow)).all()]
    items: list[Any] = [item for row in rows for item in row.body.payload["items"]]  # type: ignore[union-attr]
    assert items, "nothing was recalled: nothing is tested"
    for item in items:
        weights = item["weights"]
        product = weights["similarity"] * weights["outcome"] * weights["recency"] * weights["regime"]
        assert weights["score"] == pytest.approx(product, abs=2e-4)
        assert weights["alike"] >= 1
        assert weights["age_sessions"] >= 0
    payloads = "".join(str(row.body.payload) for row in rows)
    assert not [text for text in (*texts, *lessons) if text in payloads]
    assert "lesson" not in payloads


def test_a_run_without_its_index_is_the_same_run(played: tuple[Store, RunSummary, Desk], tmp_path: Path) -> None:
    """The Chroma server of the settings is not there: a finding of no run, and the same content to the last digit."""
    _, expected, _ = played
    store = open_store(load_settings(home=tmp_path / "home", chroma_url="http://127.0.0.1:1"))
    found = play(store)
    with store.db.read() as session:
        (finding,) = session.exec(select(FindingRow).where(FindingRow.code == INDEX_DOWN)).all()
        of_run = session.exec(
            select(LedgerRow).where(LedgerRow.run_id == found.run, LedgerRow.kind == "finding.raised")
        )
        assert not [row for row in of_run if "recall" in str(row.content)]
    assert finding.run_id is None
    assert (found.ledger.entries, found.ledger.content_sha256) == (
        expected.ledger.entries, expected.ledger.content_sha256,
    )  # fmt: skip
    store.db.dispose()


def test_an_index_that_is_back_clears_its_finding(played: tuple[Store, RunSummary, Desk]) -> None:
    store, _, desk = played
    assert desk.recall is not None
    desk.recall.trouble = "nobody listens at 127.0.0.1:1"
    tell(store, desk.recall)
    with store.db.read() as session:
        (row,) = session.exec(select(FindingRow).where(FindingRow.code == INDEX_DOWN)).all()
        assert row.cleared_as_of is None
        assert "127.0.0.1:1" in row.body.message
    keep_recall(store, desk.recall)
    assert desk.recall.trouble is None
    with store.db.read() as session:
        (row,) = session.exec(select(FindingRow).where(FindingRow.code == INDEX_DOWN)).all()
        assert row.cleared_as_of is not None


def test_runbooks_are_remembered_once_for_every_run(played: tuple[Store, RunSummary, Desk]) -> None:
    store, _, desk = played
    assert desk.recall is not None
    assert remember_runbooks(desk.recall) == 0
    with store.db.read() as session:
        assert {row.subject for row in memories(session, "runbook")} == {book.id for book in runbooks()}
    asked = Question("another_run", 0, kinds=("runbook",), strategy="desk", floor=0.1)
    found = desk.recall.recall("the broker's book differs from ours", asked)
    assert found[0].subject == "break_found"


def test_what_settles_later_than_it_is_due_is_remembered_at_the_close_that_settled_it(
    played: tuple[Store, RunSummary, Desk],
) -> None:
    store, _, desk = played
    with store.db.write() as session:
        row = memories(session, "case")[0]
        case_id, index = row.id, row.known_index
        session.delete(row)
        outcome = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == case_id)).one()
        outcome.due_index = index - 1
        session.add(outcome)
    assert remember_close(desk, CycleWork(desk, index)).cases == 1
    with store.db.write() as session:
        assert session.get_one(MemoryRow, case_id).known_index == index
        outcome = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == case_id)).one()
        outcome.due_index = index
        session.add(outcome)


def test_two_homes_have_two_stamps_and_a_mode_has_its_own(played: tuple[Store, RunSummary, Desk], store: Store) -> None:
    mine, _, _ = played
    assert stamp_of(mine) != stamp_of(store)
    assert stamp_of(mine).startswith("replay-")


def test_a_summary_takes_whole_claims_that_say_why_first_and_none_that_is_tainted() -> None:
    claims = [
        {"kind": "market", "text": "M" * 900, "taint": False}, {"kind": "headline", "text": "strange", "taint": True},
        {"kind": "thesis", "text": "T" * 900, "taint": False},
    ]  # fmt: skip
    assert summary("head.", {"claims": claims}) == f"head. {'T' * 900}"
