"""An order's terms agree with each other before it exists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from tools.execution.types import Bracket, OrderRequest

D = Decimal


def order(order_type: str, time_in_force: str = "day", **changes: Any) -> OrderRequest:
    base = {"client_order_id": "o1", "symbol": "IBM", "side": "buy", "quantity": 10}
    return OrderRequest.model_validate({**base, "order_type": order_type, "time_in_force": time_in_force, **changes})


@pytest.mark.parametrize("time_in_force", ["opg", "day", "gtc", "cls", "ioc", "fok"])
@pytest.mark.parametrize(("kind", "terms"), [("market", {}), ("limit", {"limit_price": D(10)})])
def test_market_and_limit_orders_take_every_time_in_force(kind: str, terms: dict[str, Any], time_in_force: str) -> None:
    assert order(kind, time_in_force, **terms).time_in_force == time_in_force


STOPS: list[tuple[str, dict[str, Any]]] = [
    ("stop", {"stop_price": D(9)}),
    ("stop_limit", {"stop_price": D(9), "limit_price": D(8)}),
    ("trailing_stop", {"trail_price": D(1)}),
    ("trailing_stop", {"trail_percent": D(5)}),
]


@pytest.mark.parametrize(("kind", "terms"), STOPS)
@pytest.mark.parametrize("time_in_force", ["opg", "cls", "ioc", "fok"])
def test_an_order_that_waits_for_its_price_cannot_be_immediate(
    kind: str, terms: dict[str, Any], time_in_force: str
) -> None:
    assert order(kind, "gtc", **terms).order_type == kind
    with pytest.raises(ValidationError, match=f"so {time_in_force} cannot hold: use day or gtc"):
        order(kind, time_in_force, **terms)


@pytest.mark.parametrize(
    ("kind", "terms", "says"),
    [
        ("limit", {}, "a limit order needs a limit_price"),
        ("stop", {}, "a stop order needs a stop_price"),
        ("stop_limit", {"stop_price": D(9)}, "a stop_limit order needs a limit_price"),
        ("market", {"limit_price": D(9)}, "a market order takes no limit_price, got 9"),
        ("limit", {"limit_price": D(9), "stop_price": D(8)}, "a limit order takes no stop_price, got 8"),
        ("trailing_stop", {}, "exactly one; got 0"),
        ("trailing_stop", {"trail_price": D(1), "trail_percent": D(1)}, "exactly one; got 2"),
        ("trailing_stop", {"trail_price": D(1), "stop_price": D(1)}, "takes no stop_price"),
        ("stop", {"stop_price": D(9), "trail_price": D(1)}, "a stop order takes no trail_price"),
        ("trailing_stop", {"trail_percent": D(100)}, "less than 100"),
        ("limit", {"limit_price": D(0)}, "greater than 0"),
    ],
)
def test_terms_that_contradict_are_refused(kind: str, terms: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        order(kind, **terms)


BOTH = {"take_profit": D(12), "stop_loss": D(8)}


def test_a_bracket_stands_round_its_entry() -> None:
    assert order("limit", limit_price=D(10), bracket=BOTH).bracket == Bracket(take_profit=D(12), stop_loss=D(8))
    assert order("market", bracket={"stop_loss": D(8), "stop_loss_limit": D(7)}).bracket is not None
    assert order("limit", side="sell", limit_price=D(10), bracket={"take_profit": D(8), "stop_loss": D(12)})


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"order_type": "limit", "limit_price": D(12), "bracket": BOTH}, "stop_loss < limit_price < take_profit"),
        ({"order_type": "market", "bracket": {"take_profit": D(8), "stop_loss": D(12)}}, "got 12, 8"),
        ({"order_type": "market", "side": "sell", "bracket": BOTH}, "stop_loss > limit_price > take_profit"),
        ({"order_type": "market", "bracket": BOTH, "reduce_only": True}, "nothing to protect"),
        ({"order_type": "market", "bracket": BOTH, "time_in_force": "opg"}, "not market opg"),
        ({"order_type": "stop", "stop_price": D(9), "bracket": BOTH}, "not stop day"),
        ({"order_type": "market", "bracket": {}}, "neither take_profit nor stop_loss"),
        ({"order_type": "market", "bracket": {"take_profit": D(9), "stop_loss_limit": D(8)}}, "has no stop_loss"),
    ],
)
def test_a_bracket_that_cannot_work_is_refused(terms: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        order(**terms)
