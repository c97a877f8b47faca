"""Capacity per person: how much people can hold now, and what it cost that the rest was not asked."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.tables import CanaryRow, CaseRow, OutcomeRow, RunRow
from pipeline import people
from pipeline.capacity import capacity_cost, load_of
from pipeline.policy import Load, default_policy_text, load_policy
from pipeline.store import Store, now
from tests.people_help import ROOT, add, make_passwords_cheap
from tests.pipeline import life
from tests.pipeline.life import RUN, SESSION, say
from tools.errors import ConfigError
from tools.types import CaseState, Outcome

DEFAULT = load_policy(default_policy_text())


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


def load(store: Store) -> Load:
    with store.db.read() as session:
        return load_of(session, session.get_one(RunRow, RUN))


def test_in_replay_the_local_operator_is_one_person(store: Store) -> None:
    assert load(store) == Load(people=1, waiting=0)


def test_everybody_active_who_may_approve_counts_and_nobody_else(store: Store) -> None:
    for name, role in {"ann": "approver", "rita": "risk_officer", "otto": "operator", "vera": "viewer"}.items():
        add(store, name, role)
    assert load(store).people == 2
    people.disable(store, "rita", by=ROOT)
    assert load(store).people == 1


def test_a_desk_without_approvers_can_hold_nothing_outside_replay(store: Store) -> None:
    with store.db.write() as session:
        run = session.get_one(RunRow, RUN)
        run.mode = "paper"
        session.add(run)
    assert load(store).people == 0
    assert DEFAULT.model_copy(update={"capacity_per_person": 9}).free_places(load(store)) == 0


def test_entries_that_wait_count_until_they_are_answered_and_exits_never(store: Store) -> None:
    first, second = life.ask(store), life.ask(store, life.proposal(1))
    life.ask(store, life.exit_proposal(2))
    assert load(store).waiting == 2
    say(store, first)
    assert load(store).waiting == 1
    say(store, second, decision="reject")
    assert load(store).waiting == 0


def test_a_planted_case_takes_nobodys_place(store: Store) -> None:
    asked = life.ask(store)
    with store.db.write() as session:
        session.add(
            CanaryRow(
                id="can_1", run_id=RUN, cycle_index=60, flaw="stale", pick=0, salt="s", commitment="c",
                status="asked", case_id=asked.case_id, revealed=False, committed_wall=now(),
            )
        )  # fmt: skip
    assert load(store).waiting == 0


@given(st.none() | st.integers(1, 50), st.integers(0, 9), st.integers(0, 99))
def test_free_places_are_what_everybody_holds_less_what_waits(per: int | None, people: int, waiting: int) -> None:
    free = DEFAULT.model_copy(update={"capacity_per_person": per}).free_places(Load(people=people, waiting=waiting))
    assert free == (None if per is None else max(0, per * people - waiting))


CARRIED = """
capacity_tests:
  - name: one person holds three
    given: {people: 1, waiting: 2}
    asks: ASKS
"""


@pytest.mark.parametrize(("asks", "passes"), [("1", True), ("2", False), ("5", False)])
def test_a_policy_file_tests_its_own_capacity(asks: str, passes: bool) -> None:
    text = (
        default_policy_text()
        .split("capacity_tests:")[0]
        .replace("# capacity_per_person: 8 ", "capacity_per_person: 3 ")
    )
    text += CARRIED.replace("ASKS", asks)
    if passes:
        assert load_policy(text).capacity_per_person == 3
    else:
        with pytest.raises(ConfigError, match="one person holds three: asks 1, expected") as caught:
            load_policy(text)
        assert caught.value.code == "policy_test_failed"


@pytest.mark.parametrize("value", ["0", "-1", "many", "501"])
def test_a_capacity_that_is_none_is_refused(value: str) -> None:
    text = default_policy_text().replace("# capacity_per_person: 8 ", f"capacity_per_person: {value} ")
    with pytest.raises(ConfigError, match="capacity_per_person"):
        load_policy(text)


def settle(store: Store, case_id: str, excess: float | None) -> None:
    with store.db.write() as session:
        case = session.get_one(CaseRow, case_id)
        body = Outcome(
            id=f"out_{case_id}", proposal_id=case.order.id, case_id=case_id, strategy=case.strategy, symbol=case.symbol,
            side="buy", disposition="filled", opened=SESSION, due=date(2009, 11, 30), horizon_sessions=10,
            entry_price=Decimal("120.5"), excess_return=excess, settled=excess is not None,
        )  # fmt: skip
        session.add(
            OutcomeRow(
                id=body.id, run_id=RUN, case_id=case_id, strategy=case.strategy, symbol=case.symbol,
                disposition="filled", settled=body.settled, opened_index=60, due_index=70, index_entry=1093.48,
                body=body,
            )
        )  # fmt: skip


def leave_out(store: Store, number: int, reason: str, excess: float | None) -> None:
    case_id = life.draft(store, life.proposal(number))
    with store.db.write() as session:
        case = session.get_one(CaseRow, case_id)
        case.state, case.reason = CaseState.NOT_SELECTED.value, reason
        session.add(case)
    settle(store, case_id, excess)


def test_the_cost_is_what_was_left_out_against_what_was_asked(store: Store) -> None:
    for number, excess in enumerate((0.02, -0.01, None)):
        settle(store, life.ask(store, life.proposal(number)).case_id, excess)
    leave_out(store, 10, "capacity", 0.04)
    leave_out(store, 11, "people_busy", 0.02)
    leave_out(store, 12, "people_busy", None)
    leave_out(store, 13, "same_symbol", 9.0)
    with store.db.read() as session:
        cost = capacity_cost(session, RUN)
        assert capacity_cost(session, "run_none").asked.entries == 0
    assert (cost.asked.entries, cost.asked.settled, cost.asked.mean_excess_return) == (3, 2, 0.005)
    assert (cost.not_selected.entries, cost.not_selected.settled) == (3, 2)
    assert cost.not_selected.mean_excess_return == pytest.approx(0.03)
    assert cost.given_up == pytest.approx(0.025)
    assert [(line.name, line.entries, line.mean_excess_return) for line in cost.reasons] == [
        ("capacity", 1, 0.04), ("people_busy", 2, 0.02),
    ]  # fmt: skip


def test_without_settled_outcomes_no_cost_is_claimed(store: Store) -> None:
    leave_out(store, 1, "people_busy", None)
    with store.db.read() as session:
        cost = capacity_cost(session)
    assert (cost.asked.mean_excess_return, cost.not_selected.mean_excess_return, cost.given_up) == (None, None, None)
