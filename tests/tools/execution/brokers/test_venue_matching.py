"""What the terms do to an order on its way: latency, rejects, halts, lives of one price, and terms that stay."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.tools.execution.brokers.venue_help import DAY, bar, closing, found, make, opening, order, tick, told
from tools.errors import ExecutionError
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import OrderState

D = Decimal


def test_latency_keeps_an_order_from_the_next_ticks() -> None:
    broker = make(latency_ticks=2)
    for name, life in (("gtc", "gtc"), ("opg", "opg"), ("day", "day")):
        broker.submit(order(name, time_in_force=life))
    opening(broker, "100")
    closing(broker, "101 103 99 102")
    assert {told(found(broker, name)) for name in ("gtc", "opg", "day")} == {("new", 0, None)}
    opening(broker, "110", 1)
    assert {fill.price for fill in broker.fills(0)} == {D(110)}
    assert len(broker.fills(0)) == 3


def test_an_order_too_late_for_its_auction_expires() -> None:
    broker = make(latency_ticks=1)
    broker.submit(order(time_in_force="opg"))
    opening(broker, "100")
    closing(broker, "101 103 99 102")
    assert told(found(broker, "o1")) == ("expired", 0, "not_matched_in_its_session")


def test_a_cancel_reaches_an_order_on_its_way() -> None:
    broker = make(latency_ticks=1)
    broker.submit(order())
    assert broker.cancel("o1").state == OrderState.CANCELLED
    opening(broker, "100")
    closing(broker, "101 103 99 102")
    assert broker.fills(0) == ()


def test_rejects_belong_to_seed_and_order_and_have_their_rate() -> None:
    names = [f"o{number}" for number in range(300)]
    runs = []
    for _ in range(2):
        broker = make(reject_rate="0.25")
        runs.append([broker.submit(order(name)).reason for name in names])
        broker.close()
    assert runs[0] == runs[1]
    assert set(runs[0]) == {None, "venue_refused"}
    assert 50 < runs[0].count("venue_refused") < 100
    assert make(reject_rate=1).submit(order()).state == OrderState.REJECTED


def test_a_halted_symbol_fills_nothing_and_trails_nothing() -> None:
    broker = make(halted={DAY.isoformat(): ["IBM"]})
    for name, life in (("opg", "opg"), ("ioc", "ioc"), ("cls", "cls"), ("day", "day"), ("gtc", "gtc")):
        broker.submit(order(name, time_in_force=life))
    broker.submit(order("trail", kind="trailing_stop", trail_price=D(1)))
    opening(broker, "100")
    assert {told(found(broker, name)) for name in ("opg", "ioc")} == {("expired", 0, "symbol_halted")}
    closing(broker, "100 120 80 100")
    assert {told(found(broker, name)) for name in ("cls", "day")} == {("expired", 0, "symbol_halted")}
    assert found(broker, "trail").stop_price is None
    opening(broker, "107", 1)
    assert [(fill.client_order_id, fill.price) for fill in broker.fills(0)] == [("gtc", D(107))]


def test_cls_meets_the_close_alone() -> None:
    broker = make()
    broker.submit(order("any", time_in_force="cls"))
    broker.submit(order("low", kind="limit", limit_price=D(101), time_in_force="cls"))
    opening(broker, "100")
    assert broker.fills(0) == ()
    closing(broker, "100 110 95 102")
    assert [(fill.client_order_id, fill.price) for fill in broker.fills(0)] == [("any", D(102))]
    assert told(found(broker, "low")) == ("expired", 0, "limit_not_reached")


@pytest.mark.parametrize(("life", "state", "filled"), [("ioc", "expired", 40), ("fok", "expired", 0)])
def test_at_once_is_at_the_next_tick_in_part_or_whole(life: str, state: str, filled: int) -> None:
    broker = make()
    broker.submit(order(time_in_force=life))
    opening(broker, "100", volume=400)
    assert told(found(broker, "o1"))[:2] == (state, filled)
    broker.submit(order("o2", kind="limit", limit_price=D(100), time_in_force=life))
    closing(broker, "100 110 95 101")
    assert told(found(broker, "o2")) == ("expired", 0, "limit_not_reached")
    broker.submit(order("o3", quantity=30, time_in_force=life))
    opening(broker, "100", 1, volume=400)
    assert told(found(broker, "o3")) == ("filled", 30, None)


def test_an_order_at_once_without_a_price_is_rejected() -> None:
    broker = make()
    broker.submit(order(time_in_force="fok"))
    broker.match_open(tick("open"), {}, {})
    assert told(found(broker, "o1")) == ("rejected", 0, "no_price")


def test_a_trailing_stop_follows_over_sessions_and_reports_its_level() -> None:
    broker = make()
    broker.submit(order())
    opening(broker, "100")
    broker.submit(order("trail", "sell", kind="trailing_stop", trail_percent=D(5), reduce_only=True))
    closing(broker, "100 104 96 103")
    assert found(broker, "trail").stop_price == D("98.80")
    opening(broker, "97", 1)
    closing(broker, "97 99 96 98", 1)
    assert [(fill.client_order_id, fill.price) for fill in broker.fills(1)] == [("trail", D(97))]


def test_what_a_cap_leaves_of_a_triggered_trail_is_a_market_order_and_of_a_stop_limit_a_limit_order() -> None:
    broker = make()
    broker.submit(order(quantity=200))
    opening(broker, "100")
    trail: dict[str, Any] = {"kind": "trailing_stop", "trail_price": D(5), "quantity": 100, "reduce_only": True}
    broker.submit(order("trail", "sell", **trail))
    closing(broker, "100 100 94 95", volume=400)
    broker.submit(order("sl", "sell", kind="stop_limit", stop_price=D(108), limit_price=D(107), reduce_only=True))
    opening(broker, "109", 1)
    assert told(found(broker, "trail")) == ("filled", 100, None)
    closing(broker, "109 109.50 107.50 109", 1, volume=1_400)
    assert told(found(broker, "sl")) == ("partially_filled", 40, None)
    opening(broker, "107.20", 2)
    assert told(found(broker, "sl")) == ("filled", 100, None)


def test_terms_belong_to_the_account(tmp_path: Path) -> None:
    path = tmp_path / "venue"
    make(path, latency_ticks=1).close()
    make(path, latency_ticks=1).close()
    with pytest.raises(ExecutionError, match=r"other terms \(participation, latency_ticks\)") as error:
        make(path, participation="0.2")
    assert error.value.code == "account_mismatch"


def test_a_short_is_taken_up_to_what_is_lent_and_a_sell_may_pass_zero() -> None:
    broker = make(borrow={"limits": {"IBM": 100}})
    assert told(broker.submit(order("far", "sell", 101))) == ("rejected", 0, "borrow_limit")
    broker.submit(order("buy", quantity=50))
    opening(broker, "100")
    broker.submit(order("through", "sell", 150))
    broker.submit(order("more", "sell", 100))
    closing(broker, "100 100 100 100")
    assert broker.positions() == {"IBM": -100}
    assert told(found(broker, "more")) == ("rejected", 0, "borrow_limit")
    broker.submit(order("cover", quantity=150, reduce_only=True))
    opening(broker, "101", 1)
    assert told(found(broker, "cover")) == ("cancelled", 100, "capped_at_position")
    assert broker.positions() == {}


def test_margin_bounds_what_is_opened_and_never_what_is_closed() -> None:
    broker = make(cash=10_000, initial_margin="0.5", borrow={"limits": {"IBM": 1_000}})
    for name, quantity in (("most", 200), ("one", 1)):
        broker.submit(order(name, quantity=quantity, time_in_force="opg"))
    opening(broker, "100")
    assert told(found(broker, "one")) == ("rejected", 0, "no_cash")
    assert broker.cash() == D(-10_000)
    broker.submit(order("short", "sell", 401))
    closing(broker, "100 100 100 100")
    assert told(found(broker, "short")) == ("rejected", 0, "no_margin")
    broker.submit(order("flat", "sell", 200))
    opening(broker, "40", 1)
    assert told(found(broker, "flat")) == ("filled", 200, None)
    assert broker.cash() == D(-2_000)


def play(broker: SimulationBroker) -> object:
    for name in ("a", "b"):
        broker.submit(order(name, bracket={"take_profit": D(104), "stop_loss": D(96)}))
    opening(broker, "100")
    broker.match_close(tick("close"), {"IBM": bar("100 103 95 99")})
    return (broker.fills(0), broker.open_orders())


def test_exits_have_the_same_ids_in_every_file(tmp_path: Path) -> None:
    assert play(make(tmp_path / "a")) == play(make(tmp_path / "b"))
