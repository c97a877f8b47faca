"""Planted cases on a real desk: one of a session's places goes to a bad case, and no answer can send it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, select

from memory import ledger
from memory.tables import ApprovalRow, CanaryRow, CaseRow, FindingRow, GrantRow, LedgerRow, OrderRow, OutcomeRow
from pipeline import approvals
from pipeline.canaries import commitment_of
from pipeline.editing import Edit, edit
from pipeline.headless import run_sessions
from pipeline.policy import default_policy_text
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ANN
from tools.data.collectors.embedded import EmbeddedMarket
from tools.errors import ApprovalError

NAMES = tuple(EmbeddedMarket().symbols[:90])


def play(home: Path, sessions: int = 1, rate: str = "1", stand_in: str = "none", more: bool = False) -> Store:
    store = life.new_store(home)
    if not more:
        text = default_policy_text().replace('canary_rate: "0"', f'canary_rate: "{rate}"')
        (store.home.config / "policy.yaml").write_text(text)
    asyncio.run(
        run_sessions(
            store, sessions=sessions, symbols=None if more else NAMES, stand_in=stand_in, continue_run=more  # type: ignore[arg-type]
        )
    )  # fmt: skip
    return store


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("played") / "home"
    play(home).db.dispose()
    return home


@pytest.fixture
def planted(played: Path, tmp_path: Path) -> Iterator[Store]:
    """A desk where one of the waiting cases is planted."""
    shutil.copytree(played, tmp_path / "home")
    store = life.new_store(tmp_path / "home")
    yield store
    store.db.dispose()


def question(store: Store) -> ApprovalRow:
    with store.db.read() as session:
        row = session.exec(select(CanaryRow).where(col(CanaryRow.case_id).is_not(None))).one()
        return session.exec(select(ApprovalRow).where(ApprovalRow.case_id == row.case_id)).one()


def status(store: Store) -> str:
    with store.db.read() as session:
        return session.exec(select(CanaryRow.status)).one()


def nothing_can_be_sent(store: Store, asked: ApprovalRow) -> bool:
    with store.db.read() as session:
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == asked.case_id)).first()
        order = session.exec(select(OrderRow).where(OrderRow.case_id == asked.case_id)).first()
    return grant is None and order is None


def test_it_takes_a_place_and_stands_among_the_others(planted: Store) -> None:
    asked = question(planted)
    with planted.db.read() as session:
        waiting = session.exec(select(CaseRow).where(CaseRow.state == "awaiting").order_by(col(CaseRow.rank))).all()
        outcomes = set(session.exec(select(OutcomeRow.case_id)).all())
    assert len(waiting) == 5
    assert asked.case_id in {case.id for case in waiting}
    assert {case.id for case in waiting} - outcomes == {asked.case_id}
    assert len({tuple(sorted(case.review)) for case in waiting}) == 1


def test_the_plan_was_committed_before_the_case_was_opened(planted: Store) -> None:
    asked = question(planted)
    with planted.db.read() as session:
        committed = session.exec(select(LedgerRow.seq).where(LedgerRow.kind == "canary.committed")).one()
        drafted = session.exec(
            select(LedgerRow.seq).where(LedgerRow.case_id == asked.case_id).order_by(col(LedgerRow.seq))
        ).first()
    assert drafted is not None
    assert committed < drafted


def test_an_approval_raises_the_alarm_and_sends_nothing(planted: Store) -> None:
    asked = question(planted)
    said = approvals.decide(
        planted, asked.id, principal=ANN, decision="approve", digest=asked.digest, reason="looks fine"
    )
    assert said.status == "voided"
    assert status(planted) == "passed"
    with planted.db.read() as session:
        finding = session.exec(select(FindingRow).where(FindingRow.code == "canary_passed")).one()
        record = session.exec(select(LedgerRow).where(LedgerRow.kind == "canary.revealed")).one()
        committed = session.exec(select(LedgerRow).where(LedgerRow.kind == "canary.committed")).one()
    told = json.loads(record.content)["body"]
    assert ANN.name in finding.body.message
    assert told["commitment"] == json.loads(committed.content)["body"]["commitment"]
    assert told["commitment"] == commitment_of(
        told["salt"], told["run"], told["cycle_index"], told["flaw"], told["pick"]
    )
    assert nothing_can_be_sent(planted, asked)


def test_the_same_approval_again_is_the_same_answer(planted: Store) -> None:
    asked = question(planted)
    first, again = (
        approvals.decide(planted, asked.id, principal=ANN, decision="approve", digest=asked.digest, reason="fine")
        for _ in range(2)
    )
    assert (again.status, again.repeated) == (first.status, True)


def test_a_refusal_is_a_catch(planted: Store) -> None:
    asked = question(planted)
    said = approvals.decide(planted, asked.id, principal=ANN, decision="reject", digest=asked.digest, reason="wrong")
    assert said.status == "rejected"
    assert status(planted) == "caught"
    assert nothing_can_be_sent(planted, asked)


def test_an_edit_lets_it_pass_too(planted: Store) -> None:
    asked = question(planted)
    with planted.db.read() as session:
        less = session.get_one(CaseRow, asked.case_id).order.quantity - 1
    said = edit(
        planted, asked.id, principal=ANN, digest=asked.digest, change=Edit(quantity=less), reason="smaller",
        reason_code="smaller_size",
    )  # fmt: skip
    assert said.status == "voided"
    assert status(planted) == "passed"
    assert nothing_can_be_sent(planted, asked)


def test_a_second_person_cannot_answer_what_was_sprung(planted: Store) -> None:
    asked = question(planted)
    approvals.decide(planted, asked.id, principal=ANN, decision="approve", digest=asked.digest, reason="fine")
    with pytest.raises(ApprovalError) as caught:
        approvals.decide(planted, asked.id, principal=life.BOB, decision="approve", digest=asked.digest, reason="fine")
    assert caught.value.code == "expired"


def test_unanswered_it_is_revealed_when_time_is_over(planted: Store) -> None:
    home = planted.home.path
    planted.db.dispose()
    store = play(home, more=True)
    with store.db.read() as session:
        first = session.exec(select(CanaryRow).order_by(col(CanaryRow.cycle_index))).first()
    store.db.dispose()
    assert first is not None
    assert (first.status, first.revealed) == ("unanswered", True)


def test_two_homes_with_planted_cases_have_the_same_content(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        store = play(tmp_path / name, sessions=2, stand_in="approve")
        with store.db.read() as session:
            run = session.exec(select(CanaryRow.run_id)).first()
            assert run is not None
            seen.append(ledger.content_sha256(session, run))
            assert "passed" in session.exec(select(CanaryRow.status)).all()
            assert session.exec(select(FindingRow).where(FindingRow.code == "canary_passed")).first() is None
        store.db.dispose()
    assert seen[0] == seen[1]


def test_at_rate_zero_nobody_plants(tmp_path: Path) -> None:
    store = play(tmp_path / "home", rate="0")
    assert life.count(store, CanaryRow) == 0
    store.db.dispose()
