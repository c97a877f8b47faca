"""Counterfactuals: each is true when the checks run again, is the nearest one, and says what its fields say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.risk.controls import check_order, verdict
from tools.risk.counterfactuals import counterfactuals
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Counterfactual, Limits, MarketView, PendingOrder, PortfolioView, PositionView
from tools.types import PriceBand, Proposal

D = Decimal
LIMITS = load_limits(default_limits_text())


def order(quantity: int, *, reduces: bool = False) -> Proposal:
    return Proposal(
        id="prop_1", run_id="run_1", cycle_id="cyc_1", kind="order.exit" if reduces else "order.entry",
        strategy="trend", symbol="IBM", side="sell" if reduces else "buy", quantity=quantity,
        reference_price=D(100), band=PriceBand(low=D(97), high=D("102.5")), stop_price=None if reduces else D(95),
        atr=D(2), risk_effect="reduces" if reduces else "increases", horizon_sessions=20, strength=0.5,
        confidence=0.5, thesis="because", evidence_ids=(), taint=False, as_of=datetime(2009, 11, 17, tzinfo=UTC),
    )  # fmt: skip


def book(equity: str = "1000000", tech: int = 0, **changes: Any) -> PortfolioView:
    money = D(equity)
    pending = tuple(
        PendingOrder(
            symbol=f"T{n}", side="buy", quantity=1, price=D(tech) / 4, sector="Technology", stop_price=D(tech) / 4
        )
        for n in range(4)
        if tech
    )
    return PortfolioView.model_validate(
        {
            "equity": money, "cash": D(1_000_000), "peak_equity": money, "day_start_equity": money,
            "pending": pending, "settled_cash": D(1_000_000), "orders": (), "trades_today": 0, "loss_streak": 0,
            "automatic_executions": {}, **changes,
        }
    )  # fmt: skip


def market(price: str | None = "100") -> MarketView:
    return MarketView(
        symbol="IBM", sector="Technology", price=None if price is None else D(price), atr=D(2), adv=D(50_000_000),
        data_age_hours=1.0, trading_day=True, in_hours=True, volatility_paused=False, clock_skew_seconds=0.0,
        group=("IBM",),
    )  # fmt: skip


def held(quantity: int) -> PositionView:
    return PositionView(
        symbol="IBM", quantity=quantity, average_price=D(90), mark=D(100), sector="Technology", strategy="trend",
        opened_session_index=60, stop_price=D(95),
    )  # fmt: skip


def rerun(item: Counterfactual, proposal: Proposal, portfolio: PortfolioView, view: MarketView, limits: Limits) -> str:
    match item.field:
        case "quantity":
            proposal = proposal.model_copy(update={"quantity": int(item.changed)})
        case "price":
            view = view.model_copy(update={"price": item.changed})
        case "limit":
            limits = limits.model_copy(update={str(item.name): item.changed})
        case "stop_price":
            proposal = proposal.model_copy(update={"stop_price": item.changed})
        case "equity":
            same: dict[str, Decimal] = dict.fromkeys(("equity", "peak_equity", "day_start_equity"), item.changed)
            portfolio = portfolio.model_copy(update=same)
    return "block" if verdict(check_order(proposal, portfolio, view, limits)) == "block" else "pass"


def only(found: tuple[Counterfactual, ...], field: str) -> list[Counterfactual]:
    return [item for item in found if item.field == field]


def test_a_passing_order_learns_how_far_it_could_go() -> None:
    largest, smallest = only(counterfactuals(order(150), book(), market(), LIMITS), "quantity")
    assert (largest.changed, largest.verdict) == (D(200), "pass")
    assert (smallest.changed, smallest.verdict) == (D(201), "block")
    assert smallest.binding_control == "trade_share"


def test_an_order_at_the_edge_learns_only_what_blocks() -> None:
    (smallest,) = only(counterfactuals(order(200), book(), market(), LIMITS), "quantity")
    assert (smallest.changed, smallest.verdict) == (D(201), "block")


def test_a_blocked_order_learns_what_would_pass() -> None:
    found = counterfactuals(order(300), book(), market(), LIMITS)
    assert only(found, "quantity")[0].changed == 200
    (equity,) = only(found, "equity")
    assert (equity.changed, equity.verdict) == (D(1_500_000), "pass")


def test_the_sector_limit_that_flips_is_named_when_the_sector_binds() -> None:
    portfolio = book(tech=232_000)
    (passing,) = only(counterfactuals(order(170), portfolio, market(), LIMITS), "limit")
    assert (passing.name, passing.original, passing.changed) == ("max_sector_share", D("0.25"), D("0.2489"))
    assert passing.verdict == "block"
    (blocked,) = only(counterfactuals(order(190), portfolio, market(), LIMITS), "limit")
    assert (blocked.changed, blocked.verdict) == (D("0.2510"), "pass")
    assert blocked.text == "With max sector share at 25.10 % instead of 25.00 % it would pass."


@pytest.mark.parametrize(
    ("changes", "proposal", "name", "changed"),
    [
        ({}, order(300), "max_trade_share", D("0.03")),
        ({"trades_today": 40}, order(150), "max_trades_per_day", D(41)),
        ({"loss_streak": 30}, order(150), "max_loss_streak", D(30)),
        ({"peak_equity": D(1_250_000)}, order(150), "max_drawdown", D("0.2")),
    ],
)
def test_whichever_control_blocks_its_own_limit_is_moved(
    changes: dict[str, Any], proposal: Proposal, name: str, changed: Decimal
) -> None:
    (found,) = only(counterfactuals(proposal, book(**changes), market(), LIMITS), "limit")
    assert (found.name, found.changed, found.verdict) == (name, changed, "pass")


def test_a_minimum_is_moved_down_where_it_blocks_and_up_where_it_does_not() -> None:
    tiny = market("0.90").model_copy(update={"adv": D(50_000)})
    small = order(100).model_copy(update={"reference_price": D("0.9"), "band": PriceBand(low=D("0.5"), high=D(1))})
    small = small.model_copy(update={"stop_price": D("0.4")})
    (found,) = only(counterfactuals(small, book(), tiny, LIMITS), "limit")
    assert (found.name, found.changed, found.verdict) == ("min_order_notional", D(90), "pass")


def test_no_single_limit_is_named_where_two_block() -> None:
    assert only(counterfactuals(order(300), book(trades_today=40), market(), LIMITS), "limit") == []


def test_the_nearest_stop_that_flips_the_risk_is_named() -> None:
    held_risk = tuple(
        PendingOrder(symbol=f"R{n}", side="buy", quantity=100, price=D(100), sector="X", stop_price=None)
        for n in range(4)
    )
    risky = book(pending=(*held_risk, held_risk[0].model_copy(update={"symbol": "R9", "price": D(92)})))
    (passing,) = only(counterfactuals(order(150), risky, market(), LIMITS), "stop_price")
    assert (passing.original, passing.changed, passing.verdict) == (D(95), D("94.66"), "block")
    assert passing.binding_control == "total_open_risk"
    wide = order(150).model_copy(update={"stop_price": D(90)})
    (blocked,) = only(counterfactuals(wide, risky, market(), LIMITS), "stop_price")
    assert (blocked.changed, blocked.verdict) == (D("94.67"), "pass")


def test_the_nearest_price_beyond_the_band_is_named() -> None:
    (above,) = only(counterfactuals(order(150), book(), market(), LIMITS), "price")
    assert (above.changed, above.verdict, above.binding_control) == (D("102.51"), "block", "price_collar")
    (below,) = only(counterfactuals(order(150), book(), market("98.00"), LIMITS), "price")
    assert below.changed == D("96.99")
    (inside,) = only(counterfactuals(order(150), book(), market("110.00"), LIMITS), "price")
    assert (inside.changed, inside.verdict) == (D("102.5"), "pass")


def test_a_reduction_is_bounded_by_its_position_alone() -> None:
    found = counterfactuals(order(100, reduces=True), book(positions=(held(100),)), market(None), LIMITS)
    assert [(item.field, item.changed, item.verdict) for item in found] == [("quantity", D(101), "block")]
    assert found[0].binding_control == "reduce_only"


def test_what_one_input_cannot_mend_is_left_out() -> None:
    assert counterfactuals(order(100), book(), market(None), LIMITS) == ()
    restricted = LIMITS.model_copy(update={"restricted": ("IBM",)})
    assert counterfactuals(order(100), book(), market(), restricted) == ()


@settings(deadline=None, max_examples=80)
@given(
    quantity=st.integers(1, 600), tech=st.integers(0, 260_000), equity=st.integers(300_000, 3_000_000),
    price=st.integers(9_500, 10_500),
)  # fmt: skip
def test_every_counterfactual_is_true_nearest_and_says_what_it_holds(
    quantity: int, tech: int, equity: int, price: int
) -> None:
    proposal, portfolio, view = order(quantity), book(str(equity), tech), market(str(D(price) / 100))
    now = "block" if verdict(check_order(proposal, portfolio, view, LIMITS)) == "block" else "pass"
    steps = {
        ("limit", "share"): D("0.0001"), ("limit", "money"): D("0.01"), ("equity", "money"): D(1),
        ("stop_price", "price"): D("0.01"),
    }  # fmt: skip
    for item in counterfactuals(proposal, portfolio, view, LIMITS):
        assert rerun(item, proposal, portfolio, view, LIMITS) == item.verdict
        if step := steps.get((item.field, str(item.unit))):
            assert item.verdict != now
            nearer = item.model_copy(
                update={"changed": item.changed + step * (1 if item.changed < item.original else -1)}
            )
            assert rerun(nearer, proposal, portfolio, view, LIMITS) == now
        figures = [D(text.replace(",", "")) for text in re.findall(r"\d[\d,]*\.?\d*", item.text)]
        scale = 100 if item.unit == "share" else 1
        assert {figure / scale for figure in figures} == {item.changed, item.original}


def test_the_same_inputs_give_the_same_counterfactuals() -> None:
    assert counterfactuals(order(150), book(), market(), LIMITS) == counterfactuals(
        order(150), book(), market(), LIMITS
    )
