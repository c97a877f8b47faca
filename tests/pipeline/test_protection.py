"""Every position has one stop at the venue for exactly what is held; it is replaced, never doubled, never loosened."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from memory.tables import GrantRow, LedgerRow, OrderRow, PositionRow, RunRow
from pipeline.activation import in_force
from pipeline.execution import book_fills
from pipeline.protection import Closed, protect
from pipeline.store import Store, now
from tests.pipeline import life
from tools.data.types import Bar
from tools.errors import RetryableToolError
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import BrokerOrder, OrderRequest
from tools.strategy.types import Features
from tools.types import Tick

D = Decimal
CLOSE = Tick(session=life.OPEN_TICK.session, phase="close", as_of=life.OPEN_TICK.as_of.replace(hour=21))
CALM = Features(
    symbol="IBM", close=121.0, sma_20=120.0, sma_50=118.0, high_55=122.0, momentum_60=0.1, zscore_20=0.5, rsi_14=55.0,
    atr_14=2.0, volatility_20=0.2, adv_20=5e8,
)  # fmt: skip


class DeafVenue(SimulationBroker):
    """A venue that does not answer cancels while `deaf`."""

    deaf = False

    def cancel(self, client_order_id: str) -> BrokerOrder:
        if self.deaf:
            raise RetryableToolError("no answer", code="broker_unreachable")
        return super().cancel(client_order_id)


def holding(store: Store) -> DeafVenue:
    """A venue that holds 100 IBM of ours; our book holds them too, under the grant of their entry."""
    broker = DeafVenue(store.home.broker, seed=0, starting_cash=D(1_000_000), account=life.RUN)
    broker.submit(
        OrderRequest(
            client_order_id="entry", symbol="IBM", side="buy", quantity=100, order_type="market", time_in_force="opg"
        )
    )
    broker.match_open(life.OPEN_TICK, {"IBM": D(120)}, {"IBM": 1_000_000.0})
    life.hold(store)
    with store.db.write() as session:
        session.add(
            GrantRow(
                id="grant_1", case_id="case_old", run_id=life.RUN, status="consumed", digest="d", quantity_budget=100,
                quantity_used=100, body={}, signature="", minted_wall=now(),
            )
        )  # fmt: skip
        session.get_one(RunRow, life.RUN).broker_sequence = 1
    return broker


@pytest.fixture
def venue(store: Store) -> DeafVenue:
    return holding(store)


def stops(broker: SimulationBroker) -> list[tuple[int, Decimal | None]]:
    return [(o.quantity - o.filled_quantity, o.stop_price) for o in broker.open_orders() if o.order_type == "stop"]


def position(store: Store, **changes: Any) -> PositionRow:
    with store.db.write() as session:
        row = session.get_one(PositionRow, (life.RUN, "IBM"))
        for name, value in changes.items():
            setattr(row, name, value)
        session.add(row)
    return row


def closed(store: Store, close: float) -> Closed:
    return Closed({"IBM": CALM.model_copy(update={"close": close})}, in_force(store).limits.exits)


def said(store: Store, kind: str) -> list[dict[str, Any]]:
    with store.db.read() as session:
        rows = session.exec(select(LedgerRow.content).where(LedgerRow.kind == kind).order_by(col(LedgerRow.seq)))
        return [json.loads(text)["body"] for text in rows]


def test_a_position_gets_its_planned_stop_once(store: Store, venue: DeafVenue) -> None:
    assert protect(store, venue, life.RUN, CLOSE) == 1
    assert protect(store, venue, life.RUN, CLOSE) == 0
    assert stops(venue) == [(100, D(114))]
    assert len(said(store, "order.protective_stop")) == 1


def test_a_tightened_stop_replaces_the_last_one_and_the_ledger_says_from_where_to_where_and_why(
    store: Store, venue: DeafVenue
) -> None:
    protect(store, venue, life.RUN, CLOSE)
    protect(store, venue, life.RUN, CLOSE, closed(store, 130.0))
    assert stops(venue) == [(100, D("124.00"))]
    (moved,) = said(store, "order.stop_moved")
    assert (moved["old"]["stop_price"], moved["new"]["stop_price"], moved["reason"]) == ("114", "124", "trailing")
    (told,) = said(store, "stops.tightened")
    assert told["moves"][0]["symbol"] == "IBM"
    with store.db.read() as session:
        orders = session.exec(select(OrderRow).where(OrderRow.leg == "stop").order_by(col(OrderRow.attempt))).all()
    assert [(o.attempt, o.state, o.grant_id) for o in orders] == [(1, "cancelled", "grant_1"), (2, "new", "grant_1")]


def test_a_falling_price_moves_no_stop(store: Store, venue: DeafVenue) -> None:
    protect(store, venue, life.RUN, CLOSE)
    protect(store, venue, life.RUN, CLOSE, closed(store, 116.0))
    assert stops(venue) == [(100, D(114))]
    assert said(store, "stops.tightened") == []


def test_a_stop_whose_cancel_is_in_doubt_keeps_its_place_and_gets_no_twin(store: Store, venue: DeafVenue) -> None:
    protect(store, venue, life.RUN, CLOSE)
    venue.deaf = True
    assert protect(store, venue, life.RUN, CLOSE, closed(store, 130.0)) == 0
    assert stops(venue) == [(100, D(114))]
    with store.db.read() as session:
        assert len(session.exec(select(OrderRow).where(OrderRow.leg == "stop")).all()) == 1
    venue.deaf = False
    assert protect(store, venue, life.RUN, CLOSE) == 1
    assert stops(venue) == [(100, D("124.00"))]


def test_a_stop_for_another_quantity_is_replaced_by_one_for_what_is_held(store: Store, venue: DeafVenue) -> None:
    protect(store, venue, life.RUN, CLOSE)
    position(store, quantity=40)
    protect(store, venue, life.RUN, CLOSE)
    assert stops(venue) == [(40, D(114))]
    assert said(store, "order.stop_moved")[0]["reason"] == "quantity"


def test_a_split_moves_the_stop_with_its_own_reason(store: Store, venue: DeafVenue) -> None:
    protect(store, venue, life.RUN, CLOSE)
    position(store, quantity=200, stop_price=D(57), stop_why="corporate_action")
    protect(store, venue, life.RUN, CLOSE)
    assert said(store, "order.stop_moved")[0]["reason"] == "corporate_action"


def test_a_position_that_is_gone_has_no_stop(store: Store, venue: DeafVenue) -> None:
    protect(store, venue, life.RUN, CLOSE)
    position(store, quantity=0, stop_price=None)
    protect(store, venue, life.RUN, CLOSE)
    assert stops(venue) == []


def test_an_exit_in_doubt_protects_nothing_so_the_stop_comes_back(store: Store, venue: DeafVenue) -> None:
    with store.db.write() as session:
        request = OrderRequest(
            client_order_id="exit", symbol="IBM", side="sell", quantity=100, order_type="market", time_in_force="opg",
            reduce_only=True,
        )  # fmt: skip
        session.add(
            OrderRow(
                client_order_id="exit", run_id=life.RUN, case_id="case_x", grant_id="grant_x", leg="exit", attempt=1,
                symbol="IBM", side="sell", quantity=100, state="new", created=CLOSE.as_of, body=request,
                updated_wall=now(),
            )
        )  # fmt: skip
    assert protect(store, venue, life.RUN, CLOSE) == 0
    with store.db.write() as session:
        session.get_one(OrderRow, "exit").state = "unknown"
    assert protect(store, venue, life.RUN, CLOSE) == 1
    assert stops(venue) == [(100, D(114))]


def test_a_position_without_a_grant_or_a_plan_is_a_critical_finding(store: Store, venue: DeafVenue) -> None:
    position(store, stop_price=None)
    assert protect(store, venue, life.RUN, CLOSE) == 0
    assert life.findings(store) == ["unprotected"]


def bar(low: str, volume: int) -> Bar:
    return Bar(
        symbol="IBM", session=CLOSE.session, open=D(118), high=D(119), low=D(low), close=D(low), volume=volume,
        event_time=CLOSE.as_of, known_at=CLOSE.as_of,
    )  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(volume=st.integers(0, 3_000))
def test_whatever_part_of_a_stop_fills_the_rest_has_one_stop_and_nothing_is_oversold(
    tmp_path_factory: pytest.TempPathFactory, volume: int
) -> None:
    store = life.new_store(tmp_path_factory.mktemp("partial") / "home")
    life.seed_run(store)
    broker = holding(store)
    protect(store, broker, life.RUN, life.OPEN_TICK)
    broker.match_close(CLOSE, {"IBM": bar("110", volume)})
    book_fills(store, broker, life.MARKET, life.RUN, CLOSE)
    protect(store, broker, life.RUN, CLOSE)
    with store.db.read() as session:
        held = session.get_one(PositionRow, (life.RUN, "IBM")).quantity
    sold = min(100, max(0, volume // 10 - 100))  # the entry took 100 of the tenth that may be ours in a session
    assert held == 100 - sold == broker.positions().get("IBM", 0)
    assert stops(broker) == ([(held, D(114))] if held else [])
    store.db.dispose()
