"""What an order does to a book: nothing when it is nothing, the right way when it is something."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.risk.measures.books import LIMITS, book, history, position, view
from tools.errors import ToolRejected
from tools.risk.measures.book import book_of, with_order
from tools.risk.measures.types import Book, Scenario, WhatIf
from tools.risk.measures.what_if import Surroundings, what_if
from tools.risk.types import PendingOrder

FALL = Scenario(id="fall", name="a fall", market_move=-0.1)
D = Decimal


def around(sessions: int = 80) -> Surroundings:
    return Surroundings(history(sessions), (FALL,), view(), LIMITS)


def tried(held: Book, quantity: int = 1000, sessions: int = 80, **changes: Any) -> WhatIf:
    order: dict[str, Any] = {
        "symbol": "AAA", "sector": "Energy", "side": "buy", "price": D(10), "stop_price": D(9), **changes,
    }  # fmt: skip
    return what_if(around(sessions), held, quantity=quantity, **order)


def test_money_measures_by_hand() -> None:
    found = tried(book(AAA=20_000, BBB=30_000))
    shares = {item.measure: (item.before, item.after) for item in found.changes}
    assert shares["gross"] == (D("0.05"), D("0.06"))
    assert shares["position"] == (D("0.02"), D("0.03"))
    assert shares["sector"] == (D("0.02"), D("0.03"))
    assert shares["open_risk"] == (D("0.005"), D("0.006"))
    assert shares["largest_holding"] == (D("0.03"), D("0.03"))
    assert shares["effective_names"][1] == D(2)


def test_a_measure_is_held_against_its_limit_by_name() -> None:
    found = tried(book())
    assert (found.find("open_risk").against, found.find("open_risk").limit) == ("max_total_open_risk", D("0.05"))
    assert found.find("stress_fall").against == "max_drawdown"
    assert found.find("beta").limit is None


def test_the_largest_step_is_of_the_book_and_relative_to_the_room_left() -> None:
    assert tried(book(), stop_price=None).largest == "open_risk"
    assert tried(book(), stop_price=D("9.9")).largest == "sector"
    assert tried(book(AAA=240_000), stop_price=D("9.9"), quantity=100).largest == "sector"
    assert tried(book(BBB=480_000), stop_price=D(9)).largest == "open_risk"
    assert tried(book(), quantity=0).largest is None


def test_an_order_without_a_stop_risks_all_of_it() -> None:
    assert tried(book(), stop_price=None).find("open_risk").after == D("0.01")


def test_a_history_too_short_leaves_the_tail_open_and_says_why() -> None:
    found = tried(book(AAA=20_000), sessions=10)
    tail = found.find("var")
    assert (tail.before, tail.after) == (None, None)
    assert tail.missing is not None
    assert "needs 40" in tail.missing
    assert found.incremental_var is None
    assert found.marginal_var is None
    assert found.find("gross").after == D("0.03")


def test_incremental_var_is_the_difference_and_marginal_points_the_same_way() -> None:
    found = tried(book(BBB=100_000), quantity=100)
    tail = found.find("var")
    assert found.incremental_var == tail.after - tail.before  # type: ignore[operator]
    assert found.marginal_var is not None
    assert found.marginal_var > 0


@settings(deadline=None, max_examples=30)
@given(st.integers(-300_000, 300_000), st.integers(-300_000, 300_000), st.sampled_from(["buy", "sell"]))
def test_an_order_of_nothing_changes_nothing(a: int, b: int, side: str) -> None:
    found = tried(book(AAA=a, BBB=b), quantity=0, side=side)
    assert all(item.before == item.after for item in found.changes)
    assert found.incremental_var == 0


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_selling_part_of_a_position_takes_its_part_of_the_risk(held: int, sold: int) -> None:
    start = book(AAA=held * 10)
    after = with_order(
        start, symbol="AAA", sector="Energy", side="sell", quantity=min(held, sold), price=D(12), stop_price=None
    )
    left = held - min(held, sold)
    risk = sum((item.open_risk for item in after.holdings), D(0))
    assert abs(risk - D(left)) < D("0.000001")
    assert abs(sum((item.value for item in after.holdings), D(0)) - left * 10) < D("0.000001")


def test_selling_beyond_the_position_is_a_short_at_full_risk() -> None:
    after = with_order(
        book(AAA=1000), symbol="AAA", sector="Energy", side="sell", quantity=150, price=D(12), stop_price=None
    )
    (short,) = after.holdings
    assert (short.quantity, short.value, short.open_risk) == (-50, D(-600), D(600))


def test_buying_and_selling_the_same_is_where_it_began() -> None:
    start = book(AAA=1000, BBB=500)
    bought = with_order(start, symbol="CCC", sector="X", side="buy", quantity=10, price=D(5), stop_price=D(4))
    again = with_order(bought, symbol="CCC", sector="X", side="sell", quantity=10, price=D(5), stop_price=None)
    assert again == start


def test_the_book_counts_pending_orders_as_filled() -> None:
    order = PendingOrder(
        symbol="AAA", side="buy", quantity=100, price=D(11), sector="Energy", stop_price=D(9)
    )  # fmt: skip
    seen = view(positions=(position("AAA", 100),)).model_copy(update={"pending": (order,)})
    (held,) = book_of(seen).holdings
    assert (held.quantity, held.value, held.open_risk) == (200, D(2100), D(300))
    assert book_of(seen, pending=False).holdings[0].quantity == 100


def test_a_book_without_equity_is_refused() -> None:
    with pytest.raises(ToolRejected, match="equity is 0"):
        book_of(view(equity=D(0)))


def test_a_what_if_of_forty_names_stays_cheap() -> None:
    symbols = tuple(f"S{i}" for i in range(40))
    surroundings = Surroundings(history(126, symbols), (FALL,), view(), LIMITS)
    held = book(**dict.fromkeys(symbols, 20_000))
    order: dict[str, Any] = {
        "symbol": "S1", "sector": "X", "side": "buy", "quantity": 10, "price": D(10), "stop_price": D(9)
    }  # fmt: skip
    what_if(surroundings, held, **order)
    started = time.process_time()
    for _ in range(5):
        what_if(surroundings, held, **order)
    assert (time.process_time() - started) / 5 < 0.05


def test_marginal_var_of_a_small_order_is_nearly_what_it_adds_to_parametric_var() -> None:
    small, large = (tried(book(BBB=100_000), quantity=shares).marginal_var for shares in (10, 20))
    assert small is not None
    assert large is not None
    assert abs(large / small - 2) < D("0.05")
    assert D(0) < small < D("0.01")
