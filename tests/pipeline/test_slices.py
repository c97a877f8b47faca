"""A planned parent sends one child an open, under its budget and every limit, and can be stopped at any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlmodel import col, select

from memory.ledger import Stage
from memory.tables import CaseRow, GrantRow, LedgerRow, OrderRow, ParentRow, RunRow
from pipeline import halt, halt_release, parents, slices
from pipeline.activation import in_force
from pipeline.cases import advance
from pipeline.halt_scope import Action
from pipeline.order_ends import end_order
from pipeline.store import Store
from pipeline.submission import OpenMarket
from tests.pipeline import life
from tests.pipeline.life import say
from tools.execution.algorithms.twap import Twap
from tools.execution.algorithms.types import Context, Parent, SessionVolume, Window
from tools.execution.types import OrderState
from tools.types import CaseState

DAYS = [life.OPEN_TICK.as_of + timedelta(days=number) for number in range(3)]
WINDOWS = tuple(Window(session=at.date(), start=at, end=at + timedelta(hours=6)) for at in DAYS)
VOLUMES = tuple(SessionVolume(session=life.SESSION - timedelta(days=n), volume=1_000_000) for n in range(5))
CONTEXT = Context(windows=WINDOWS, daily=VOLUMES, participation=Decimal("0.1"))
PLAN = Twap().plan(Parent(parent_id="p", symbol="IBM", side="buy", quantity=100), CONTEXT)


def opening(day: int, price: str = "120.6") -> OpenMarket:
    tick = life.OPEN_TICK.model_copy(update={"session": DAYS[day].date(), "as_of": DAYS[day]})
    return replace(life.OPEN, tick=tick, opens={"IBM": Decimal(price)})


@pytest.fixture
def parent(store: Store, monkeypatch: pytest.MonkeyPatch) -> ParentRow:
    """100 IBM, approved as one case and planned as a TWAP over three opens."""
    monkeypatch.setattr(type(life.MARKET), "sessions", tuple(at.date() for at in (life.AS_OF, *DAYS)))
    question = life.ask(store)
    say(store, question)
    with store.db.write() as session:
        case = session.get_one(CaseRow, question.case_id)
        row = parents.open_parent(
            session, session.get_one(RunRow, life.RUN), session.exec(select(GrantRow)).one(), case_id=case.id,
            symbol="IBM", side="buy", quantity=100, at=life.OPEN_TICK, plan=PLAN.model_dump(mode="json"),
        )  # fmt: skip
        advance(
            session, case, CaseState.SUBMITTED, content={}, desk_time=life.OPEN_TICK.as_of, stage=Stage.SUBMIT
        )  # fmt: skip
    return row


def send(store: Store, now_open: OpenMarket) -> int:
    return slices.send_due(store, life.MARKET, in_force(store), life.RUN, now_open)


def orders(store: Store) -> list[tuple[int, int]]:
    with store.db.read() as session:
        return [
            (row.attempt, row.quantity) for row in session.exec(select(OrderRow).order_by(col(OrderRow.created))).all()
        ]


def end(store: Store, attempt: int, filled: int) -> None:
    with store.db.write() as session:
        order = session.exec(select(OrderRow).where(OrderRow.attempt == attempt)).one()
        order.filled_quantity = filled
        end_order(session, order, OrderState.EXPIRED, "participation_cap", life.OPEN_TICK)
    life.hold(store, filled)


def case(store: Store) -> CaseRow:
    with store.db.read() as session:
        return session.exec(select(CaseRow)).one()


def test_each_open_sends_one_child_and_a_repeat_sends_none(store: Store, parent: ParentRow) -> None:
    assert [send(store, opening(0)), send(store, opening(0)), send(store, opening(1))] == [1, 0, 1]
    assert orders(store) == [(1, 34), (2, 33)]


def test_what_a_child_did_not_fill_is_caught_up_with_and_the_case_waits_for_all(
    store: Store, parent: ParentRow
) -> None:
    send(store, opening(0))
    end(store, 1, 10)
    assert case(store).state == "submitted"
    send(store, opening(1))
    assert orders(store) == [(1, 34), (2, 57)]


def test_a_plan_that_is_over_ends_its_case(store: Store, parent: ParentRow) -> None:
    send(store, opening(0))
    end(store, 1, 34)
    late = opening(2)
    over = replace(late, tick=late.tick.model_copy(update={"as_of": DAYS[2] + timedelta(days=1)}))
    assert send(store, over) == 0
    assert case(store).state == "done"
    assert send(store, over) == 0


@pytest.mark.parametrize("why", ["halt", "safe mode", "band", "no price", "limits"])
def test_a_child_that_may_not_go_is_left_out(store: Store, parent: ParentRow, why: str) -> None:
    now_open = opening(0, "150" if why == "band" else "120.6")
    if why == "halt":
        halt.engage(store, action="no_new", reason="test", principal=life.BOB)
    if why == "safe mode":
        store.reduce_only.append("test")
    if why == "no price":
        now_open = replace(now_open, opens={})
    if why == "limits":
        now_open = replace(now_open, adv={})
    assert [send(store, now_open), send(store, now_open)] == [0, 0]
    assert orders(store) == []
    assert [row.step for row in kept(store, slices.HELD)] == ["held:0"]


def test_what_was_held_back_is_caught_up_with_once_it_may_go(store: Store, parent: ParentRow) -> None:
    send(store, opening(0, "150"))
    send(store, opening(1))
    assert orders(store) == [(2, 67)]


@pytest.mark.parametrize("left", [60, 0])
def test_a_plan_ends_when_something_else_moved_the_position(store: Store, parent: ParentRow, left: int) -> None:
    send(store, opening(0))
    end(store, 1, 34)
    life.hold(store, left)
    assert send(store, opening(1)) == 0
    assert told(store) == ("stopped", f"exposure in IBM is {left} instead of the 34 that its children made it")
    assert case(store).state == "done"


def test_a_plan_ends_when_the_position_is_being_left(store: Store, parent: ParentRow) -> None:
    send(store, opening(0))
    end(store, 1, 34)
    with store.db.write() as session:
        leaving = session.exec(select(OrderRow)).one().model_dump() | {"client_order_id": "x", "leg": "exit"}
        session.add(OrderRow.model_validate(leaving | {"state": "new", "filled_quantity": 0, "parent_id": None}))
    assert send(store, opening(1)) == 0
    assert told(store) == ("stopped", "IBM is being left")


def test_a_child_is_held_back_where_the_open_triggers_the_stop_of_what_is_held(store: Store, parent: ParentRow) -> None:
    send(store, opening(0))
    end(store, 1, 34)
    life.hold(store, 34, stop_price=Decimal("119"))
    assert send(store, opening(1, "118.5")) == 0
    assert send(store, opening(1, "119.5")) == 1


def test_the_stop_of_earlier_children_does_not_count_as_an_order_against_the_next(
    store: Store, parent: ParentRow
) -> None:
    send(store, opening(0))
    end(store, 1, 34)
    with store.db.write() as session:
        first = session.exec(select(OrderRow)).one()
        stop = first.body.model_copy(
            update={
                "client_order_id": "s",
                "side": "sell",
                "order_type": "stop",
                "stop_price": Decimal(114),
                "time_in_force": "gtc",
            }
        )
        session.add(
            OrderRow.model_validate(
                first.model_dump() | {"client_order_id": "s", "leg": "stop", "side": "sell", "state": "new",
                "stop_price": Decimal(114), "parent_id": None, "body": stop}
            )
        )  # fmt: skip
    assert send(store, opening(1)) == 1


def test_what_was_altered_after_the_approval_sends_nothing_more(store: Store, parent: ParentRow) -> None:
    send(store, opening(0))
    end(store, 1, 34)
    life.tamper(store, "UPDATE cases SET body = replace(body, '\"quantity\":100', '\"quantity\":99')")
    life.tamper(store, "UPDATE grants SET signature = 'x'")
    assert send(store, opening(1)) == 0
    assert told(store)[0] == "stopped"
    assert life.findings(store) == ["tampered"]


@pytest.mark.parametrize("action", ["reduce_only", "flatten"])
def test_a_halt_that_leaves_only_reductions_ends_the_plan(store: Store, parent: ParentRow, action: Action) -> None:
    halt.engage(store, action=action, reason="test", principal=life.BOB)
    assert told(store) == ("stopped", "a halt left only reductions")
    assert case(store).state == "cancelled"


def test_a_halt_that_does_not_name_it_leaves_the_plan_alone(store: Store, parent: ParentRow) -> None:
    halt.engage(
        store, action="reduce_only", reason="test", principal=life.BOB, scope="strategy", target="reversion"
    )  # fmt: skip
    assert told(store) == ("open", None)


def test_what_a_halt_held_back_ends_with_its_release(store: Store, parent: ParentRow) -> None:
    halt.engage(store, action="no_new", reason="test", principal=life.BOB)
    assert send(store, opening(0)) == 0
    halt_release.release(store, reason="calm again", principal=life.ANN)
    assert send(store, opening(1)) == 0
    assert told(store)[0] == "stopped"


def kept(store: Store, kind: str) -> list[LedgerRow]:
    with store.db.read() as session:
        return list(session.exec(select(LedgerRow).where(LedgerRow.kind == kind)).all())


def told(store: Store) -> tuple[str, str | None]:
    with store.db.read() as session:
        row = session.exec(select(ParentRow)).one()
        return row.status, row.reason


def test_a_stopped_parent_sends_no_more(store: Store, parent: ParentRow) -> None:
    send(store, opening(0))
    with store.db.write() as session:
        parents.stop(session, session.get_one(ParentRow, parent.id), "enough")
    assert send(store, opening(1)) == 0


def test_a_child_beyond_the_budget_is_refused_with_a_finding(store: Store, parent: ParentRow) -> None:
    life.tamper(store, "UPDATE parents SET drawn = 90")
    assert send(store, opening(0)) == 0
    assert life.findings(store) == ["budget_exceeded"]
    assert orders(store) == []


def test_a_plan_released_by_nobody_counts_once_and_goes_on_at_the_limit(
    store: Store, parent: ParentRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    life.tamper(store, "UPDATE approvals SET required = 0")
    monkeypatch.setattr(slices, "tampered", lambda *_: None)
    law = in_force(store)
    once = replace(law, limits=law.limits.model_copy(update={"max_automatic_executions": 1}))
    monkeypatch.setattr("pipeline.activation.newest", lambda *_: once)
    for day, filled in ((0, 34), (1, 33)):
        assert slices.send_due(store, life.MARKET, once, life.RUN, opening(day)) == 1
        end(store, day + 1, filled)
        life.hold(store, 34 if day == 0 else 67)
    assert kept(store, slices.HELD) == []
    assert life.findings(store) == ["strategy_disabled"]


def test_plans_go_in_the_order_of_their_cases_whatever_their_own_ids_are(store: Store, parent: ParentRow) -> None:
    with store.db.write() as session:
        for number, case_id in ((1, "case_b"), (2, "case_a")):
            session.add(
                ParentRow.model_validate(
                    parent.model_dump() | {"id": f"p{number}", "case_id": case_id, "grant_id": f"g{number}"}
                )
            )
    with store.db.read() as session:
        found = [row.case_id for row in parents.working(session, life.RUN)]
    assert found == sorted(found)
