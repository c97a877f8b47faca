"""Controls: each blocks beyond its limit, passes at it, blocks on a missing input, and never stops a reduction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ToolRejected
from tools.risk.controls import CONTROLS, binding, check_order, utilisation, verdict
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Check, Limits, MarketView, OwnOrder, PendingOrder, PortfolioView, PositionView
from tools.types import PriceBand, Proposal

D = Decimal
MILLION = D(1_000_000)
SHIPPED = load_limits(default_limits_text())
LIMITS = Limits(
    version="test", max_order_notional=D(50_000), min_order_notional=D(500), max_order_quantity=1_000,
    max_trade_share=D("0.02"), max_position_share=D("0.04"), max_sector_share=D("0.25"), max_gross_share=D(1),
    max_adv_share=D("0.01"), max_total_open_risk=D("0.05"), max_daily_loss=D("0.03"), max_drawdown=D("0.15"),
    max_open_positions=3, price_band_atr=D(1), stop_atr=D("2.5"), risk_per_trade=D("0.0025"), max_data_age_hours=96,
    max_net_share=D(1), max_leverage=D("1.1"), max_group_share=D("0.3"), group_correlation=D("0.8"), settlement_days=3,
    max_orders_per_minute=10, duplicate_window_seconds=60, max_loss_streak=3, max_trades_per_day=4,
    max_automatic_executions=5, max_clock_skew_seconds=2, cure_sessions=3,
    sizing=SHIPPED.sizing, protection=SHIPPED.protection, exits=SHIPPED.exits, halts=SHIPPED.halts,
)  # fmt: skip


def buy(quantity: int = 100, **changes: Any) -> Proposal:
    return Proposal.model_validate(
        {
            "id": "prop_1", "run_id": "run_1", "cycle_id": "cyc_1", "kind": "order.entry", "strategy": "trend",
            "symbol": "IBM", "side": "buy", "quantity": quantity, "reference_price": D(100),
            "band": PriceBand(low=D(98), high=D(102)), "stop_price": D(95), "atr": D(2), "risk_effect": "increases",
            "horizon_sessions": 20, "strength": 0.5, "confidence": 0.5, "thesis": "because", "evidence_ids": (),
            "taint": False, "as_of": datetime(2009, 11, 17, tzinfo=UTC), **changes,
        }
    )  # fmt: skip


def sell(quantity: int = 100, **changes: Any) -> Proposal:
    return buy(quantity, kind="order.exit", side="sell", risk_effect="reduces", stop_price=None, **changes)


def book(**changes: Any) -> PortfolioView:
    return PortfolioView.model_validate(
        {
            "equity": MILLION, "cash": MILLION, "peak_equity": MILLION, "day_start_equity": MILLION,
            "settled_cash": changes.get("cash", MILLION), "orders": (), "trades_today": 0, "loss_streak": 0,
            "automatic_executions": {}, **changes,
        }
    )  # fmt: skip


def held(symbol: str = "IBM", quantity: int = 100, mark: str = "100", **changes: Any) -> PositionView:
    return PositionView.model_validate(
        {
            "symbol": symbol, "quantity": quantity, "average_price": D(90), "mark": D(mark), "sector": "Technology",
            "strategy": "trend", "opened_session_index": 60, "stop_price": D(mark), **changes,
        }
    )  # fmt: skip


def waiting(symbol: str = "HPQ", quantity: int = 100, price: str = "100", **changes: Any) -> PendingOrder:
    return PendingOrder.model_validate(
        {
            "symbol": symbol, "side": "buy", "quantity": quantity, "price": D(price), "sector": "Technology",
            "stop_price": D(price), **changes,
        }
    )  # fmt: skip


def market(**changes: Any) -> MarketView:
    return MarketView.model_validate(
        {
            "symbol": "IBM", "sector": "Technology", "price": D(100), "atr": D(2), "adv": D(50_000_000),
            "data_age_hours": 1.0, "trading_day": True, "in_hours": True, "volatility_paused": False,
            "clock_skew_seconds": 0.0, "group": ("IBM",), **changes,
        }
    )  # fmt: skip


def placed(symbol: str = "XOM", quantity: int = 10, side: str = "buy", **changes: Any) -> OwnOrder:
    return OwnOrder.model_validate(
        {"symbol": symbol, "side": side, "quantity": quantity, "age_seconds": 1.0, "live": True, **changes}
    )


def short(quantity: int = 100, **changes: Any) -> Proposal:
    return buy(quantity, side="sell", **{"stop_price": D(105), **changes})


@dataclass(frozen=True)
class Case:
    """One set of inputs; what is not named is harmless."""

    proposal: Proposal = field(default_factory=buy)
    portfolio: PortfolioView = field(default_factory=book)
    market: MarketView = field(default_factory=market)
    limits: Limits = LIMITS

    def check(self, control: str) -> Check:
        found = check_order(self.proposal, self.portfolio, self.market, self.limits)
        return next(item for item in found if item.control == control)


def limited(**changes: Any) -> Limits:
    return LIMITS.model_copy(update=changes)


AT_AND_BEYOND = {
    "stale_data": (Case(market=market(data_age_hours=96.0)), Case(market=market(data_age_hours=96.01))),
    "price_collar": (Case(market=market(price=D(102))), Case(market=market(price=D("102.01")))),
    "max_notional": (Case(buy(500)), Case(buy(501))),
    "min_notional": (Case(buy(5)), Case(buy(4))),
    "max_quantity": (Case(buy(1_000)), Case(buy(1_001))),
    "adv_share": (
        Case(buy(50), book(pending=(waiting("IBM", 50),)), market(adv=MILLION)),
        Case(buy(51), book(pending=(waiting("IBM", 50),)), market(adv=MILLION)),
    ),
    "trade_share": (Case(buy(200)), Case(buy(201))),
    "position_share": (
        Case(buy(100), book(positions=(held("IBM", 200),), pending=(waiting("IBM", 100),))),
        Case(buy(101), book(positions=(held("IBM", 200),), pending=(waiting("IBM", 100),))),
    ),
    "sector_share": (
        Case(buy(100), book(positions=(held("DELL", 1_000),), pending=(waiting(quantity=1_400),))),
        Case(buy(101), book(positions=(held("DELL", 1_000),), pending=(waiting(quantity=1_400),))),
    ),
    "gross_share": (
        Case(buy(100), book(positions=(held("XOM", 5_000, sector="Energy"),), pending=(waiting(quantity=4_900),))),
        Case(buy(101), book(positions=(held("XOM", 5_000, sector="Energy"),), pending=(waiting(quantity=4_900),))),
    ),
    "total_open_risk": (
        Case(
            buy(100),
            book(
                positions=(held("XOM", 245, stop_price=None),),
                pending=(waiting(quantity=500, stop_price=D(50)),),
            ),
        ),
        Case(
            buy(101),
            book(
                positions=(held("XOM", 245, stop_price=None),),
                pending=(waiting(quantity=500, stop_price=D(50)),),
            ),
        ),
    ),
    "daily_loss": (Case(portfolio=book(equity=D(970_000))), Case(portfolio=book(equity=D(969_999)))),
    "drawdown": (
        Case(portfolio=book(equity=D(850_000), day_start_equity=D(850_000))),
        Case(portfolio=book(equity=D(849_999), day_start_equity=D(850_000))),
    ),
    "max_open_positions": (
        Case(portfolio=book(positions=(held("DELL"),), pending=(waiting(),))),
        Case(portfolio=book(positions=(held("DELL"), held("XOM")), pending=(waiting(),))),
    ),
    "buying_power": (
        Case(portfolio=book(cash=D(20_200), pending=(waiting(),))),
        Case(portfolio=book(cash=D("20_199.99"), pending=(waiting(),))),
    ),
    "reduce_only": (
        Case(sell(100), book(positions=(held(quantity=100),))),
        Case(sell(101), book(positions=(held(quantity=100),))),
    ),
    "restricted": (Case(limits=limited(restricted=("DELL",))), Case(limits=limited(restricted=("DELL", "IBM")))),
    "symbol_halted": (Case(market=market(halted=False)), Case(market=market(halted=True))),
    "unknown_order": (Case(market=market(unknown_order=False)), Case(market=market(unknown_order=True))),
    "short_permission": (
        Case(short(), market=market(borrow_available=True), limits=limited(short_permitted=True)),
        Case(short(), market=market(borrow_available=True)),
    ),
    "stop_side": (Case(buy(stop_price=D("99.99"))), Case(buy(stop_price=D(100)))),
    "permitted": (Case(limits=limited(permitted=("IBM",))), Case(limits=limited(permitted=("DELL",)))),
    "volatility_pause": (Case(market=market(volatility_paused=False)), Case(market=market(volatility_paused=True))),
    "trading_day": (Case(market=market(trading_day=True)), Case(market=market(trading_day=False))),
    "trading_hours": (Case(market=market(in_hours=True)), Case(market=market(in_hours=False))),
    "clock_skew": (Case(market=market(clock_skew_seconds=-2.0)), Case(market=market(clock_skew_seconds=2.05))),
    "message_rate": (
        Case(portfolio=book(orders=(placed(),) * 9)),
        Case(portfolio=book(orders=(placed(live=False),) * 10)),
    ),
    "duplicate_order": (
        Case(portfolio=book(orders=(placed("IBM", 100, live=False, age_seconds=60.0), placed("IBM", 99)))),
        Case(portfolio=book(orders=(placed("IBM", 100, live=False, age_seconds=59.0),))),
    ),
    "self_cross": (
        Case(portfolio=book(orders=(placed("IBM", 5, "sell", price=D("102.01")),))),
        Case(portfolio=book(orders=(placed("IBM", 5, "sell", price=D(102)),))),
    ),
    "group_share": (
        Case(
            buy(100),
            book(positions=(held("DELL", 2_400), held("XOM", 9_000)), pending=(waiting(quantity=500),)),
            market(group=("DELL", "HPQ", "IBM")),
        ),
        Case(
            buy(101),
            book(positions=(held("DELL", 2_400), held("XOM", 9_000)), pending=(waiting(quantity=500),)),
            market(group=("DELL", "HPQ", "IBM")),
        ),
    ),
    "net_share": (
        Case(buy(100), book(positions=(held("XOM", 5_000),), pending=(waiting(quantity=4_900),))),
        Case(buy(101), book(positions=(held("XOM", 5_000),), pending=(waiting(quantity=4_900),))),
    ),
    "leverage": (
        Case(
            buy(100),
            book(positions=(held("XOM", 10_777, stop_price=D("99.01")),)),
            limits=limited(max_gross_share=D(2)),
        ),
        Case(
            buy(100),
            book(positions=(held("XOM", 10_778, stop_price=D("99.01")),)),
            limits=limited(max_gross_share=D(2)),
        ),
    ),
    "loss_streak": (Case(portfolio=book(loss_streak=3)), Case(portfolio=book(loss_streak=4))),
    "trades_per_day": (Case(portfolio=book(trades_today=3)), Case(portfolio=book(trades_today=4))),
    "automatic_executions": (
        Case(portfolio=book(automatic_executions={"trend": 4, "reversion": 9})),
        Case(portfolio=book(automatic_executions={"trend": 5})),
    ),
    "settled_cash": (
        Case(portfolio=book(settled_cash=D(20_200), pending=(waiting(),))),
        Case(portfolio=book(settled_cash=D("20_199.99"), pending=(waiting(),))),
    ),
}

MISSING = {
    "stale_data": Case(market=market(data_age_hours=None)),
    "price_collar": Case(market=market(price=None)),
    "max_notional": Case(market=market(price=None)),
    "min_notional": Case(market=market(price=None)),
    "adv_share": Case(market=market(adv=None)),
    "trade_share": Case(portfolio=book(equity=D(0))),
    "position_share": Case(market=market(price=None)),
    "sector_share": Case(market=market(sector="")),
    "gross_share": Case(market=market(price=None)),
    "total_open_risk": Case(market=market(price=None)),
    "daily_loss": Case(portfolio=book(day_start_equity=D(0))),
    "drawdown": Case(portfolio=book(peak_equity=D(0))),
    "buying_power": Case(market=market(price=None)),
    "symbol_halted": Case(market=market(halted=None)),
    "short_permission": Case(short(), limits=limited(short_permitted=True)),
    "volatility_pause": Case(market=market(volatility_paused=None)),
    "trading_day": Case(market=market(trading_day=None)),
    "trading_hours": Case(market=market(in_hours=None)),
    "clock_skew": Case(market=market(clock_skew_seconds=None)),
    "message_rate": Case(portfolio=book(orders=None)),
    "duplicate_order": Case(portfolio=book(orders=None)),
    "self_cross": Case(portfolio=book(orders=None)),
    "group_share": Case(market=market(group=None)),
    "net_share": Case(market=market(price=None)),
    "leverage": Case(portfolio=book(equity=D(400))),
    "loss_streak": Case(portfolio=book(loss_streak=None)),
    "trades_per_day": Case(portfolio=book(trades_today=None)),
    "automatic_executions": Case(portfolio=book(automatic_executions=None)),
    "settled_cash": Case(portfolio=book(settled_cash=None)),
}
NEVER_MISSING = {
    "reduce_only", "restricted", "unknown_order", "max_quantity", "max_open_positions", "stop_side", "permitted",
}  # fmt: skip
SOFT = {"min_notional", "adv_share", "group_share", "loss_streak", "trades_per_day", "max_open_positions"}


def test_the_tables_here_name_every_control() -> None:
    assert set(AT_AND_BEYOND) == set(CONTROLS)
    assert set(MISSING) | NEVER_MISSING == set(CONTROLS)


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_equality_does_not_block_and_beyond_does(control: str) -> None:
    at, beyond = AT_AND_BEYOND[control]
    assert at.check(control).verdict != "block"
    assert beyond.check(control).verdict == "block"


@pytest.mark.parametrize("control", sorted(MISSING))
def test_a_missing_input_blocks_an_increase(control: str) -> None:
    found = MISSING[control].check(control)
    assert (found.verdict, found.value) == ("block", None)


@pytest.mark.parametrize("control", sorted(set(CONTROLS) - {"reduce_only"}))
def test_no_control_stops_a_reduction(control: str) -> None:
    troubled = [AT_AND_BEYOND[control][1]] + ([MISSING[control]] if control in MISSING else [])
    for case in troubled:
        ours = (held(quantity=2_000), *(item for item in case.portfolio.positions if item.symbol != "IBM"))
        portfolio = case.portfolio.model_copy(update={"positions": ours})
        checks = check_order(sell(case.proposal.quantity), portfolio, case.market, case.limits)
        assert verdict(checks) == "pass"
        found = next(item for item in checks if item.control == control)
        assert "not applied to a reduction" in found.message


def test_a_reduction_without_a_position_or_on_the_wrong_side_blocks() -> None:
    assert Case(sell(1)).check("reduce_only").verdict == "block"
    wrong = sell(1, band=PriceBand(low=D(98), high=D(102))).model_copy(update={"side": "buy"})
    assert Case(wrong, book(positions=(held(),))).check("reduce_only").verdict == "block"
    assert Case(wrong, book(positions=(held(quantity=-1),))).check("reduce_only").verdict == "pass"


def test_what_is_mixed_counts_as_an_increase() -> None:
    assert Case(buy(risk_effect="mixed")).check("short_permission").verdict == "block"


def test_the_collar_names_the_nearer_edge_and_checks_both() -> None:
    assert Case(market=market(price=D("97.99"))).check("price_collar").limit == D(98)
    assert Case(market=market(price=D("97.99"))).check("price_collar").verdict == "block"
    assert Case(market=market(price=D(98))).check("price_collar").verdict == "pass"


def test_a_negative_age_is_no_age() -> None:
    assert Case(market=market(data_age_hours=-1.0)).check("stale_data").verdict == "block"


def test_daily_loss_and_drawdown_warn_before_they_block() -> None:
    checks = check_order(buy(), book(equity=D(975_000)), market(), LIMITS)
    assert verdict(checks) == "warn"
    assert Case(portfolio=book(equity=D(977_000))).check("daily_loss").verdict == "pass"


def test_an_order_without_a_stop_risks_all_of_it() -> None:
    assert Case(buy(100, stop_price=None)).check("total_open_risk").value == D("0.01")
    assert Case(buy(100)).check("total_open_risk").value == D("0.0005")


def test_every_check_carries_rule_and_hardness_of_its_control() -> None:
    for case in (Case(), Case(sell(1), book(positions=(held(),)))):
        for item in check_order(case.proposal, case.portfolio, case.market, LIMITS):
            control = CONTROLS[item.control]
            assert (item.rule, item.hard) == (control.rule, control.hard)
            assert item.rule


def test_the_controls_of_the_two_rules_name_their_articles() -> None:
    cited = {item.id: item.rule for item in CONTROLS.values()}
    assert [cited[name][-6:] for name in ("price_collar", "max_notional", "max_quantity", "message_rate")] == [
        "(1)(a)", "(1)(b)", "(1)(c)", "(1)(d)",
    ]  # fmt: skip
    assert cited["automatic_executions"] == "RTS 6 Art. 15(3)"
    assert cited["restricted"] == "15c3-5(c)(2)(ii)"


@pytest.mark.parametrize("control", sorted(SOFT))
def test_a_soft_block_is_overridden_for_one_order_and_says_so(control: str) -> None:
    case = AT_AND_BEYOND[control][1]
    found = check_order(case.proposal, case.portfolio, case.market, case.limits, frozenset({control}))
    item = next(one for one in found if one.control == control)
    assert (item.verdict, item.overridden) == ("warn", True)
    assert item.message.endswith("overridden for this order")
    others = [one for one in found if one.control != control]
    assert not any(one.overridden for one in others)


def test_a_hard_block_is_never_overridden() -> None:
    assert {item.id for item in CONTROLS.values() if not item.hard} == SOFT
    for control in sorted(set(CONTROLS) - SOFT):
        with pytest.raises(ToolRejected, match="hard limit"):
            check_order(buy(), book(), market(), LIMITS, frozenset({control}))
    with pytest.raises(ToolRejected, match="no control"):
        check_order(buy(), book(), market(), LIMITS, frozenset({"wishful"}))


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_the_distance_is_what_is_left_and_negative_beyond(control: str) -> None:
    at, beyond = (case.check(control) for case in AT_AND_BEYOND[control])
    if CONTROLS[control].bound == "flag":
        assert (at.distance, beyond.distance) == (None, None)
        return
    assert at.distance is not None
    assert beyond.distance is not None
    assert at.distance >= 0 > beyond.distance


def test_a_short_sale_risks_what_lies_between_its_price_and_its_stop() -> None:
    risk = Case(short(100, stop_price=D(105))).check("total_open_risk")
    assert risk.value == D("0.0005")
    assert waiting(side="sell", price="100", stop_price=D(104)).open_risk == D(400)
    assert Case(short(stop_price=D(100))).check("stop_side").verdict == "block"


def test_the_net_exposure_takes_the_worse_of_both_sides() -> None:
    sold = book(positions=(held("XOM", -4_000),), pending=(waiting(side="sell", quantity=4_000),))
    bought = book(positions=(held("XOM", -4_000),), pending=(waiting(side="buy", quantity=4_000),))
    assert Case(short(100), sold).check("net_share").value == D("0.81")
    assert Case(short(100), bought).check("net_share").value == D("0.41")


def test_a_market_order_of_ours_on_the_other_side_is_always_met() -> None:
    assert Case(portfolio=book(orders=(placed("IBM", 5, "sell"),))).check("self_cross").verdict == "block"
    assert Case(portfolio=book(orders=(placed("IBM", 5, "sell", live=False),))).check("self_cross").verdict == "pass"
    assert Case(short(), book(orders=(placed("IBM", 5, price=D(98)),))).check("self_cross").verdict == "block"
    assert Case(short(), book(orders=(placed("IBM", 5, price=D("97.99")),))).check("self_cross").verdict == "pass"


def test_a_view_of_another_symbol_is_refused() -> None:
    with pytest.raises(ToolRejected, match="DELL given for a proposal in IBM"):
        check_order(buy(), book(), market(symbol="DELL"), LIMITS)


def test_no_checks_at_all_is_a_block() -> None:
    assert verdict(()) == "block"
    assert binding(()) is None


def test_the_binding_check_is_the_nearest_or_the_blocking_one() -> None:
    near = binding(check_order(buy(199), book(), market(), LIMITS))
    assert near is not None
    assert near.control == "trade_share"
    small = binding(check_order(buy(6), book(), market(), LIMITS))
    assert small is not None
    assert small.control == "min_notional"
    over = binding(check_order(buy(900), book(), market(), LIMITS))
    assert over is not None
    assert over.control == "trade_share"
    halted = binding(check_order(buy(900), book(), market(halted=True), LIMITS))
    assert halted is not None
    assert halted.control == "symbol_halted"


def test_figures_in_a_message_are_those_of_the_check() -> None:
    found = Case(buy(173), market=market(price=D("101.37"))).check("trade_share")
    assert found.value == D("0.017538")
    assert found.message == "trade share 1.7538 %, within the limit of 2.00 %"


cents = st.integers(1_000, 20_000).map(lambda value: D(value) / 100)
pendings = st.builds(
    waiting, symbol=st.sampled_from(["IBM", "HPQ", "XOM"]), quantity=st.integers(1, 300),
    price=cents.map(str), sector=st.sampled_from(["Technology", "Energy"]), stop_price=st.none() | cents,
)  # fmt: skip
positions = st.lists(
    st.builds(
        held, symbol=st.sampled_from(["IBM", "DELL", "CVX"]), quantity=st.integers(1, 300), mark=cents.map(str),
        sector=st.sampled_from(["Technology", "Energy"]), stop_price=st.none() | cents,
    ),
    max_size=3, unique_by=lambda item: item.symbol,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    quantity=st.integers(1, 400), price=cents, open_positions=positions, pending=st.lists(pendings, max_size=3),
    equity=st.integers(200_000, 5_000_000), cash=st.integers(20_000, 5_000_000),
)  # fmt: skip
def test_no_order_passes_that_would_exceed_a_cap_with_all_pending_filled(
    quantity: int,
    price: Decimal,
    open_positions: list[PositionView],
    pending: list[PendingOrder],
    equity: int,
    cash: int,
) -> None:
    proposal = buy(quantity, band=PriceBand(low=price, high=price), stop_price=max(D("0.01"), price * D("0.9")))
    money = D(equity)
    portfolio = book(
        equity=money, cash=D(cash), peak_equity=money, day_start_equity=money, positions=tuple(open_positions),
        pending=tuple(pending),
    )  # fmt: skip
    checks = check_order(proposal, portfolio, market(price=price), LIMITS)
    for item in checks:
        use = utilisation(item)
        assert use is None or (use > 1) == (item.verdict == "block")
    if verdict(checks) == "block":
        return
    after: dict[str, Decimal] = {item.symbol: item.market_value for item in open_positions}
    sectors: dict[str, Decimal] = {"Technology": D(0), "Energy": D(0)}
    for position in open_positions:
        sectors[position.sector] += position.market_value
    for symbol, sector, worth in [
        *((one.symbol, one.sector, one.notional) for one in pending), ("IBM", "Technology", price * quantity),
    ]:  # fmt: skip
        after[symbol] = after.get(symbol, D(0)) + worth
        sectors[sector] += worth
    risk = sum((one.open_risk for one in open_positions), D(0)) + sum((one.open_risk for one in pending), D(0))
    assert proposal.stop_price is not None
    assert after["IBM"] <= money * LIMITS.max_position_share
    assert sectors["Technology"] <= money * LIMITS.max_sector_share
    assert sum(after.values()) <= money * LIMITS.max_gross_share
    assert sum(after.values()) <= money * LIMITS.max_net_share
    left = money - risk - (price - proposal.stop_price) * quantity
    assert left > 0
    assert sum(after.values()) <= left * LIMITS.max_leverage
    assert risk + (price - proposal.stop_price) * quantity <= money * LIMITS.max_total_open_risk
    assert len(after) <= LIMITS.max_open_positions
    assert sum((one.notional for one in pending), price * quantity) <= cash
    assert price * quantity <= money * LIMITS.max_trade_share


@settings(deadline=None, max_examples=150)
@given(quantity=st.integers(1, 300), owned=st.integers(0, 200), pending=st.lists(pendings, max_size=4))
def test_a_reduction_passes_exactly_up_to_the_position(quantity: int, owned: int, pending: list[PendingOrder]) -> None:
    ours = (held(quantity=owned),) if owned else ()
    broke = book(equity=D(1), cash=D(-5), positions=ours, pending=tuple(pending))
    blind = market(price=None, adv=None, data_age_hours=None, halted=None, unknown_order=True)
    checks = check_order(sell(quantity), broke, blind, limited(restricted=("IBM",)))
    assert (verdict(checks) == "pass") == (quantity <= owned)
