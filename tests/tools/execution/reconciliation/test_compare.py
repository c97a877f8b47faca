"""Two books of one account: equal ones have no break, one difference has one, and every difference is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.execution.positions import cash_effect
from tools.execution.reconciliation.compare import compare
from tools.execution.reconciliation.types import BrokerBook, OwnBook, OwnFill, OwnOrder
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderState

D = Decimal
AT = datetime(2009, 11, 17, 14, 30, tzinfo=UTC)
CASH = D(10_000)


def fill(number: int, **changes: Any) -> Fill:
    body: dict[str, Any] = {
        "execution_id": f"x{number}", "sequence": number + 1, "client_order_id": f"o{number}", "symbol": "IBM",
        "side": "buy", "quantity": 10, "price": D(12), "commission": D(1), "reference_price": D(12),
        "session": date(2009, 11, 17), "at": AT,
    }  # fmt: skip
    return Fill.model_validate({**body, **changes})


def own(item: Fill, **changes: Any) -> OwnFill:
    return OwnFill.model_validate({**item.model_dump(include=set(OwnFill.model_fields)), **changes})


def order(name: str = "o1", state: OrderState = OrderState.NEW, **changes: Any) -> BrokerOrder:
    body: dict[str, Any] = {
        "client_order_id": name, "broker_order_id": f"b-{name}", "symbol": "IBM", "side": "buy", "quantity": 10,
        "order_type": "market", "state": state,
    }  # fmt: skip
    return BrokerOrder.model_validate({**body, **changes})


def mine(item: BrokerOrder, **changes: Any) -> OwnOrder:
    body: dict[str, Any] = {
        **item.model_dump(include={"client_order_id", "symbol", "side", "quantity", "state"}),
        "filled": item.filled_quantity,
    }
    return OwnOrder.model_validate({**body, **changes})


def held(fills: tuple[Fill, ...]) -> dict[str, int]:
    total: dict[str, int] = {}
    for item in fills:
        total[item.symbol] = total.get(item.symbol, 0) + (item.quantity if item.side == "buy" else -item.quantity)
    return {symbol: quantity for symbol, quantity in total.items() if quantity}


def books(orders: tuple[BrokerOrder, ...] = (), fills: tuple[Fill, ...] = ()) -> tuple[OwnBook, BrokerBook]:
    """Both books of the same orders and fills."""
    cash = CASH + sum((cash_effect(item) for item in fills), D(0))
    return (
        OwnBook(
            orders={item.client_order_id: mine(item) for item in orders},
            fills={item.execution_id: own(item) for item in fills}, positions=held(fills), cash=cash,
        ),
        BrokerBook(orders=orders, fills=fills, whole=True, positions=held(fills), cash=cash),
    )  # fmt: skip


def kinds(ours: OwnBook, theirs: BrokerBook, **options: Any) -> list[str]:
    return [item.kind for item in compare(ours, theirs, as_of=AT, **options)]


FILLS = st.lists(
    st.tuples(
        st.sampled_from(["IBM", "GE", "XOM"]), st.sampled_from(["buy", "sell"]), st.integers(1, 100),
        st.integers(100, 9_999), st.booleans(),
    ),
    max_size=8,
).map(
    lambda rows: tuple(
        fill(number, symbol=symbol, side=side, quantity=quantity, price=D(cents) / 100,
             at=AT + timedelta(days=1) if late else AT)
        for number, (symbol, side, quantity, cents, late) in enumerate(rows)
    )
)  # fmt: skip


@settings(max_examples=60)
@given(FILLS)
def test_equal_books_have_no_break(fills: tuple[Fill, ...]) -> None:
    orders = tuple(
        order(f.client_order_id, OrderState.FILLED, symbol=f.symbol, side=f.side, quantity=f.quantity,
              filled_quantity=f.quantity)
        for f in fills
    )  # fmt: skip
    assert kinds(*books(orders, fills)) == []


@settings(max_examples=60)
@given(FILLS, st.data())
def test_fills_that_are_not_booked_are_each_one_break_and_nothing_else(fills: tuple[Fill, ...], data: Any) -> None:
    """Position and cash follow from them and are no breaks of their own; what is later than the tick is none at all."""
    known = data.draw(st.sets(st.sampled_from([f.execution_id for f in fills]))) if fills else set()
    _, theirs = books((), fills)
    ours, _ = books((), tuple(f for f in fills if f.execution_id in known))
    found = compare(ours, theirs, as_of=AT)
    assert {item.kind for item in found} <= {"fill_unbooked"}
    assert [item.subject for item in found] == sorted(
        f.execution_id for f in fills if f.execution_id not in known and f.at == AT
    )


@settings(max_examples=60)
@given(FILLS, st.data())
def test_fills_that_the_broker_does_not_know_are_each_one_break_and_nothing_else(
    fills: tuple[Fill, ...], data: Any
) -> None:
    gone = data.draw(st.sets(st.sampled_from([f.execution_id for f in fills]))) if fills else set()
    ours, _ = books((), fills)
    _, theirs = books((), tuple(f for f in fills if f.execution_id not in gone))
    assert [(i.kind, i.subject) for i in compare(ours, theirs, as_of=AT)] == [
        ("fill_missing_at_broker", name) for name in sorted(gone)
    ]


@settings(max_examples=60)
@given(FILLS, st.sampled_from(["IBM", "GE", "XOM"]), st.integers(-50, 50), st.integers(-500, 500))
def test_shares_and_money_that_no_execution_explains_are_breaks(
    fills: tuple[Fill, ...], symbol: str, shares: int, cents: int
) -> None:
    ours, theirs = books((), fills)
    moved = {**theirs.positions, symbol: theirs.positions.get(symbol, 0) + shares}
    theirs = theirs.model_copy(update={"positions": moved, "cash": theirs.cash + D(cents) / 100})
    found = compare(ours, theirs, as_of=AT)
    assert [i.kind for i in found] == ["cash"] * bool(cents) + ["position"] * bool(shares)
    assert all(i.symbol == (symbol if i.kind == "position" else None) for i in found)


@given(st.sampled_from(list(OrderState)), st.sampled_from(list(OrderState)))
def test_an_order_agrees_when_both_live_and_are_known_or_both_ended_alike(here: OrderState, there: OrderState) -> None:
    ours, theirs = books((order(state=there),))
    ours = ours.model_copy(update={"orders": {"o1": mine(order(state=here))}})
    if here in TERMINAL or there in TERMINAL:
        agree = here is there
    else:
        agree = here is not OrderState.UNKNOWN or there is OrderState.UNKNOWN
    assert kinds(ours, theirs) == ([] if agree else ["order_state"])


def test_an_order_about_which_something_is_still_to_be_said_is_no_break() -> None:
    ours, theirs = books((order(state=OrderState.CANCELLED),))
    flying = ours.model_copy(update={"orders": {"o1": mine(order(), in_flight=True)}})
    assert kinds(flying, theirs) == []
    assert kinds(flying, theirs.model_copy(update={"orders": (), "absent": frozenset({"o1"})})) == []


def test_an_order_that_a_coming_execution_ends_is_no_break() -> None:
    ended = order(state=OrderState.FILLED, filled_quantity=10)
    ours, _ = books((order(),))
    _, theirs = books((ended,), (fill(1, at=AT + timedelta(hours=1)),))
    assert kinds(ours, theirs) == []


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        (order(quantity=11), "order_terms"), (order(side="sell"), "order_terms"),
        (order(state=OrderState.PARTIALLY_FILLED, filled_quantity=3), "order_filled"),
        (order(state=OrderState.FILLED, filled_quantity=10), "order_filled"),
        (order(state=OrderState.REPLACED), "order_state"),
    ],
)  # fmt: skip
def test_an_order_has_one_break_with_its_first_difference(there: BrokerOrder, kind: str) -> None:
    ours, _ = books((order(),))
    _, theirs = books((there,))
    assert kinds(ours, theirs) == [kind]


def test_an_order_of_nobody_is_foreign_while_it_lives() -> None:
    ours, _ = books()
    assert kinds(ours, books((order("theirs"),))[1]) == ["foreign_order"]
    assert kinds(ours, books((order("theirs", OrderState.CANCELLED),))[1]) == []


def test_a_living_order_that_the_broker_does_not_know_is_missing() -> None:
    ours, _ = books((order(),))
    _, theirs = books()
    assert kinds(ours, theirs.model_copy(update={"absent": frozenset({"o1"})})) == ["order_missing_at_broker"]


def test_an_execution_with_other_terms_explains_its_own_position_and_cash() -> None:
    ours, _ = books((), (fill(1),))
    _, theirs = books((), (fill(1, quantity=8, price=D(13)),))
    assert kinds(ours, theirs) == ["fill_differs"]


def test_an_execution_that_the_venue_amended_is_not_compared_by_itself() -> None:
    ours, theirs = books((), (fill(1),))
    busted = ours.model_copy(
        update={"fills": {"x1": own(fill(1), quantity=0, amended=True)}, "positions": {}, "cash": CASH}
    )
    assert kinds(busted, theirs.model_copy(update={"positions": {}, "cash": CASH})) == []


def test_a_fill_that_was_heard_of_and_not_booked_stays_a_break_when_the_broker_is_asked_only_for_new_ones() -> None:
    ours, _ = books()
    _, theirs = books((), (fill(1),))
    strange = ours.model_copy(update={"strange": (fill(1),)})
    assert kinds(strange, theirs.model_copy(update={"fills": (), "whole": False})) == ["fill_unbooked"]


def test_cash_may_differ_by_less_than_the_tolerance() -> None:
    ours, theirs = books()
    near = theirs.model_copy(update={"cash": CASH + D("0.009")})
    assert kinds(ours, near, cash_tolerance=D("0.01")) == []
    assert kinds(ours, near) == ["cash"]
    assert kinds(ours, theirs.model_copy(update={"cash": CASH + D("0.01")}), cash_tolerance=D("0.01")) == ["cash"]


def test_every_break_says_what_to_do() -> None:
    ours, _ = books((order(),), (fill(1),))
    _, theirs = books((order("theirs"),), (fill(2, symbol="GE"),))
    found = compare(ours, theirs.model_copy(update={"absent": frozenset({"o1"}), "cash": D(1)}), as_of=AT)
    assert {i.kind for i in found} == {
        "cash", "fill_missing_at_broker", "fill_unbooked", "foreign_order", "order_missing_at_broker",
    }  # fmt: skip
    assert all(i.remedy and i.message and i.ours != i.theirs for i in found)
