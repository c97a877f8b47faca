"""Positions: money is neither made nor lost by booking, and a corporate action changes no one's wealth."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.types import CorporateAction
from tools.errors import ExecutionError
from tools.execution.positions import (
    AVERAGE_STEP,
    CENT,
    adjust_resting,
    apply_corporate_action,
    apply_fill,
    cash_effect,
    undo_fill,
)
from tools.execution.types import Fill, Position
from tools.types import Side

D = Decimal
AT = datetime(2009, 11, 17, 14, 30, tzinfo=UTC)


def fill(side: Side, quantity: int, price: str | Decimal, symbol: str = "IBM", commission: str = "1") -> Fill:
    return Fill(
        execution_id="x", sequence=1, client_order_id="o", symbol=symbol, side=side, quantity=quantity, price=D(price),
        commission=D(commission), reference_price=D(price), session=date(2009, 11, 17), at=AT,
    )  # fmt: skip


def after(*fills: Fill) -> Position:
    position: Position | None = None
    for one in fills:
        position = apply_fill(position, one)
    assert position is not None
    return position


def split(ratio: str = "1", cash: str = "0", symbol: str = "IBM") -> CorporateAction:
    return CorporateAction(
        symbol=symbol,
        kind="split",
        ex_date=date(2010, 6, 9),
        ratio=D(ratio),
        cash=D(cash),
        known_at=AT,
        note="synthetic",
    )


def test_buying_twice_averages_and_selling_realises() -> None:
    position = after(fill("buy", 100, "10"), fill("buy", 300, "12"), fill("sell", 150, "13"))
    assert position == Position(symbol="IBM", quantity=250, average_price=D("11.5"), realised=D(225))


def test_closing_keeps_what_was_realised() -> None:
    assert after(fill("buy", 100, "10"), fill("sell", 100, "9")) == Position(
        symbol="IBM", quantity=0, average_price=D(0), realised=D(-100)
    )


def test_passing_through_zero_opens_the_other_side_at_the_fill() -> None:
    position = after(fill("buy", 100, "10"), fill("sell", 150, "12"))
    assert (position.quantity, position.average_price, position.realised) == (-50, D(12), D(200))
    assert after(fill("sell", 100, "10"), fill("buy", 100, "8")).realised == D(200)


def test_another_symbol_is_refused() -> None:
    with pytest.raises(ExecutionError, match="fill in DELL") as error:
        apply_fill(after(fill("buy", 1, "1")), fill("buy", 1, "1", symbol="DELL"))
    assert error.value.code == "wrong_symbol"
    with pytest.raises(ExecutionError, match="action of DELL"):
        apply_corporate_action(after(fill("buy", 1, "1")), split("2", symbol="DELL"))


def test_cash_pays_price_and_commission() -> None:
    assert cash_effect(fill("buy", 10, "5")) == D(-51)
    assert cash_effect(fill("sell", 10, "5")) == D(49)


def test_a_split_doubles_shares_and_halves_the_price() -> None:
    position, cash = apply_corporate_action(after(fill("buy", 101, "70.50")), split("2"))
    assert (position.quantity, position.average_price, cash) == (202, D("35.25"), D(0))


def test_a_fraction_of_a_share_is_paid_at_the_new_average() -> None:
    position, cash = apply_corporate_action(after(fill("buy", 5, "30")), split("1.5"))
    assert (position.quantity, position.average_price, cash) == (7, D(20), D("10.00"))


def test_a_distribution_pays_out_and_lowers_the_average() -> None:
    position, cash = apply_corporate_action(after(fill("buy", 100, "40")), split(cash="26.46"))
    assert (position.quantity, position.average_price, cash, position.realised) == (100, D("13.54"), D(2646), D(0))


def test_a_distribution_above_the_average_is_realised() -> None:
    position, cash = apply_corporate_action(after(fill("buy", 100, "20")), split(cash="26"))
    assert (position.average_price, cash, position.realised) == (D(0), D(2600), D(600))


def test_an_action_on_nothing_pays_nothing() -> None:
    flat = Position(symbol="IBM", quantity=0, average_price=D(0), realised=D(5))
    assert apply_corporate_action(flat, split("2", "3")) == (flat, D(0))


def test_resting_terms_move_to_the_new_basis() -> None:
    assert adjust_resting(101, D("61.11"), split("2")) == (202, D("30.56"))
    assert adjust_resting(1, D("0.02"), split("0.5", "1")) == (0, D("0.01"))
    assert adjust_resting(10, None, split("2")) == (20, None)


fills = st.builds(
    fill,
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 1_000),
    st.integers(1, 50_000).map(lambda cents: D(cents) / 100),
)


@settings(deadline=None)
@given(st.lists(fills, min_size=1, max_size=12), st.integers(1, 50_000).map(lambda cents: D(cents) / 100))
def test_cash_and_worth_always_add_up_to_profit(trades: list[Fill], mark: Decimal) -> None:
    position = after(*trades)
    cash = sum((cash_effect(one) + one.commission for one in trades), D(0))
    assert position.quantity == sum(one.quantity * (1 if one.side == "buy" else -1) for one in trades)
    unrealised = (mark - position.average_price) * position.quantity
    assert abs(cash + mark * position.quantity - position.realised - unrealised) < D("0.05")
    assert position.average_price >= 0


@settings(deadline=None)
@given(
    quantity=st.integers(1, 10_000), average=st.integers(100, 50_000), mark=st.integers(5_000, 50_000),
    ratio=st.sampled_from(["0.1", "0.5", "1", "1.5", "2", "2.6", "3"]), cash=st.integers(0, 4_000),
)  # fmt: skip
def test_a_corporate_action_changes_wealth_by_a_fraction_of_a_share_at_most(
    quantity: int, average: int, mark: int, ratio: str, cash: int
) -> None:
    """The fraction is paid at the average price, not at the mark; beside it there is rounding only: of the average, to
    half a step for each new share, and of the cash, to half a cent."""
    action = split(ratio, str(D(cash) / 100))
    before = Position(symbol="IBM", quantity=quantity, average_price=D(average) / 100)
    position, paid = apply_corporate_action(before, action)
    new_mark = (D(mark) / 100 - action.cash) / action.ratio
    profit_before = (D(mark) / 100 - before.average_price) * quantity
    profit_after = position.realised + (new_mark - position.average_price) * position.quantity
    exact = quantity * action.ratio
    average_after = max(D(0), (before.average_price - action.cash) / action.ratio)
    step = exact * AVERAGE_STEP / 2 + D("1e-9")
    fraction = (exact - position.quantity) * abs(new_mark - average_after)
    assert abs(profit_after - profit_before) <= fraction + step
    assert abs(D(mark) / 100 * quantity - new_mark * position.quantity - paid) <= fraction + step + CENT / 2


TRADES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 500), st.integers(100, 20_000)), min_size=1, max_size=8
)


@settings(max_examples=60)
@given(TRADES, st.data())
def test_a_fill_taken_out_leaves_the_shares_and_the_money_of_the_others(
    trades: list[tuple[Side, int, int]], data: st.DataObject
) -> None:
    """Whatever was traded since: the quantity is exact, and so is what the position made and ties up."""
    fills = [fill(side, quantity, D(cents) / 100) for side, quantity, cents in trades]
    out = data.draw(st.integers(0, len(fills) - 1))
    left = undo_fill(after(*fills), fills[out])
    others = [one for number, one in enumerate(fills) if number != out]
    moved = sum((cash_effect(one) + one.commission for one in others), D(0))
    assert left.quantity == sum(one.quantity if one.side == "buy" else -one.quantity for one in others)
    assert abs(left.realised - left.average_price * left.quantity - moved) < D("0.01")


def test_the_last_purchase_taken_out_leaves_the_position_as_it_was() -> None:
    before = after(fill("buy", 100, "10"))
    assert undo_fill(after(fill("buy", 100, "10"), fill("buy", 50, "13")), fill("buy", 50, "13")) == before


def test_a_sale_taken_out_comes_back_at_the_average() -> None:
    left = undo_fill(after(fill("buy", 100, "10"), fill("sell", 40, "12")), fill("sell", 40, "12"))
    assert (left.quantity, left.average_price, left.realised) == (100, D(10), D(0))


def test_a_fill_of_another_symbol_cannot_be_taken_out() -> None:
    with pytest.raises(ExecutionError, match="cannot be taken out"):
        undo_fill(after(fill("buy", 1, "10")), fill("buy", 1, "10", symbol="GE"))
