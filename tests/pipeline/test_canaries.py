"""Planted cases: committed beforehand, told from nothing else, revealed afterwards, and what an answer leads to."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from memory.ledger import content_sha256
from memory.tables import CanaryRow, FindingRow, LedgerRow, RunRow
from pipeline import canaries
from pipeline.canaries import CanaryPlan, commitment_of, is_due, settle
from pipeline.policy import Ruling
from pipeline.store import Principal, Store
from tests.pipeline import life
from tests.pipeline.life import ANN, AS_OF, BOB, TWO, Question
from tests.pipeline.notify.outside import configure, hook, rows
from tools.errors import ExecutionError
from tools.strategy.canaries import FLAWS

ALWAYS = Decimal(1)
HALF = Decimal("0.5")


def commit(store: Store, cycle_index: int = 60, rate: Decimal = ALWAYS, secret: str = "") -> CanaryPlan | None:
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        return canaries.commit(session, run, cycle_index, AS_OF, rate=rate, secret=secret)


def plant(store: Store, ruling: Ruling = life.ONE) -> Question:
    """A planted case that waits for people like any other."""
    plan = commit(store)
    assert plan is not None
    question = life.ask(store, life.proposal(), ruling)
    with store.db.write() as session:
        canaries.plant(session, plan, question.case_id)
    return question


def answer(store: Store, question: Question, decision: str, who: Principal = ANN) -> bool:
    with store.db.write() as session:
        return settle(session, question.approval_id, decision, who)


def reveal(store: Store, session_index: int) -> int:
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        run.session_index = session_index
        session.add(run)
        return canaries.reveal_due(session, run)


def row(store: Store) -> CanaryRow:
    with store.db.read() as session:
        return session.exec(select(CanaryRow)).one()


def records(store: Store, kind: str) -> list[LedgerRow]:
    with store.db.read() as session:
        return list(session.exec(select(LedgerRow).where(LedgerRow.kind == kind).order_by(col(LedgerRow.seq))).all())


def body(record: LedgerRow) -> dict[str, object]:
    found: dict[str, object] = json.loads(record.content)["body"]
    return found


def test_at_rate_zero_nothing_is_written(any_store: Store) -> None:
    before = life.everything(any_store)
    assert [commit(any_store, index, Decimal(0)) for index in range(20)] == [None] * 20
    assert life.everything(any_store) == before
    assert life.count(any_store, CanaryRow) == 0


@given(st.integers(0, 1000), st.integers(0, 10_000), st.decimals("0", "1", places=3), st.text(max_size=5))
def test_the_choice_is_the_same_every_time_and_a_higher_rate_only_adds(
    seed: int, cycle: int, rate: Decimal, secret: str
) -> None:
    due = is_due(seed, "run_1", cycle, rate, secret)
    assert due == is_due(seed, "run_1", cycle, rate, secret)
    assert not due or is_due(seed, "run_1", cycle, min(Decimal(1), rate + Decimal("0.1")), secret)
    assert is_due(seed, "run_1", cycle, Decimal(1), secret)
    assert not is_due(seed, "run_1", cycle, Decimal(0), secret)


def test_about_the_share_asked_for_is_planted_and_every_flaw_occurs(store: Store) -> None:
    share = sum(is_due(0, "run_1", cycle, Decimal("0.1")) for cycle in range(5_000)) / 5_000
    assert 0.08 < share < 0.12
    plans = [commit(store, cycle) for cycle in range(60)]
    assert {plan.flaw for plan in plans if plan} == set(FLAWS)


def test_a_secret_of_the_home_changes_which_cycles_are_planted() -> None:
    said = [[is_due(0, "run_1", cycle, HALF, secret) for cycle in range(64)] for secret in ("", "a", "b")]
    assert said[0] != said[1] != said[2]


def test_a_reader_of_the_ledger_cannot_tell_which_cycles_are_planted(store: Store) -> None:
    plans = [commit(store, cycle, HALF) for cycle in range(20)]
    assert {plan is None for plan in plans} == {True, False}
    told = records(store, "canary.committed")
    assert len(told) == 20
    assert {tuple(sorted(body(one))) for one in told} == {("commitment", "cycle_index", "run")}
    assert len({len(one.content) for one in told}) <= 2
    assert {one.case_id for one in told} == {None}


def test_a_cycle_that_is_computed_again_gets_the_same_plan_and_one_commitment(any_store: Store) -> None:
    assert commit(any_store) == commit(any_store, rate=Decimal("0.5")) == commit(any_store, rate=Decimal(0))
    assert len(records(any_store, "canary.committed")) == 1


def test_two_desks_commit_to_the_same_plan_under_different_salts(store: Store, tmp_path: object) -> None:
    first = commit(store)
    salt = row(store).salt
    with store.db.write() as session:
        session.delete(session.exec(select(CanaryRow)).one())
    assert commit(store) == first
    assert row(store).salt != salt


def test_no_record_of_it_belongs_to_the_run(store: Store) -> None:
    with store.db.read() as session:
        before = content_sha256(session, life.RUN)
    commit(store, 58, Decimal("0.0001"))
    commit(store, 59)
    reveal(store, 60)
    with store.db.read() as session:
        assert content_sha256(session, life.RUN) == before


def test_a_planted_case_is_known_as_such_and_no_other(any_store: Store) -> None:
    other = life.ask(any_store, life.proposal(1))
    question = plant(any_store)
    with any_store.db.read() as session:
        assert canaries.is_canary(session, question.case_id)
        assert not canaries.is_canary(session, other.case_id)
        assert canaries.planted_cases(session, life.RUN) == {question.case_id}
        assert canaries.planted_cases(session, "run_2") == frozenset()


def test_a_plan_is_planted_once(store: Store) -> None:
    question, plan = plant(store), commit(store)
    assert plan is not None
    with store.db.write() as session:
        canaries.plant(session, plan, question.case_id)
    with pytest.raises(ExecutionError) as caught, store.db.write() as session:
        canaries.plant(session, plan, "case_other")
    assert caught.value.code == "canary_used"


@pytest.mark.parametrize("decision", ["approve", "edit"])
def test_who_lets_it_pass_is_told_of_with_an_alarm(any_store: Store, decision: str) -> None:
    configure(any_store, webhooks=[hook("https://hooks.example.com/x")])
    question = plant(any_store)
    assert answer(any_store, question, decision)
    assert (row(any_store).status, row(any_store).principal) == ("passed", "ann")
    with any_store.db.read() as session:
        (finding,) = session.exec(select(FindingRow).where(FindingRow.code == "canary_passed")).all()
    assert finding.severity == "critical"
    assert "ann approved the planted case" in finding.body.message
    (told,) = (item for item in rows(any_store) if item.event == "canary.passed")
    assert (told.event, told.content["decided_by"]) == ("canary.passed", "ann")


def test_who_refuses_it_has_caught_it_and_nobody_is_alarmed(store: Store) -> None:
    configure(store, webhooks=[hook("https://hooks.example.com/x")])
    question = plant(store)
    assert not answer(store, question, "reject")
    assert (row(store).status, row(store).principal) == ("caught", "ann")
    assert life.findings(store) == []
    assert [item for item in rows(store) if item.event == "canary.passed"] == []


def test_an_answer_reveals_what_the_commitment_can_be_checked_with(store: Store) -> None:
    question = plant(store)
    (promised,) = records(store, "canary.committed")
    assert records(store, "canary.revealed") == []
    answer(store, question, "approve")
    (told,) = records(store, "canary.revealed")
    said = body(told)
    again = commitment_of(str(said["salt"]), life.RUN, 60, str(said["flaw"]), int(str(said["pick"])))
    assert again == said["commitment"] == body(promised)["commitment"]
    assert promised.seq < told.seq
    assert told.case_id == question.case_id
    assert store.verify_ledger().verified


@given(st.sampled_from(["flaw", "pick", "salt", "cycle"]))
def test_no_other_plan_fits_a_commitment(part: str) -> None:
    given = {"salt": "s", "run_id": "run_1", "cycle_index": 60, "flaw": "against_trend", "pick": 7}
    changed = {"flaw": None, "pick": 8, "salt": "t", "cycle": 61}[part]
    other = {**given, ("cycle_index" if part == "cycle" else part): changed}
    assert commitment_of(**given) != commitment_of(**other)  # type: ignore[arg-type]


def test_the_first_answer_counts(store: Store) -> None:
    question = plant(store, TWO)
    assert not answer(store, question, "respond")
    assert answer(store, question, "approve")
    assert not answer(store, question, "approve", BOB)
    assert not answer(store, question, "reject", BOB)
    assert row(store).principal == "ann"
    assert len(records(store, "canary.revealed")) == 1


def test_an_answer_to_a_real_case_settles_nothing(store: Store) -> None:
    question = life.ask(store)
    assert not answer(store, question, "approve")
    assert life.findings(store) == []
    with store.db.write() as session:
        assert not settle(session, "appr_none", "approve", ANN)


def test_what_is_over_is_revealed_and_what_waits_stays_secret(any_store: Store) -> None:
    commit(any_store, 58, Decimal("0.0001"))
    commit(any_store, 59)
    plant(any_store)
    assert reveal(any_store, 60) == 2
    assert reveal(any_store, 61) == 0
    life.expire(any_store, 61)
    assert reveal(any_store, 61) == 1
    assert reveal(any_store, 62) == 0
    assert [body(one)["status"] for one in records(any_store, "canary.revealed")] == [
        "empty",
        "unanswered",
        "unanswered",
    ]


def test_its_review_says_what_a_sound_case_says() -> None:
    proposal = life.proposal()
    review = canaries.review_of(proposal, "rules")
    assert (review.proposal_id, review.verdict) == (proposal.id, "keep")
    assert review.factor == 1
    assert review.reasons[0].code == "sound"
