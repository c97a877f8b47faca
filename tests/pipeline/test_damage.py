"""One damaged record stops its own case and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, select

from memory.columns import Damaged
from memory.tables import ApprovalRow, CaseRow, FindingRow
from pipeline.damage import set_aside
from pipeline.desk import RunRequest, open_desk, start_run
from pipeline.headless import open_player, stand_in_decides
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import code_of, say

SYMBOLS = ("AMD", "EL", "TXT", "FCX", "PNC")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = life.new_store(tmp_path / "home")
    yield made
    made.db.dispose()


def break_body(store: Store, case_id: str) -> None:
    life.tamper(store, "UPDATE cases SET body = '{\"kind\"' WHERE id = :id", id=case_id)


def messages(store: Store) -> list[str]:
    with store.db.read() as session:
        rows = session.exec(select(FindingRow).where(FindingRow.code == "tampered")).all()
    assert {row.severity for row in rows} <= {"critical"}
    return [row.body.message for row in rows]


def test_a_damaged_waiting_case_takes_a_refusal_and_no_approval(store: Store) -> None:
    life.seed_run(store)
    asked = life.ask(store)
    break_body(store, asked.case_id)
    assert code_of(lambda: say(store, asked)) == "stale_digest"
    assert set_aside(store, life.RUN) == (asked.case_id,)
    assert life.truth(store, asked).state == "voided"
    assert code_of(lambda: say(store, asked, decision="reject")) != "", "there is nothing left to answer"


def test_an_approved_damaged_case_is_void_with_its_grant_and_said_once(store: Store) -> None:
    life.seed_run(store)
    asked, other = life.ask(store), life.ask(store, life.proposal(1))
    say(store, asked)
    say(store, other)
    break_body(store, asked.case_id)
    set_aside(store, life.RUN)
    assert life.truth(store, asked) == life.Truth("voided", "voided", ("voided",), 0, 0, 1)
    assert life.submit(store, other) == "submitted"
    assert set_aside(store, life.RUN) == ()
    assert messages(store) == [f"the record of case {asked.case_id} (order.entry IBM) is damaged"]


def test_damage_found_only_at_submission_is_tampering_too(store: Store) -> None:
    life.seed_run(store)
    asked = life.ask(store)
    say(store, asked)
    break_body(store, asked.case_id)
    assert life.submit(store, asked) == "voided"
    assert messages(store) == [f"case {asked.case_id}: its record was damaged; nothing was sent"]


async def test_a_session_goes_on_over_a_damaged_case_and_trades_the_others(store: Store) -> None:
    start_run(store, RunRequest(symbols=SYMBOLS))
    desk = open_desk(store)
    async with open_player(desk) as player:
        await player.play()
        with store.db.read() as session:
            waiting = session.exec(select(ApprovalRow).where(ApprovalRow.status == "pending")).all()
        assert len(waiting) > 1
        assert stand_in_decides(desk, "approve", 1) == len(waiting)
        broken = waiting[0].case_id
        break_body(store, broken)
        await player.play()
    with store.db.read() as session:
        row = session.get_one(CaseRow, broken)
        others = session.exec(
            select(CaseRow.state).where(col(CaseRow.id).in_([one.case_id for one in waiting[1:]]))
        ).all()
    assert (row.state, row.reason) == ("voided", "its record was damaged")
    assert {"done", "submitted"} & set(others)
    assert len(messages(store)) == 1
    assert row.order.digest == row.digest, "the ledger had the record: it was put back for people to read"


async def test_what_is_already_at_the_broker_is_restored_from_the_ledger(store: Store) -> None:
    start_run(store, RunRequest(symbols=SYMBOLS))
    desk = open_desk(store)
    async with open_player(desk) as player:
        await player.play()
        stand_in_decides(desk, "approve", 1)
        await player.play()
        with store.db.read() as session:
            done = session.exec(select(CaseRow).where(CaseRow.state == "done")).first()
        assert done is not None
        break_body(store, done.id)
        await player.play()
    with store.db.read() as session:
        row = session.get_one(CaseRow, done.id)
    assert row.state == "done"
    assert row.order == done.order


def test_without_a_sound_record_the_case_stays_damaged(store: Store) -> None:
    life.seed_run(store)
    asked = life.ask(store)
    break_body(store, asked.case_id)
    set_aside(store, life.RUN)
    with store.db.read() as session:
        assert isinstance(session.get_one(CaseRow, asked.case_id).body, Damaged)
