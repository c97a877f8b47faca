"""The life of a case: the table of legal steps, exhaustively, and one mover at a time."""

from __future__ import annotations

from itertools import product

import pytest
from sqlmodel import select

from memory.ledger import Stage
from memory.tables import CaseRow, LedgerRow
from pipeline.cases import STEPS, advance
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import code_of
from tools.types import CaseState as S

LEGAL = {
    (S.DRAFTED, S.BLOCKED), (S.DRAFTED, S.AWAITING), (S.DRAFTED, S.APPROVED), (S.DRAFTED, S.VOIDED),
    (S.AWAITING, S.APPROVED), (S.AWAITING, S.REJECTED), (S.AWAITING, S.EXPIRED), (S.AWAITING, S.VOIDED),
    (S.AWAITING, S.SUPERSEDED), (S.APPROVED, S.SUBMITTED), (S.APPROVED, S.VOIDED), (S.APPROVED, S.REJECTED),
    (S.APPROVED, S.CANCELLED), (S.SUBMITTED, S.DONE), (S.SUBMITTED, S.CANCELLED), (S.SUBMITTED, S.UNKNOWN),
    (S.UNKNOWN, S.DONE), (S.UNKNOWN, S.CANCELLED), (S.UNKNOWN, S.SUBMITTED), (S.DONE, S.SETTLED),
    (S.BLOCKED, S.DRAFTED),
}  # fmt: skip
FINAL = {S.NOT_SELECTED, S.REJECTED, S.EXPIRED, S.VOIDED, S.SUPERSEDED, S.CANCELLED, S.SETTLED}


def move(store: Store, case: CaseRow, to: S) -> None:
    with store.db.write() as session:
        advance(session, session.merge(case, load=False), to, content={"n": 1}, desk_time=life.AS_OF, stage=Stage.CASE)


def put(store: Store, case_id: str, state: S) -> CaseRow:
    with store.db.write() as session:
        row = session.get_one(CaseRow, case_id)
        row.state = state.value
        session.add(row)
    return row


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    store = life.new_store(tmp_path_factory.mktemp("cases") / "home")
    life.seed_run(store)
    return store, life.draft(store, life.proposal())


@pytest.mark.parametrize(("before", "after"), list(product(S, S)), ids=lambda state: state.value)
def test_every_step_is_legal_or_refused(table: tuple[Store, str], before: S, after: S) -> None:
    store, case_id = table
    case = put(store, case_id, before)
    records = life.count(store, LedgerRow)
    expected = "" if (before, after) in LEGAL else "illegal_step"
    assert code_of(lambda: move(store, case, after)) == expected
    with store.db.read() as session:
        found = session.get_one(CaseRow, case_id)
    moved = not expected
    assert (found.state, found.revision) == ((after if moved else before).value, case.revision + moved)
    assert life.count(store, LedgerRow) == records + moved


def test_no_step_leads_out_of_a_final_state_and_every_other_state_has_one() -> None:
    assert {state for state in S if not STEPS.get(state)} == FINAL
    assert not any((state, state) in LEGAL for state in S)


def test_a_second_mover_with_an_old_picture_finds_the_case_moved(store: Store) -> None:
    case_id = life.draft(store, life.proposal())
    with store.db.read() as session:
        old = session.get_one(CaseRow, case_id)
    with store.db.read() as session:
        move(store, session.get_one(CaseRow, case_id), S.BLOCKED)
    before = life.everything(store)
    assert code_of(lambda: move(store, old, S.VOIDED)) == "case_moved"
    assert life.everything(store) == before
    with store.db.read() as session:
        assert session.get_one(CaseRow, case_id).state == "blocked"


def test_a_move_and_its_record_live_or_die_together(store: Store) -> None:
    case_id = life.draft(store, life.proposal())

    def attempt() -> None:
        with store.db.write() as session:
            row = session.get_one(CaseRow, case_id)
            advance(session, row, S.BLOCKED, content={}, desk_time=life.AS_OF, stage=Stage.CASE)
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        attempt()
    with store.db.read() as session:
        assert session.get_one(CaseRow, case_id).state == "drafted"
        assert session.exec(select(LedgerRow).where(LedgerRow.case_id == case_id)).all() == []


def test_two_open_cases_of_one_strategy_symbol_and_side_cannot_exist(any_store: Store) -> None:
    life.draft(any_store, life.proposal(strategy="trend"))
    with pytest.raises(Exception, match=r"(?i)unique"):
        life.draft(any_store, life.proposal(1, strategy="trend"))
    life.draft(any_store, life.proposal(2, strategy="reversion"))
