"""A person stops a worked order: once, by whoever may, with the living child cancelled and the rest kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from memory.ledger import Stage
from memory.tables import CaseRow, GrantRow, LedgerRow, OrderRow, OutboxRow, ParentRow, RunRow
from pipeline import execution, parents, stopping
from pipeline.cases import advance
from pipeline.order_ends import end_order
from pipeline.store import Principal, Store
from pipeline.submission import add_child
from tests.pipeline import life
from tests.pipeline.life import code_of
from tests.pipeline.scripted import Scripted
from tests.pipeline.test_slices import PLAN
from tools.execution.types import OrderState
from tools.types import CaseState, Proposal


def worked(store: Store, body: Proposal | None = None, exposure: int = 0) -> ParentRow:
    """A worked order whose first child is at the broker."""
    question = life.ask(store, body, exposure=exposure)
    life.say(store, question)
    with store.db.write() as session:
        case, run = session.get_one(CaseRow, question.case_id), session.get_one(RunRow, life.RUN)
        row = parents.open_parent(
            session, run, session.exec(select(GrantRow)).one(), case_id=case.id, symbol="IBM", side=case.order.side,
            quantity=100, at=life.OPEN_TICK, plan=PLAN.model_dump(mode="json"),
        )  # fmt: skip
        advance(
            session, case, CaseState.SUBMITTED, content={}, desk_time=life.OPEN_TICK.as_of, stage=Stage.SUBMIT
        )  # fmt: skip
        add_child(session, run, case, row, 34, 1, life.OPEN_TICK)
    return row


@pytest.fixture
def parent(store: Store) -> ParentRow:
    return worked(store)


def stop(store: Store, key: str, principal: Principal = life.ANN, reason: str = "enough") -> ParentRow:
    return stopping.stop(store, key, principal=principal, reason=reason)


def records(store: Store) -> list[LedgerRow]:
    with store.db.read() as session:
        return list(session.exec(select(LedgerRow).where(LedgerRow.kind == "parent.stopped")).all())


def test_the_living_child_is_cancelled_and_the_case_ends_with_it(store: Store, parent: ParentRow) -> None:
    assert stop(store, parent.id).reason == "ann: enough"
    with store.db.read() as session:
        said = [row.action for row in session.exec(select(OutboxRow)).all()]
        case = session.exec(select(CaseRow)).one()
    assert (said, case.state) == (["submit", "cancel"], "submitted")
    with store.db.write() as session:
        order = session.exec(select(OrderRow)).one()
        order.filled_quantity = 10
        end_order(session, order, OrderState.CANCELLED, None, life.OPEN_TICK)
    with store.db.read() as session:
        assert session.exec(select(CaseRow)).one().state == "done"


def test_it_is_found_by_its_case_as_well(store: Store, parent: ParentRow) -> None:
    assert stop(store, parent.case_id).id == parent.id


def test_a_second_stop_changes_nothing_and_keeps_the_first_name(store: Store, parent: ParentRow) -> None:
    stop(store, parent.id)
    assert stop(store, parent.id, life.BOB, "me too").reason == "ann: enough"
    assert len(records(store)) == 1


def test_two_people_at_once_are_one_stop(store: Store, parent: ParentRow) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda who: stop(store, parent.id, who).reason, [life.ANN, life.BOB] * 2))
    assert len(set(found)) == 1
    assert len(records(store)) == 1


def test_what_is_over_is_not_stopped(store: Store, parent: ParentRow) -> None:
    with store.db.write() as session:
        parents.end_plan(
            session, session.get_one(ParentRow, parent.id), "the plan is over", life.AS_OF, status=parents.DONE
        )
    assert code_of(lambda: stop(store, parent.id)) == "decided"


@pytest.mark.parametrize(
    ("key", "principal", "reason", "code"),
    [
        ("nothing", life.ANN, "enough", "unknown"), (None, life.ANN, " ", "invalid"),
        (None, Principal("c", "control"), "enough", "role"),
    ],
)  # fmt: skip
def test_a_stop_that_cannot_be_changes_nothing(
    store: Store, parent: ParentRow, key: str | None, principal: Principal, reason: str, code: str
) -> None:
    assert code_of(lambda: stop(store, key or parent.id, principal, reason)) == code
    assert records(store) == []


def test_stopping_an_exit_takes_who_may_refuse_one(store: Store) -> None:
    entry = worked(store)
    assert stopping.right_needed(store, entry.id) == ("operator", "halt")
    life.tamper(store, "UPDATE cases SET risk_effect = 'reduces'")
    assert stopping.right_needed(store, entry.id) == ("approver", "decide")


def said(store: Store) -> list[tuple[str, str]]:
    with store.db.read() as session:
        return [(row.action, row.status) for row in session.exec(select(OutboxRow)).all()]


@pytest.mark.parametrize("doubted", [False, True])
def test_a_child_that_the_broker_does_not_have_is_never_sent_after_the_stop(
    store: Store, parent: ParentRow, doubted: bool
) -> None:
    broker = Scripted()
    if doubted:
        broker.silent = True
        execution.dispatch(store, broker, life.RUN, life.OPEN_TICK)
        broker.silent = False
    stop(store, parent.id)
    execution.dispatch(store, broker, life.RUN, life.OPEN_TICK)
    with store.db.read() as session:
        states = session.exec(select(OrderRow)).one().state, session.exec(select(CaseRow)).one().state
    assert (broker.sent, states) == ([], ("denied", "cancelled"))
    assert said(store) == [("submit", "done"), ("cancel", "done")]
    assert life.findings(store) == []


def test_a_child_that_outlived_its_plan_can_be_cancelled_by_a_person(store: Store, parent: ParentRow) -> None:
    with store.db.write() as session:
        parents.end_plan(session, session.get_one(ParentRow, parent.id), "IBM is being left", life.AS_OF)
    for _ in range(2):
        assert stop(store, parent.id).reason == "IBM is being left"
    assert said(store) == [("submit", "pending"), ("cancel", "pending")]


def test_a_stopped_plan_ends_its_case_with_the_last_child_that_lives(store: Store, parent: ParentRow) -> None:
    with store.db.write() as session:
        case, run = session.get_one(CaseRow, parent.case_id), session.get_one(RunRow, life.RUN)
        add_child(session, run, case, session.get_one(ParentRow, parent.id), 33, 2, life.OPEN_TICK)
    stop(store, parent.id)
    for attempt, filled, after in ((1, 0, "submitted"), (2, 20, "done")):
        with store.db.write() as session:
            order = session.exec(select(OrderRow).where(OrderRow.attempt == attempt)).one()
            order.filled_quantity = filled
            end_order(session, order, OrderState.CANCELLED, None, life.OPEN_TICK)
        with store.db.read() as session:
            assert session.exec(select(CaseRow)).one().state == after
