"""A venue that takes trades back: order, position and cash are restated, and the message says so in known words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tools.execution.brokers.venue_help import closing, found, make, opening, order, tick, told
from tools.data.types import CorporateAction
from tools.errors import ExecutionError
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.messages import Amendment, Execution, OrderMessage, OrderView, apply_message
from tools.execution.orders import OrderEvent
from tools.execution.types import OrderState

D = Decimal


def filled(**changes: Any) -> tuple[SimulationBroker, str]:
    broker = make(costs={"spread_bps": 0, "impact_bps": 0})
    broker.submit(order(**changes))
    opening(broker, "100", volume=600)
    return broker, broker.fills(0)[0].execution_id


def test_a_bust_gives_back_shares_and_money_but_not_the_commission() -> None:
    broker, execution_id = filled(quantity=60)
    message = broker.bust(execution_id)
    assert (message.event, message.client_order_id, message.at) == (Amendment.BUST, "o1", tick("open").as_of)
    assert broker.positions() == {}
    assert broker.cash() == D(999_999)
    assert told(found(broker, "o1")) == ("cancelled", 0, "trade_amended")
    assert found(broker, "o1").average_price is None
    assert broker.amendments(0) == (message,)
    assert broker.amendments(1) == ()
    assert len(broker.fills(0)) == 1


def test_a_correction_restates_price_and_quantity() -> None:
    broker, execution_id = filled(quantity=60)
    broker.correct(execution_id, price=D(101))
    assert (found(broker, "o1").average_price, broker.cash()) == (D(101), D(1_000_000 - 6_060 - 1))
    broker.correct(execution_id, quantity=50)
    assert (broker.positions(), broker.cash()) == ({"IBM": 50}, D(1_000_000 - 5_050 - 1))
    assert told(found(broker, "o1")) == ("cancelled", 50, "trade_amended")


def test_shares_taken_back_from_an_open_order_are_filled_again() -> None:
    broker, execution_id = filled(quantity=100)
    broker.bust(execution_id)
    assert told(found(broker, "o1")) == ("new", 0, None)
    closing(broker, "100 101 99 101", volume=5_000)
    assert told(found(broker, "o1")) == ("filled", 100, None)
    assert broker.positions() == {"IBM": 100}


def test_exits_follow_a_busted_entry() -> None:
    broker, execution_id = filled(quantity=60, bracket={"take_profit": D(110), "stop_loss": D(90)})
    broker.correct(execution_id, quantity=20)
    assert [leg.quantity for leg in broker.legs("o1")] == [20, 20]
    broker.bust(execution_id)
    assert [told(leg) for leg in broker.legs("o1")] == [("cancelled", 0, "trade_busted")] * 2


def test_a_view_that_hears_the_message_knows_what_the_venue_knows() -> None:
    broker, execution_id = filled(quantity=100)
    fill = broker.fills(0)[0]
    view = OrderView(client_order_id="o1", quantity=100)
    heard = OrderMessage(
        id="m1", client_order_id="o1", event=OrderEvent.PARTIAL_FILL, at=fill.at,
        execution=Execution(execution_id=fill.execution_id, quantity=fill.quantity, price=fill.price),
    )  # fmt: skip
    messages = [heard, broker.correct(execution_id, quantity=40, price=D(99)), broker.bust(execution_id)]
    for message in messages[:2]:
        view = apply_message(view, message)
    assert (view.filled, view.average_price) == (40, D(99))
    view = apply_message(view, messages[2])
    assert (view.filled, view.state) == (0, OrderState.NEW)
    assert apply_message(apply_message(OrderView(client_order_id="o1", quantity=100), messages[2]), heard).filled == 0


def test_what_cannot_be_amended_is_refused() -> None:
    broker, execution_id = filled(quantity=60)
    refused: list[dict[str, Any]] = [{"quantity": 61}, {"quantity": -1}, {"price": D(0)}, {"price": D(100)}, {}]
    for terms in refused:
        with pytest.raises(ExecutionError, match="cannot become") as error:
            broker.correct(execution_id, **terms)
        assert error.value.code == "invalid_correction"
    broker.bust(execution_id)
    with pytest.raises(ExecutionError, match="nothing after a bust"):
        broker.correct(execution_id, quantity=10)
    with pytest.raises(ExecutionError) as unknown:
        broker.bust("never")
    assert unknown.value.code == "unknown_execution"


def test_a_trade_from_before_a_split_stands() -> None:
    broker, execution_id = filled(quantity=60)
    day = tick("open", 1).session
    broker.apply_action(
        CorporateAction(symbol="IBM", kind="split", ex_date=day, ratio=D(2), known_at=tick("open").as_of, note="x")
    )
    with pytest.raises(ExecutionError, match="before a corporate action") as error:
        broker.bust(execution_id)
    assert error.value.code == "too_late"
