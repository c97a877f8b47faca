"""Flatten: protected in price, capped in volume, over as many opens as it takes, and never more than is held."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from memory.tables import GrantRow, LedgerRow, OrderRow, RunRow
from pipeline import grants, halt, halt_program
from pipeline.flatten import halt_policy
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.halting import PoorBroker, children, halt_row
from tests.pipeline.life import BOB
from tools.execution.types import OrderRequest, OrderState


def engage(store: Store, **changes: str) -> str:
    wish = {"action": "flatten", "reason": "drill", "principal": BOB}
    return halt.engage(store, **{**wish, **changes}).id  # type: ignore[arg-type]


def orders(store: Store) -> list[OrderRow]:
    with store.db.read() as session:
        return list(session.exec(select(OrderRow).where(OrderRow.leg == "flatten").order_by(col(OrderRow.attempt))))


def resting(store: Store, broker: PoorBroker, leg: str, side: str, quantity: int, state: str = "new") -> str:
    """An order in IBM that the book and the broker know."""
    request = OrderRequest(
        client_order_id=f"qd-{leg}-x", symbol="IBM", side=side, quantity=quantity,
        order_type="stop" if leg == "stop" else "market", stop_price=Decimal(114) if leg == "stop" else None,
        time_in_force="gtc", reduce_only=leg != "entry",
    )  # fmt: skip
    broker.submit(request)
    with store.db.write() as session:
        session.add(
            OrderRow(
                client_order_id=request.client_order_id, run_id=life.RUN, case_id="case_old", grant_id="g", leg=leg,
                attempt=1, symbol="IBM", side=side, quantity=quantity, state=state, created=life.AS_OF, body=request,
                stop_price=request.stop_price, updated_wall=life.AS_OF,
            )
        )  # fmt: skip
    return request.client_order_id


@pytest.mark.parametrize(
    ("quantity", "side", "limit"), [(100, "sell", Decimal("113.5")), (-100, "buy", Decimal("128.5"))]
)
def test_a_close_goes_no_further_than_the_protection_from_the_last_close(
    store: Store, quantity: int, side: str, limit: Decimal
) -> None:
    """The mark is 121 and the ATR 2.5, three of which are 7.5."""
    life.hold(store, quantity, atr=Decimal("2.5"))
    broker = PoorBroker({"IBM": quantity})
    engage(store)
    halt_program.carry_out_all(store, broker)
    (order,) = orders(store)
    assert (order.side, order.quantity, order.body.limit_price) == (side, 100, limit)
    assert (order.body.order_type, order.body.time_in_force, order.body.reduce_only) == ("limit", "opg", True)


def test_without_an_atr_the_protection_is_a_share_of_the_price(store: Store) -> None:
    life.hold(store)
    engage(store)
    halt_program.carry_out_all(store, PoorBroker({"IBM": 100}))
    assert orders(store)[0].body.limit_price == Decimal("108.9")


def test_a_session_closes_at_most_its_share_of_volume_and_the_next_open_goes_on(store: Store) -> None:
    life.hold(store, 250, adv_shares=2_000)
    broker = PoorBroker({"IBM": 250})
    key = engage(store)
    for left in (150, 50, 0):
        halt_program.carry_out_all(store, broker)
        halt_program.carry_out_all(store, broker)
        broker.open_market(store, 1.0)
        assert broker.held["IBM"] == left
        assert not halt_row(store, key).carried_out
    assert [order.quantity for order in orders(store)] == [100, 100, 50]
    assert halt_program.carry_out_all(store, broker).finished == 1
    assert (halt_row(store, key).carried_out, halt_row(store, key).detail) == (True, None)


def test_what_was_filled_in_part_is_asked_for_again_at_the_next_open_only(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    engage(store)
    halt_program.carry_out_all(store, broker)
    broker.open_market(store, 0.4)
    halt_program.carry_out_all(store, broker)
    assert [(o.quantity, o.filled_quantity) for o in orders(store)] == [(100, 40), (60, 0)]
    assert orders(store)[0].attempt + 1 == orders(store)[1].attempt


def test_a_second_flatten_of_the_same_symbol_sells_nothing_twice(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    engage(store)
    engage(store, scope="symbol", target="IBM")
    for _ in range(3):
        halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 100}


def test_the_cap_is_one_for_all_halts(store: Store) -> None:
    life.hold(store, 250, adv_shares=2_000)
    broker = PoorBroker({"IBM": 250})
    engage(store)
    engage(store, scope="symbol", target="IBM")
    halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 100}


def test_the_protective_stop_is_taken_back_first_and_counts_until_it_is(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    name = resting(store, broker, "stop", "sell", 100)
    broker.silent.add(name)
    key = engage(store)
    assert halt_program.carry_out_all(store, broker).troubled == 1
    assert children(store) == {}
    assert "does not answer" in (halt_row(store, key).detail or "")
    broker.silent.clear()
    halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 100}
    assert broker.orders[name].state.value == "cancelled"


def test_an_exit_that_is_working_is_left_to_work_and_only_the_rest_is_sold(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    resting(store, broker, "exit", "sell", 70)
    engage(store)
    halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 30}


def test_an_order_in_doubt_is_asked_for_and_counts_while_nobody_knows(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    name = resting(store, broker, "exit", "sell", 100, state="unknown")
    broker.silent.add(name)
    engage(store)
    halt_program.carry_out_all(store, broker)
    assert children(store) == {}
    broker.silent.clear()
    broker.orders[name] = broker.orders[name].model_copy(update={"state": OrderState.CANCELLED})
    halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 100}


def test_no_more_is_sold_than_the_broker_holds(store: Store) -> None:
    """A stop was filled there and is not in our book yet."""
    life.hold(store)
    broker = PoorBroker({"IBM": 35})
    engage(store)
    halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 35}


def test_after_the_open_an_order_waits_for_the_next_one_and_the_stop_stays(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    name = resting(store, broker, "stop", "sell", 100)
    life.tamper(store, "UPDATE runs SET stage = 'traded'")
    key = engage(store)
    halt_program.carry_out_all(store, broker)
    assert (children(store), broker.orders[name].state.value) == ({}, "new")
    assert "the open is over" in (halt_row(store, key).detail or "")
    life.tamper(store, "UPDATE runs SET stage = 'closed'")
    halt_program.carry_out_all(store, broker)
    assert children(store) == {"IBM": 100}


def test_a_broker_that_does_not_say_what_it_holds_gets_no_order(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    broker.deaf = True
    engage(store)
    assert halt_program.carry_out_all(store, broker).troubled == 1
    assert children(store) == {}


def test_each_child_lives_under_a_mandate_of_its_own(store: Store) -> None:
    life.hold(store)
    broker = PoorBroker({"IBM": 100})
    key = engage(store)
    for _ in range(2):
        halt_program.carry_out_all(store, broker)
        broker.open_market(store, 0.5)
    with store.db.read() as session:
        given_ = session.exec(select(GrantRow).order_by(col(GrantRow.quantity_budget).desc())).all()
        assert [(g.quantity_budget, g.quantity_used, g.status, g.body["halt"]) for g in given_] == [
            (100, 100, "consumed", key), (50, 50, "consumed", key),
        ]  # fmt: skip
        assert all(grants.is_genuine(store, grant) for grant in given_)
        records = session.exec(select(LedgerRow).where(LedgerRow.kind == "order.flatten")).all()
    assert len(records) == 2


def test_a_limits_file_of_an_older_version_does_not_stop_a_flatten(store: Store) -> None:
    life.tamper(store, "UPDATE activations SET body = 'version: old' WHERE kind = 'limits'")
    with store.db.read() as session:
        assert halt_policy(session).flatten_protection_atr == Decimal("3.0")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    opened = life.new_store(Path(tmp_path_factory.mktemp("flatten")) / "home")
    life.seed_run(opened)
    return opened


@settings(max_examples=25, deadline=None)
@given(
    held=st.integers(1, 400),
    there=st.integers(0, 400),
    volume=st.none() | st.integers(1, 5_000),
    exit_quantity=st.integers(0, 200),
    stopped=st.booleans(),
    twice=st.booleans(),
    opens=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=5),
)
def test_through_any_partial_fills_and_silences_never_more_is_sold_than_was_held(
    shared: Store,
    held: int,
    there: int,
    volume: int | None,
    exit_quantity: int,
    stopped: bool,
    twice: bool,
    opens: list[tuple[float, bool]],
) -> None:
    for table in ("orders", "outbox", "halts", "grants", "positions"):
        life.tamper(shared, f"DELETE FROM {table}")
    life.hold(shared, held, adv_shares=volume)
    broker = PoorBroker({"IBM": min(held, there)})
    if exit_quantity:
        resting(shared, broker, "exit", "sell", exit_quantity)
    if stopped:
        broker.silent.add(resting(shared, broker, "stop", "sell", held))
    engage(shared)
    if twice:
        engage(shared, scope="symbol", target="IBM")
    sold = 0
    for share, deaf in opens:
        broker.deaf = deaf
        halt_program.carry_out_all(shared, broker)
        live = sum(o.quantity for o in broker.orders.values() if o.state.value == "new" and o.side == "sell")
        assert live <= held + (exit_quantity if exit_quantity > held else 0) - sold or stopped
        sold += broker.open_market(shared, share)
        assert sold <= held - min(held, exit_quantity)
        assert broker.held["IBM"] >= 0
    if stopped:
        assert sold == 0, "the stop was never confirmed as cancelled"
    with shared.db.read() as session:
        assert session.get_one(RunRow, life.RUN).active
