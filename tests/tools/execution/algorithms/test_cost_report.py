"""The cost of an execution: known amounts by hand, and parts that add up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.execution.algorithms.cost_report import Print, cost_report, vwap
from tools.execution.algorithms.types import Parent
from tools.execution.types import Fill

D = Decimal
AT = datetime(2010, 3, 1, 15, tzinfo=UTC)


def parent(side: str = "buy", quantity: int = 1_000) -> Parent:
    return Parent.model_validate({"parent_id": "p1", "symbol": "IBM", "side": side, "quantity": quantity})


def fill(number: int, quantity: int, price: str, side: str = "buy", **changes: Any) -> Fill:
    base = {
        "execution_id": f"x{number}", "sequence": number, "client_order_id": "c", "symbol": "IBM", "side": side,
        "quantity": quantity, "price": D(price), "commission": D(1), "reference_price": D(price),
        "session": date(2010, 3, 1), "at": AT,
    }  # fmt: skip
    return Fill.model_validate({**base, **changes})


def test_a_buy_that_ran_away_costs_by_price_by_fees_and_by_what_is_left() -> None:
    report = cost_report(
        parent(), D(100), D(103), {0: [fill(1, 400, "100.50"), fill(2, 100, "101.00")], 1: [fill(3, 300, "102.00")]},
        {0: [Print(price=D(100), volume=1_000), Print(price=D(101), volume=3_000)], 1: [Print(price=D(102), volume=1)]},
    )  # fmt: skip
    assert (report.filled, report.price_cost, report.fees) == (800, D("900.00"), D(3))
    assert (report.opportunity_cost, report.shortfall) == (D(600), D("1503.00"))
    assert report.shortfall_bps == D("150.30")
    assert report.average_price == D("101.125")
    first, second = report.children
    assert (first.quantity, first.average_price, first.price_cost, first.shortfall_bps) == (
        500, D("100.6"), D("300.00"), D("60.40"),
    )  # fmt: skip
    assert (first.window_vwap, first.vwap_bps) == (D("100.75"), D("-14.89"))
    assert (second.window_vwap, second.vwap_bps) == (D(102), D(0))
    assert report.interval_vwap == D("100.750312")


def test_a_sell_is_the_mirror() -> None:
    report = cost_report(parent("sell"), D(100), D(99), {0: [fill(1, 500, "99.50", side="sell")]}, {})
    assert (report.price_cost, report.opportunity_cost, report.shortfall) == (D("250.00"), D(500), D("751.00"))
    assert (report.interval_vwap, report.vwap_bps, report.children[0].vwap_bps) == (None, None, None)


def test_nothing_filled_is_all_opportunity() -> None:
    report = cost_report(parent(), D(100), D(101), {0: []}, {0: [Print(price=D(100), volume=5)]})
    assert (report.filled, report.average_price, report.vwap_bps, report.children) == (0, None, None, ())
    assert (report.shortfall, report.shortfall_bps) == (D(1_000), D(100))


def test_no_volume_has_no_average() -> None:
    assert vwap([]) is None
    assert vwap([Print(price=D(5), volume=0)]) is None


@pytest.mark.parametrize("wrong", [fill(1, 1, "1", side="sell"), fill(1, 1, "1", symbol="GE")])
def test_another_orders_fill_is_refused(wrong: Fill) -> None:
    with pytest.raises(ValueError, match="not of p1"):
        cost_report(parent(), D(100), D(100), {0: [wrong]}, {})


@given(
    side=st.sampled_from(["buy", "sell"]),
    trades=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 250), st.integers(9_000, 11_000)), max_size=4),
    end=st.integers(9_000, 11_000),
)
def test_the_shortfall_is_the_paper_portfolio_less_the_real_one(
    side: str, trades: list[tuple[int, int, int]], end: int
) -> None:
    fills: dict[int, list[Fill]] = {}
    for number, (child, quantity, cents) in enumerate(trades):
        fills.setdefault(child, []).append(fill(number, quantity, str(D(cents) / 100), side=side))
    report = cost_report(parent(side), D(100), D(end) / 100, fills, {})
    sign = 1 if side == "buy" else -1
    paper = sign * 1_000 * (D(end) / 100 - 100)
    done = [one for rows in fills.values() for one in rows]
    real = sum((sign * one.quantity * (D(end) / 100 - one.price) - one.commission for one in done), D(0))
    assert report.shortfall == paper - real
    assert sum((child.price_cost + child.fees for child in report.children), D(0)) == report.price_cost + report.fees
