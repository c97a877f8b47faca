"""Exits of a bracket: as large as what the entry filled, never both, and no luck from the bar of the entry."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.execution.brokers.venue_help import bar, closing, found, make, opening, order, tick, told
from tools.data.types import CorporateAction
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import BrokerOrder, OrderState

D = Decimal
BOTH = {"take_profit": D(110), "stop_loss": D(90)}


def entered(**changes: Any) -> SimulationBroker:
    broker = make()
    broker.submit(order(**{"bracket": BOTH, **changes}))
    return broker


def legs(broker: SimulationBroker) -> tuple[BrokerOrder, BrokerOrder]:
    stop, profit = broker.legs("o1")
    return stop, profit


def test_exits_appear_when_the_entry_fills_and_name_their_parent() -> None:
    broker = entered(time_in_force="day")
    assert broker.legs("o1") == ()
    opening(broker, "100")
    stop, profit = legs(broker)
    assert (stop.order_type, stop.stop_price, profit.order_type, profit.limit_price) == ("stop", D(90), "limit", D(110))
    assert {(leg.side, leg.quantity, leg.parent_client_order_id) for leg in (stop, profit)} == {("sell", 100, "o1")}
    assert broker.open_orders() == (stop, profit)
    closing(broker, "100 105 95 101")
    assert [told(leg) for leg in legs(broker)] == [("expired", 0, "limit_not_reached")] * 2


def test_one_exit_cancels_the_other_and_a_bar_that_reaches_both_meets_the_stop() -> None:
    broker = entered()
    opening(broker, "100")
    closing(broker, "100 111 89 100")
    stop, profit = legs(broker)
    assert told(stop) == ("filled", 100, None)
    assert told(profit) == ("cancelled", 0, "one_cancels_other")
    assert broker.positions() == {}


def test_a_profit_at_the_open_comes_before_the_stop_in_the_bar() -> None:
    broker = entered()
    opening(broker, "100")
    closing(broker, "100 101 99 100")
    opening(broker, "112", 1)
    assert [told(leg)[:2] for leg in legs(broker)] == [("cancelled", 0), ("filled", 100)]


def test_a_stop_with_a_limit_is_a_stop_limit() -> None:
    broker = entered(bracket={"stop_loss": D(90), "stop_loss_limit": D(89)})
    opening(broker, "100")
    closing(broker, "88 88.50 85 86")
    (stop,) = broker.legs("o1")
    assert (stop.order_type, told(stop)) == ("stop_limit", ("new", 0, None))
    opening(broker, "89.50", 1)
    assert told(found(broker, stop.client_order_id)) == ("filled", 100, None)


def test_in_the_bar_of_a_limit_entry_the_stop_may_trigger_and_the_profit_waits() -> None:
    broker = entered(kind="limit", limit_price=D(95))
    closing(broker, "100 120 89 119")
    assert broker.positions() == {}
    assert [told(leg)[:2] for leg in legs(broker)] == [("filled", 100), ("cancelled", 0)]
    other = entered(kind="limit", limit_price=D(95))
    closing(other, "100 120 94 119")
    assert [told(leg) for leg in legs(other)] == [("new", 0, None)] * 2


def test_nothing_of_a_bracket_is_matched_in_the_close_that_its_market_entry_filled_at() -> None:
    broker = make()
    opening(broker, "100")
    broker.submit(order(bracket=BOTH))
    closing(broker, "100 120 80 100")
    assert broker.positions() == {"IBM": 100}
    assert [told(leg) for leg in legs(broker)] == [("new", 0, None)] * 2


def test_exits_grow_with_their_entry_and_shrink_with_each_other() -> None:
    broker = entered(quantity=100)
    opening(broker, "100", volume=400)
    assert [leg.quantity for leg in legs(broker)] == [40, 40]
    closing(broker, "100 100 99 100", volume=700)
    assert [leg.quantity for leg in legs(broker)] == [70, 70]
    opening(broker, "111", 1, volume=200)
    stop, profit = legs(broker)
    assert (found(broker, "o1").filled_quantity, broker.positions()) == (90, {"IBM": 90})
    assert (told(profit), profit.quantity) == (("new", 0, None), 90)
    closing(broker, "100 100 89 90", 1, volume=600)
    stop, profit = legs(broker)
    assert (told(stop), stop.quantity, profit.quantity) == (("partially_filled", 40, None), 90, 50)
    assert found(broker, "o1").filled_quantity == 90


def test_an_exit_that_took_everything_ends_what_is_left_of_the_entry() -> None:
    broker = entered(kind="limit", limit_price=D(100))
    opening(broker, "100", volume=400)
    closing(broker, "105 111 104 111", volume=4_000)
    assert told(found(broker, "o1")) == ("cancelled", 40, "exit_filled")
    assert broker.positions() == {}
    assert broker.open_orders() == ()


def test_cancelling_one_exit_leaves_the_other_and_the_entry_its_exits() -> None:
    broker = entered(quantity=100)
    opening(broker, "100", volume=400)
    broker.cancel("o1")
    stop, profit = legs(broker)
    broker.cancel(profit.client_order_id)
    assert broker.open_orders() == (stop,)
    closing(broker, "100 111 89 100")
    assert told(legs(broker)[0]) == ("filled", 40, None)


def test_a_split_moves_exits_that_rest_and_those_still_to_come() -> None:
    broker = entered(quantity=100, bracket={**BOTH, "stop_loss_limit": D(88)})
    opening(broker, "100", volume=400)
    broker.submit(order("o2", kind="limit", limit_price=D(96), bracket=BOTH))
    action = CorporateAction(
        symbol="IBM", kind="split", ex_date=tick("open", 1).session, ratio=D(2), known_at=tick("open").as_of, note="x"
    )
    broker.apply_action(action)
    stop, profit = legs(broker)
    assert (stop.quantity, stop.stop_price, stop.limit_price, profit.limit_price) == (80, D(45), D(44), D(55))
    opening(broker, "48", 1)
    later, target = broker.legs("o2")
    assert (later.quantity, later.stop_price, target.limit_price) == (200, D(45), D(55))


def test_a_short_entry_is_bracketed_by_buys() -> None:
    broker = make(borrow={"limits": {"IBM": 500}})
    broker.submit(order(side="sell", bracket={"take_profit": D(90), "stop_loss": D(110)}))
    opening(broker, "100")
    assert broker.positions() == {"IBM": -100}
    closing(broker, "100 111 95 105")
    stop, profit = legs(broker)
    assert (stop.side, told(stop)[:2], told(profit)[:2]) == ("buy", ("filled", 100), ("cancelled", 0))
    assert broker.positions() == {}


sessions = st.lists(
    st.tuples(st.lists(st.integers(80, 120), min_size=4, max_size=4), st.integers(0, 3_000)), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=60)
@given(sessions=sessions, quantity=st.integers(1, 400), kind=st.sampled_from(["market", "limit"]), tail=st.booleans())
def test_a_bracket_never_sells_more_than_it_bought_nor_fills_both_exits(
    sessions: list[tuple[list[int], int]], quantity: int, kind: str, tail: bool
) -> None:
    bracket = {**BOTH, "stop_loss_limit": D(89)} if tail else BOTH
    broker = entered(quantity=quantity, kind=kind, bracket=bracket, limit_price=D(99) if kind == "limit" else None)
    for day, (four, volume) in enumerate(sessions):
        prices = f"{four[0]} {max(four)} {min(four)} {four[1]}"
        opening(broker, str(four[0]), day, volume)
        broker.match_close(tick("close", day), {"IBM": bar(prices, day, volume)})
        entry, exits = found(broker, "o1"), broker.legs("o1")
        sold = sum(leg.filled_quantity for leg in exits)
        assert broker.positions().get("IBM", 0) == entry.filled_quantity - sold >= 0
        assert sum(leg.state is OrderState.FILLED for leg in exits) <= 1
        left = {leg.quantity - leg.filled_quantity for leg in exits if leg in broker.open_orders()}
        assert left <= {entry.filled_quantity - sold}
        assert len(exits) == (2 if entry.filled_quantity else 0)
    broker.close()
