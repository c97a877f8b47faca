"""A day that both Alpaca peers share: one clock, one set of prices, fills that follow the bars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.peers.alpaca_day import AlpacaDay
from tests.peers.alpaca_peer import AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect, found, sell
from tools.data.collectors.embedded import EmbeddedMarket
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.types import Bracket, OrderState

D = Decimal


@pytest.fixture(scope="module")
def source() -> EmbeddedMarket:
    return EmbeddedMarket(["GE", "IBM"])


@pytest.fixture
def day(peer: AlpacaPeer, source: EmbeddedMarket) -> AlpacaDay:
    made = AlpacaDay(source, last=date(2026, 11, 20))
    made.attach(peer)
    return made


@pytest.fixture
def broker(peer: AlpacaPeer, day: AlpacaDay) -> Iterator[AlpacaBroker]:
    made = connect(peer)
    yield made
    made.close()


def _next(day: AlpacaDay) -> date:
    return day.days[day.schedule.closed(day.now)]


def test_the_sessions_are_as_many_and_end_where_the_test_says(day: AlpacaDay, source: EmbeddedMarket) -> None:
    assert len(day.days) == len(source.sessions)
    assert day.days[-1] == date(2026, 11, 20)
    last = source.tick(source.sessions[-1], "close").as_of
    assert day.bars(day.days[-1])["IBM"] == source.bars(source.sessions[-1], last)["IBM"]


def test_both_peers_tell_the_same_time(day: AlpacaDay, broker: AlpacaBroker) -> None:
    day.to_open(_next(day))
    clock = broker.market_clock()
    assert clock.timestamp == day.now
    assert clock.is_open
    day.to(clock.next_close)
    assert not broker.market_clock().is_open
    with pytest.raises(ValueError, match="cannot go back"):
        day.to(day.now - timedelta(seconds=1))


@pytest.mark.parametrize("time_in_force", ["day", "opg"])
def test_what_waits_for_the_open_fills_at_it(time_in_force: str, day: AlpacaDay, broker: AlpacaBroker) -> None:
    broker.submit(buy("o1", time_in_force=time_in_force))
    assert found(broker, "o1").state is OrderState.NEW
    session = _next(day)
    day.to_open(session)
    (fill,) = broker.fills(0)
    assert (fill.price, fill.quantity, fill.session) == (day.bars(session)["IBM"].open, 10, session)


def test_an_order_after_the_opening_moment_fills_when_the_day_trades(day: AlpacaDay, broker: AlpacaBroker) -> None:
    session = _next(day)
    day.to_open(session)
    broker.submit(buy("o1"))
    assert broker.fills(0) == ()
    day.trade()
    assert [fill.price for fill in broker.fills(0)] == [day.bars(session)["IBM"].open]
    day.to_close(session)
    with pytest.raises(ValueError, match="no session is under way"):
        day.trade()


def test_a_limit_the_open_does_not_meet_waits_or_ends(day: AlpacaDay, broker: AlpacaBroker) -> None:
    bar = day.bars(_next(day))["IBM"]
    beyond: dict[str, Any] = {"order_type": "limit", "limit_price": bar.low - 20}
    broker.submit(buy("auction", time_in_force="opg", **beyond))
    broker.submit(buy("today", **beyond))
    day.to_open(_next(day))
    assert found(broker, "auction").state is OrderState.EXPIRED
    assert found(broker, "today").state is OrderState.NEW
    day.to_close(_next(day))
    assert found(broker, "today").state is OrderState.EXPIRED
    assert broker.fills(0) == ()


def test_a_limit_within_the_bar_fills_at_its_price(day: AlpacaDay, broker: AlpacaBroker) -> None:
    session = next(item for item in day.days[day.schedule.closed(day.now) :] if _dips(day, item))
    bar = day.bars(session)["IBM"]
    day.to(day.schedule.session(session).opens - timedelta(minutes=1))
    broker.submit(buy("o1", order_type="limit", limit_price=bar.low + D("0.01")))
    day.to_close(session)
    assert [fill.price for fill in broker.fills(0)] == [bar.low + D("0.01")]


def _dips(day: AlpacaDay, session: date) -> bool:
    bar = day.bars(session)["IBM"]
    return bar.low + D("0.05") < bar.open


def test_a_stop_triggers_in_the_bar_and_a_gap_fills_at_the_open(day: AlpacaDay, broker: AlpacaBroker) -> None:
    broker.submit(buy("o1", quantity=20))
    day.to_open(_next(day))
    session = next(item for item in day.days[day.schedule.opened(day.now) :] if _dips(day, item))
    bar = day.bars(session)["IBM"]
    day.to(day.schedule.session(session).opens - timedelta(minutes=1))
    stop = bar.low + D("0.01")
    broker.submit(sell("touched", order_type="stop", stop_price=stop, time_in_force="gtc", reduce_only=False))
    gap = bar.open + 1
    broker.submit(sell("gap", order_type="stop", stop_price=gap, time_in_force="gtc", reduce_only=False))
    day.to_open(session)
    assert found(broker, "gap").average_price == bar.open
    assert found(broker, "touched").state is OrderState.NEW
    day.to_close(session)
    assert found(broker, "touched").average_price == stop
    assert broker.positions() == {}


def test_a_bracket_protects_once_its_entry_filled(day: AlpacaDay, broker: AlpacaBroker) -> None:
    session = next(item for item in day.days[day.schedule.opened(day.now) :] if _dips(day, item))
    bar = day.bars(session)["IBM"]
    day.to(day.schedule.session(session).opens - timedelta(minutes=1))
    exits = Bracket(take_profit=bar.high + 50, stop_loss=bar.low + D("0.01"))
    broker.submit(buy("o1", time_in_force="gtc", bracket=exits))
    assert {leg.state for leg in broker.legs("o1")} == {OrderState.NEW}
    day.to_close(session)
    ends = {leg.order_type: leg.state for leg in broker.legs("o1")}
    assert ends == {"limit": OrderState.CANCELLED, "stop": OrderState.FILLED}
    assert broker.positions() == {}


def test_a_cancel_is_carried_out_before_the_next_thing_happens(day: AlpacaDay, broker: AlpacaBroker) -> None:
    broker.submit(buy("o1"))
    assert broker.cancel("o1").state is OrderState.PENDING_CANCEL
    day.to_open(_next(day))
    assert found(broker, "o1").state is OrderState.CANCELLED
    assert broker.fills(0) == ()


def test_a_jump_over_many_sessions_fills_at_the_first_open(day: AlpacaDay, broker: AlpacaBroker) -> None:
    session = _next(day)
    broker.submit(buy("o1"))
    day.to_close(day.days[-1])
    assert [(fill.price, fill.session) for fill in broker.fills(0)] == [(day.bars(session)["IBM"].open, session)]
