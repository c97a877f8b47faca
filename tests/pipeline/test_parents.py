"""A grant becomes one parent; its children draw its shares, give back what did not fill, and never pass it."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import delete, select

from memory.tables import GrantRow, OrderRow, OutboxRow, ParentRow, RunRow
from pipeline import execution, halt, halt_program, parents
from pipeline.order_ends import end_order
from pipeline.store import Store
from pipeline.submission import add_order
from tests.pipeline import halting, life
from tests.pipeline.life import code_of, say, submit
from tests.pipeline.scripted import CLOSE, Scripted
from tools.errors import ExecutionError
from tools.execution.types import OrderRequest, OrderState


@pytest.fixture
def parent(store: Store) -> ParentRow:
    """A parent of 100 IBM of which nothing is drawn."""
    question = life.ask(store)
    say(store, question)
    with store.db.write() as session:
        return parents.open_parent(
            session, session.get_one(RunRow, life.RUN), session.exec(select(GrantRow)).one(), case_id="case_p",
            symbol="IBM", side="buy", quantity=100, at=life.OPEN_TICK,
        )  # fmt: skip


def child(store: Store, parent: ParentRow, number: int, quantity: int) -> None:
    request = OrderRequest(
        client_order_id=f"child-{number}", symbol="IBM", side="buy", quantity=quantity, order_type="market",
        time_in_force="opg",
    )  # fmt: skip
    with store.db.write() as session:
        add_order(
            session, session.get_one(RunRow, life.RUN), request, case_id=parent.case_id, grant_id=parent.grant_id,
            leg="entry", attempt=number, at=life.OPEN_TICK, parent=session.get_one(ParentRow, parent.id),
        )  # fmt: skip


def end(store: Store, number: int, filled: int, state: OrderState = OrderState.EXPIRED) -> None:
    with store.db.write() as session:
        order = session.get_one(OrderRow, f"child-{number}")
        order.filled_quantity = filled
        end_order(session, order, state, None, life.OPEN_TICK)


def drawn(store: Store) -> int:
    with store.db.read() as session:
        return session.exec(select(ParentRow)).one().drawn


def test_a_single_order_draws_all_that_its_grant_allows(store: Store) -> None:
    question = life.ask(store)
    say(store, question)
    submit(store, question)
    with store.db.read() as session:
        row, order = session.exec(select(ParentRow)).one(), session.exec(select(OrderRow)).one()
        grant = session.exec(select(GrantRow)).one()
    assert (row.quantity, row.drawn, row.case_id, row.grant_id) == (100, 100, question.case_id, grant.id)
    assert (order.parent_id, grant.status, grant.quantity_used) == (row.id, "consumed", 100)


def test_a_child_beyond_the_budget_is_refused_and_leaves_no_order(store: Store, parent: ParentRow) -> None:
    child(store, parent, 1, 60)
    assert code_of(lambda: child(store, parent, 2, 41)) == "budget_exceeded"
    with store.db.read() as session:
        assert [row.client_order_id for row in session.exec(select(OrderRow)).all()] == ["child-1"]
    child(store, parent, 3, 40)
    assert drawn(store) == 100


def test_a_refused_child_is_a_critical_finding(store: Store, parent: ParentRow) -> None:
    parents.report_refusal(store, parent, ExecutionError("too much", code="budget_exceeded"), life.OPEN_TICK)
    assert life.findings(store) == ["budget_exceeded"]


def test_what_an_ended_child_did_not_fill_may_be_drawn_again(store: Store, parent: ParentRow) -> None:
    child(store, parent, 1, 100)
    end(store, 1, 30)
    assert drawn(store) == 30
    child(store, parent, 2, 70)
    assert code_of(lambda: child(store, parent, 3, 1)) == "budget_exceeded"


def test_a_denied_child_gives_all_back(store: Store, parent: ParentRow) -> None:
    child(store, parent, 1, 100)
    end(store, 1, 0, OrderState.DENIED)
    assert drawn(store) == 0


def test_a_stopped_parent_writes_no_more_children(store: Store, parent: ParentRow) -> None:
    child(store, parent, 1, 10)
    with store.db.write() as session:
        parents.stop(session, session.get_one(ParentRow, parent.id), "the trader said so")
    assert code_of(lambda: child(store, parent, 2, 10)) == "parent_stopped"


def test_a_grant_has_one_parent(store: Store, parent: ParentRow) -> None:
    with store.db.write() as session:
        grant = session.get_one(GrantRow, parent.grant_id)
        run = session.get_one(RunRow, life.RUN)
        assert (
            code_of(
                lambda: parents.open_parent(
                    session, run, grant, case_id="other", symbol="IBM", side="buy", quantity=1, at=life.OPEN_TICK
                )
            )
            == "grant_spent"
        )


def test_the_database_itself_refuses_more_than_the_budget(store: Store, parent: ParentRow) -> None:
    with pytest.raises(IntegrityError):
        life.tamper(store, "UPDATE parents SET drawn = 101")


def test_each_child_of_a_flatten_has_a_parent_of_its_mandate(store: Store) -> None:
    broker = halting.own(store, {"IBM": 70})
    halt.engage(store, action="flatten", reason="test", principal=life.BOB)
    halt_program.carry_out_all(store, broker)
    with store.db.read() as session:
        row = session.exec(select(ParentRow)).one()
    assert (row.side, row.quantity, row.drawn) == ("sell", 70, 70)


def test_a_late_execution_of_an_ended_child_is_drawn_again(store: Store, parent: ParentRow) -> None:
    child(store, parent, 1, 100)
    end(store, 1, 0, OrderState.CANCELLED)
    broker = Scripted()
    broker.fill("child-1", 40)
    execution.book_fills(store, broker, life.MARKET, life.RUN, CLOSE)
    assert drawn(store) == 40


EXAMPLE = itertools.count()
STEPS = st.lists(st.tuples(st.integers(1, 80), st.floats(0, 1), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_children_together_never_commit_more_than_the_budget(
    store: Store, steps: list[tuple[int, float, bool]]
) -> None:
    """A model beside the rows: committed shares are what filled, and all of a child that still lives."""
    name, budget, committed = f"parent-{next(EXAMPLE)}", 100, 0
    living: list[tuple[int, int]] = []
    with store.db.write() as session:
        for table in (ParentRow, OrderRow, OutboxRow):
            session.exec(delete(table))
        row = ParentRow(
            id=name, run_id=life.RUN, case_id=name, grant_id=name, symbol="IBM", side="buy", quantity=budget,
            opened=life.AS_OF,
        )  # fmt: skip
        session.add(row)
    for number, (quantity, share, ends) in enumerate(steps):
        fits = committed + quantity <= budget
        if fits:
            child(store, row, number, quantity)
            committed += quantity
            living.append((number, quantity))
        else:
            assert code_of(partial(child, store, row, number, quantity)) == "budget_exceeded"
        if ends and living:
            ended, size = living.pop(0)
            end(store, ended, int(size * share))
            committed -= size - int(size * share)
        assert drawn(store) == committed <= budget


def test_a_refused_child_that_filled_after_all_takes_its_whole_rest_again(store: Store, parent: ParentRow) -> None:
    child(store, parent, 1, 40)
    child(store, parent, 2, 60)
    end(store, 1, 0, OrderState.DENIED)
    broker = Scripted()
    broker.fill("child-1", 10)
    execution.book_fills(store, broker, life.MARKET, life.RUN, CLOSE)
    assert drawn(store) == 100
    end(store, 1, 10, OrderState.CANCELLED)
    assert drawn(store) == 70
