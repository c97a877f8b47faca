"""One approval life as a state machine of Hypothesis.

The rules are what people and the desk may do: answer, edit, ask, extend, lend a role, shut somebody out, turn the
clock, halt, release, submit, do two of these at once, die and come back. Each must end with the code that
`life_model.Expected` gives, and after each the invariants hold over the tables.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, DecisionRow, EditRow, GrantRow, OrderRow, OutboxRow
from pipeline import attention, delegation, halt, halt_release, heartbeats, people, queue_time
from pipeline.activation import InForce
from pipeline.editing import Edit, changed, edit
from pipeline.policy import Ruling
from pipeline.questions import respond
from pipeline.store import Principal
from tests.people_help import ROOT
from tests.pipeline import life
from tests.pipeline.life import BOB, CARL, STAND_IN, code_of
from tests.pipeline.life_model import BAND_LOW, EQUITY, LARGE_SHARE, PRICE, QUANTITY, STOP, Cast, Expected
from tools.errors import ApprovalError

ANN, BEA, RITA = Cast("ann", "approver"), Cast("bea", "approver"), Cast("rita", "risk_officer")
SAM = Cast("sam", "approver", order_limit=Decimal(8_000))
VIC, ROBOT = Cast("vic", "viewer"), Cast(STAND_IN.name, "", is_person=False)
PEOPLE = (ANN, BEA, RITA, SAM, VIC)
MORNING = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
"""Half an hour before the clocks of Europe are put forward."""
ANYBODY = st.sampled_from((*PEOPLE, ROBOT))
SOMEBODY = st.sampled_from(PEOPLE)
ANSWER = st.sampled_from(("approve", "approve", "reject"))
STOPS = st.sampled_from((STOP, Decimal(115), Decimal("117.99"), BAND_LOW, Decimal(113)))
QUANTITIES = st.sampled_from((40, 40, 66, 67, 80, QUANTITY, QUANTITY + 1))
Said = Literal["approve", "reject"]
BEGINNINGS = (
    (), ("go on",), ("go on",) * 2, ("edit a little",), ("edit a lot",),
    ("edit a little", "go on", "go on"), ("edit a lot", "go on"), ("go on", "edit a little", "go on"),
    ("edit a little", *("go on",) * 3),
)  # fmt: skip
"""How a life may begin, so that every chapter of it is reached."""


class Act(NamedTuple):
    """Something to do at the desk, and what it must end with."""

    real: Callable[[], str]
    expected: Callable[[Expected], str]


class ApprovalLife(RuleBasedStateMachine):
    """One entry, asked of one or two people, and a model of what may become of it."""

    template: Path
    principals: dict[str, Principal]
    law: InForce
    met: ClassVar[Counter[str]] = Counter()
    """Codes that acts ended with and states that were reached, over all lives."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="qd-life-"))
        shutil.copytree(self.template, self.folder / "home")
        self.patch = pytest.MonkeyPatch()
        self.at = MORNING
        life.set_wall(self.patch, lambda: self.at)
        self.store = life.new_store(self.folder / "home")

    @initialize(
        required=st.integers(1, 2), role=st.sampled_from(("approver", "approver", "risk_officer")),
        minutes=st.sampled_from((None, 60)), evidence=st.booleans(), separate=st.booleans(),
        begins=st.sampled_from(BEGINNINGS),
    )  # fmt: skip
    def ask(
        self, required: int, role: Any, minutes: int | None, evidence: bool, separate: bool, begins: tuple[str, ...]
    ) -> None:
        """Put the case to people; some of them may have answered before anything else happens."""
        ruling = Ruling(
            rule="entry", required=required, roles=(role,), ttl_sessions=1, ttl_minutes=minutes,
            evidence_required=evidence, separate=("editor",) if separate else (),
        )  # fmt: skip
        self.question = life.ask(self.store, ruling=ruling, law=self.law)
        life.remember_inputs(self.store, self.question, self.law)
        self.model = Expected(required, role, evidence, minutes, separate, self.at, digest=self.question.digest)
        for step in begins:
            if step == "go on":
                self.go_on(PEOPLE, 1)
            else:
                self.open_evidence(RITA)
                self.change(RITA, 80 if step == "edit a little" else 40, STOP)

    # --- what can be done, and what it must lead to

    def do(self, act: Act) -> str:
        code = act.real()
        assert code == act.expected(self.model)
        self.met[code] += 1
        return code

    def principal(self, who: Cast) -> Principal:
        return self.principals[who.name] if who.is_person else STAND_IN

    def answering(self, who: Cast, said: Said, digest: str | None = None) -> Act:
        question, digest = self.question, digest or self.model.digest
        return Act(
            lambda: code_of(lambda: life.say(self.store, question, self.principal(who), said, digest=digest)),
            lambda model: model.answer(who, said, digest),
        )

    def editing(self, who: Cast, quantity: int, stop: Decimal) -> Act:
        digest, change = self.model.digest, Edit(quantity=quantity, stop_price=stop)
        with self.store.db.read() as session:
            body = session.get_one(CaseRow, self.question.case_id).order
        try:
            becomes = changed(body, change).digest
        except ApprovalError:
            becomes = ""

        def real() -> str:
            edit(
                self.store, self.question.approval_id, principal=self.principal(who), digest=digest, change=change,
                reason="less", reason_code="smaller_size",
            )  # fmt: skip
            return ""

        return Act(lambda: code_of(real), lambda model: model.edit(who, quantity, stop, digest, becomes))

    def submitting(self) -> Act:
        def real() -> str:
            life.submit(self.store, self.question, law=self.law)
            return ""

        return Act(real, lambda model: model.submit())

    # --- rules: people

    @rule(
        people=st.lists(ANYBODY, min_size=1, max_size=4), said=ANSWER,
        about=st.sampled_from(("now", "now", "now", "before", "else")),
    )  # fmt: skip
    def answer(self, people: list[Cast], said: Said, about: str) -> None:
        """Answer what is asked now, what was asked before an edit, or something else."""
        digest = {"now": self.model.digest, "before": self.question.digest}.get(about, "0" * 64)
        for who in people:
            self.do(self.answering(who, said, digest))

    @rule(who=SOMEBODY, quantity=QUANTITIES, stop=STOPS)
    def change(self, who: Cast, quantity: int, stop: Decimal) -> None:
        self.do(self.editing(who, quantity, stop))

    @rule(who=SOMEBODY)
    def open_evidence(self, who: Cast) -> None:
        attention.record_view(self.store, self.question.approval_id, self.principal(who), 0, True)
        self.model.opened.add(who.name)

    @rule(who=SOMEBODY)
    def ask_the_agent(self, who: Cast) -> None:
        before = self.state(), life.count(self.store, DecisionRow)
        asking = respond(
            self.store, self.question.approval_id, principal=self.principal(who), digest=self.model.digest,
            question="why now?",
        )  # fmt: skip
        assert code_of(lambda: asyncio.run(asking)) == self.model.question(who)
        assert (self.state(), life.count(self.store, DecisionRow)) == before

    @rule(who=ANYBODY)
    def extend(self, who: Cast) -> None:
        asked = self.question.approval_id
        code = code_of(
            lambda: queue_time.extend(self.store, asked, principal=self.principal(who), reason="still reading")
        )
        assert code == self.model.extend(who)

    @rule(giver=SOMEBODY, to=SOMEBODY, minutes=st.sampled_from((20, 600)))
    def lend_a_role(self, giver: Cast, to: Cast, minutes: int) -> None:
        end = self.at + timedelta(minutes=minutes)
        code = code_of(
            lambda: delegation.delegate(
                self.store, principal=ROOT, giver=giver.name, to=to.name, starts=self.at, ends=end, reason="away"
            )
        )
        assert bool(code) == (giver is to or bool({giver.name, to.name} & self.model.disabled))
        if not code:
            self.model.loans.append((giver, to.name, self.at, end))

    @rule(who=SOMEBODY)
    def shut_out_or_let_in(self, who: Cast) -> None:
        shut = who.name not in self.model.disabled
        (people.disable if shut else people.enable)(self.store, who.name, by=ROOT)
        (self.model.disabled.add if shut else self.model.disabled.discard)(who.name)

    @rule(others=st.permutations(PEOPLE), steps=st.integers(1, 3))
    def go_on(self, others: Sequence[Cast], steps: int) -> None:
        """The usual way: whoever may sign signs, and what is approved is submitted."""
        for _ in range(steps):
            if self.model.state == "approved":
                self.submit(1)
            for who in others:
                trial = deepcopy(self.model)
                trial.opened.add(who.name)
                if trial.status == "pending" and not trial.answer(who, "approve", trial.digest):
                    self.open_evidence(who)
                    self.answer([who], "approve", "now")
                    break

    # --- rules: the desk

    @rule(minutes=st.sampled_from((-120, -20, 10, 31, 59, 60, 90)))
    def turn_the_clock(self, minutes: int) -> None:
        self.at = self.model.now = self.at + timedelta(minutes=minutes)

    @rule()
    def watch(self) -> None:
        """What the engine does all the time: say that it lives, warn, escalate, expire."""
        heartbeats.beat(self.store, "engine", "ok", "watching")
        self.model.seen = self.model.wall
        queue_time.attend(self.store, life.RUN)
        if self.model.expires is not None:
            self.model.sweep()

    @rule(sure=st.integers(0, 3))
    def next_session(self, sure: int) -> None:
        """The desk clock moves; with a question open only now and then, or every life would end here."""
        if self.model.index == 62 or (self.model.status == "pending" and sure < 3):
            return
        self.model.index += 1
        life.expire(self.store, self.model.index)
        self.model.sweep()

    @precondition(lambda self: not self.model.halted)
    @rule(action=st.sampled_from(["no_new", "cancel", "file"]))
    def engage(self, action: Literal["no_new", "cancel", "file"]) -> None:
        if action == "file":
            self.store.home.halt_file.touch()
        else:
            halt.engage(self.store, action=action, reason="drill", principal=BOB)
        self.model.halted = True

    @precondition(lambda self: self.model.halted)
    @rule()
    def release(self) -> None:
        halt_release.release(self.store, reason="over", principal=CARL)
        self.model.release()

    @rule(times=st.integers(1, 2))
    def submit(self, times: int) -> None:
        for _ in range(times):
            self.do(self.submitting())

    @rule()
    def restart(self) -> None:
        """The desk dies and another opens the same home."""
        self.store.db.dispose()
        self.store = life.new_store(self.folder / "home")

    @rule(
        one=st.tuples(ANYBODY, ANSWER), other=st.tuples(ANYBODY, ANSWER) | st.just("submit"),
        smaller=st.none() | st.sampled_from((66, 80)),
    )  # fmt: skip
    def two_at_once(self, one: tuple[Cast, Said], other: tuple[Cast, Said] | str, smaller: int | None) -> None:
        """Two acts in two threads end as if one had come after the other."""
        first = self.answering(*one)
        if smaller is not None and one[0].is_person:
            first = self.editing(one[0], smaller, self.model.stop)
        second = self.submitting() if isinstance(other, str) else self.answering(*other)
        with ThreadPoolExecutor(2) as pool:
            codes = tuple(pool.map(lambda act: act.real(), (first, second)))
        tried = []
        for forward in (True, False):
            model = deepcopy(self.model)
            if forward:
                told = first.expected(model), second.expected(model)
            else:
                late = second.expected(model)
                told = first.expected(model), late
            if (told, model.state, model.digest) == (codes, self.state(), self.digest()):
                self.model = model
                return
            tried.append((told, model.state))
        raise AssertionError(f"{codes}, {self.state()}: neither of {tried}")

    def state(self) -> str:
        return life.truth(self.store, self.question).state

    def digest(self) -> str:
        with self.store.db.read() as session:
            return session.get_one(ApprovalRow, self.question.approval_id).digest

    @invariant()
    def an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        with self.store.db.read() as session:
            case = session.get_one(CaseRow, self.question.case_id)
            grants = session.exec(select(GrantRow)).all()
            orders = session.exec(select(OrderRow)).all()
            sent = session.exec(select(OutboxRow)).all()
            said = session.exec(select(DecisionRow)).all()
            edits = session.exec(select(EditRow)).all()
            asked = session.exec(select(ApprovalRow)).one()
        body = case.order
        assert len(orders) <= 1
        assert len(grants) <= 1
        assert len(sent) == len(orders)
        assert (case.state, asked.status) == (model.state, model.status)
        self.met[f"edited {case.state}" if edits else case.state] += 1
        assert {(d.principal, d.digest): d.decision for d in said} == model.answers
        assert len(said) == len(model.answers)
        assert {row.principal for row in edits} == model.editors
        assert case.digest == body.digest == asked.digest == model.digest
        assert (body.quantity, body.stop_price) == (model.quantity, model.stop)
        assert body.quantity <= QUANTITY
        assert body.stop_price is not None
        assert STOP <= body.stop_price < body.band.low
        for grant in grants:
            signers = set(grant.body["principals"])
            assert signers == model.signed
            assert len(signers) >= model.required
            assert (grant.digest, grant.quantity_budget) == (model.digest, body.quantity)
            if body.quantity * PRICE / EQUITY >= LARGE_SHARE:
                assert not (edits and signers <= model.editors), "only who edited signed something large"
            if grant.status == "minted":
                assert (case.state, model.refused) == ("approved", False)
        assert bool(orders) == any(grant.status == "consumed" for grant in grants)
        assert bool(orders) == (case.state == "submitted")
        if orders:
            assert orders[0].quantity == grants[0].quantity_budget == grants[0].quantity_used
            assert grants[0].consumed_wall is not None
        if model.refused:
            assert not orders

    def teardown(self) -> None:
        try:
            found = self.store.verify_ledger()
            assert found.verified, found.problems
        finally:
            self.store.db.dispose()
            self.patch.undo()
            shutil.rmtree(self.folder, ignore_errors=True)
