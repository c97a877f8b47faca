"""One approval life as a state machine: whatever happens in whatever order, never two orders, never one unapproved.

The rules are what people and the desk may do: answer, expire, halt, release, submit, die and come back.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, DecisionRow, GrantRow, OrderRow, OutboxRow
from pipeline import approvals, halt, halt_release
from pipeline.activation import in_force
from pipeline.store import Principal
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, CARL, ONE, STAND_IN, TWO, code_of

PEOPLE = (ANN, BOB, CARL, STAND_IN)
MAY_SAY = {"", "decided", "expired", "forbidden", "stale_digest"}


class ApprovalLife(RuleBasedStateMachine):
    """One entry, asked of one or two people, and a model of who may have released it."""

    template: Path
    ends: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="qd-life-"))
        shutil.copytree(self.template, self.folder / "home")
        self.store = life.new_store(self.folder / "home")
        self.approved_by: set[str] = set()
        self.refused = False
        self.halts = self.sessions = 0

    @initialize(two=st.booleans(), given=st.integers(0, 2))
    def ask(self, two: bool, given: int) -> None:
        """Put the case to people; some of them may have answered before anything else happens."""
        self.required = 2 if two else 1
        self.question = life.ask(self.store, ruling=TWO if two else ONE)
        for who in (ANN, BOB)[:given]:
            self.approve(who)

    def decide(self, who: Principal, decision: approvals.Answer, digest: str | None = None) -> str:
        digest = digest or self.question.digest
        code = code_of(lambda: life.say(self.store, self.question, who, decision, digest=digest))
        assert code in MAY_SAY
        return code

    @rule(who=st.sampled_from(PEOPLE))
    def approve(self, who: Principal) -> None:
        if not self.decide(who, "approve"):
            assert not self.halted() or who.name in self.approved_by
            self.approved_by.add(who.name)

    @rule(who=st.sampled_from(PEOPLE))
    def reject(self, who: Principal) -> None:
        if not self.decide(who, "reject"):
            self.refused = True

    @rule(who=st.sampled_from(PEOPLE), decision=st.sampled_from(["approve", "reject"]))
    def answer_about_something_else(self, who: Principal, decision: approvals.Answer) -> None:
        assert self.decide(who, decision, "0" * 64) == "stale_digest"

    @precondition(lambda self: self.halts < 1)
    @rule(action=st.sampled_from(["no_new", "cancel", "file"]))
    def engage(self, action: Literal["no_new", "cancel", "file"]) -> None:
        self.halts += 1
        if action == "file":
            self.store.home.halt_file.touch()
        else:
            halt.engage(self.store, action=action, reason="drill", principal=BOB)

    @precondition(lambda self: self.sessions < 2)
    @rule()
    def next_session(self) -> None:
        self.sessions += 1
        life.expire(self.store, 60 + self.sessions)

    @precondition(lambda self: self.halted())
    @rule()
    def release(self) -> None:
        halt_release.release(self.store, reason="over", principal=BOB)
        assert self.state() not in ("awaiting", "approved")

    def _submit(self, times: int) -> None:
        before, halted = self.state(), self.halted()
        for _ in range(times):
            life.submit(self.store, self.question)
        if before == "approved":
            assert self.state() in (("voided",) if halted else ("submitted", "voided"))
        else:
            assert self.state() == before

    @rule()
    def submit(self) -> None:
        self._submit(1)

    @rule()
    def submit_twice(self) -> None:
        self._submit(2)

    @rule()
    def submit_after_a_crash(self) -> None:
        self.restart()
        self._submit(1)

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
    in_force(store)
    store.publish_head()
    store.db.dispose()
    machine = type("Life", (ApprovalLife,), {"template": tmp_path / "home"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=35, stateful_step_count=12, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    assert {"submitted", "voided", "rejected"} <= set(ApprovalLife.ends), (
        f"the machine never went far enough: {ApprovalLife.ends}"
    )


def test_the_machine_would_notice_an_order_without_approval(tmp_path: Path) -> None:
    """The invariant is worth something: a forged order is seen."""
    store = life.new_store(tmp_path / "home")
    life.seed_run(store)
    store.db.dispose()
    machine = type("Life", (ApprovalLife,), {"template": tmp_path / "home"})()
    machine.ask(two=False, given=0)
    machine.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
    life.say(machine.store, machine.question)
    machine.approved_by.add("ann")
    life.submit(machine.store, machine.question)
    life.tamper(machine.store, "UPDATE grants SET status = 'minted'")
    with pytest.raises(AssertionError):
        machine.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
    machine.teardown()
