"""One approval life as a state machine: whatever happens in whatever order, never two orders, never one unapproved.

The rules are what people and the desk may do: answer, expire, halt, release, submit, die and come back.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, DecisionRow, GrantRow, OrderRow, OutboxRow, RunRow
from pipeline import approvals, halt
from pipeline.store import Principal
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, CARL, ONE, STAND_IN, TWO, code_of

PEOPLE = (ANN, BOB, CARL, STAND_IN)
MAY_SAY = {"", "decided", "expired", "forbidden", "stale_digest"}


class ApprovalLife(RuleBasedStateMachine):
    """One entry, asked of one or two people, and a model of who may have released it."""

    template: Path
    ends: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="qd-life-"))
        shutil.copytree(self.template, self.folder / "home")
        self.store = life.new_store(self.folder / "home")
        self.approved_by: set[str] = set()
        self.refused = False

    @initialize(two=st.booleans())
    def ask(self, two: bool) -> None:
        self.required = 2 if two else 1
        self.question = life.ask(self.store, ruling=TWO if two else ONE)

    @rule(who=st.sampled_from(PEOPLE), decision=st.sampled_from(["approve", "reject"]), stale=st.booleans())
    def decide(self, who: Principal, decision: approvals.Answer, stale: bool) -> None:
        digest = "0" * 64 if stale else self.question.digest
        code = code_of(lambda: life.say(self.store, self.question, who, decision, digest=digest))
        assert code in MAY_SAY
        if stale:
            assert code != ""
        elif not code and decision == "approve":
            assert not self.halted() or who.name in self.approved_by
            self.approved_by.add(who.name)
        elif not code:
            self.refused = True

    @rule()
    def next_session(self) -> None:
        with self.store.db.read() as session:
            index = session.get_one(RunRow, life.RUN).session_index
        life.expire(self.store, index + 1)

    @rule(action=st.sampled_from(["no_new", "cancel"]))
    def engage(self, action: halt.Action) -> None:
        halt.engage(self.store, action=action, reason="drill", principal=BOB)

    @rule()
    def touch_halt_file(self) -> None:
        self.store.home.halt_file.touch()

    @precondition(lambda self: self.halted())
    @rule()
    def release(self) -> None:
        halt.release(self.store, reason="over", principal=BOB)
        assert self.state() not in ("awaiting", "approved")

    @rule(times=st.integers(1, 2))
    def submit(self, times: int) -> None:
        before = self.state()
        halted = self.halted()
        for _ in range(times):
            life.submit(self.store, self.question)
        if before == "approved":
            assert self.state() in (("voided",) if halted else ("submitted", "voided"))
        else:
            assert self.state() == before

    @rule()
    def restart(self) -> None:
        """The desk dies and another opens the same home."""
        self.store.db.dispose()
        self.store = life.new_store(self.folder / "home")

    def halted(self) -> bool:
        return halt.stands(self.store)

    def state(self) -> str:
        return life.truth(self.store, self.question).state

    @invariant()
    def an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest(self) -> None:
        if not hasattr(self, "question"):
            return
        with self.store.db.read() as session:
            case = session.get_one(CaseRow, self.question.case_id)
            grants = session.exec(select(GrantRow)).all()
            orders = session.exec(select(OrderRow)).all()
            sent = session.exec(select(OutboxRow)).all()
            said = session.exec(select(DecisionRow)).all()
            asked = session.exec(select(ApprovalRow)).one()
        assert len(orders) <= 1
        assert len(grants) <= 1
        assert len(sent) == len(orders)
        assert {d.principal for d in said if d.decision == "approve"} == self.approved_by
        assert any(d.decision == "reject" for d in said) == self.refused
        if grants:
            assert set(grants[0].body["principals"]) <= self.approved_by
            assert len(set(grants[0].body["principals"])) >= self.required
        assert bool(orders) == any(grant.status == "consumed" for grant in grants)
        assert bool(orders) == (case.state == "submitted")
        if orders:
            assert grants[0].digest == case.body.digest == asked.digest == self.question.digest
            assert orders[0].quantity <= grants[0].quantity_budget
            assert not self.refused
        if self.refused:
            assert case.state == "rejected"
        if case.state != "approved":
            assert all(grant.status != "minted" for grant in grants)

    def teardown(self) -> None:
        try:
            found = self.store.verify_ledger()
            assert found.verified, found.problems
            self.ends[self.state()] += 1
        finally:
            self.store.db.dispose()
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.mark.slow
def test_no_order_of_events_gives_two_orders_or_one_without_enough_people(tmp_path: Path) -> None:
    store = life.new_store(tmp_path / "home")
    life.seed_run(store)
    life.in_force(store)
    store.publish_head()
    _ = store.grant_key
    store.db.dispose()
    machine = type("Life", (ApprovalLife,), {"template": tmp_path / "home"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    assert {"submitted", "voided", "rejected"} <= set(ApprovalLife.ends), "the machine never went far enough"


def test_the_machine_would_notice_an_order_without_approval(tmp_path: Path) -> None:
    """The invariant is worth something: a forged order is seen."""
    store = life.new_store(tmp_path / "home")
    life.seed_run(store)
    store.db.dispose()
    machine = type("Life", (ApprovalLife,), {"template": tmp_path / "home"})()
    machine.ask(two=False)
    machine.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
    life.say(machine.store, machine.question)
    machine.approved_by.add("ann")
    life.submit(machine.store, machine.question)
    life.tamper(machine.store, "UPDATE grants SET status = 'minted'")
    with pytest.raises(AssertionError):
        machine.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
    machine.teardown()

