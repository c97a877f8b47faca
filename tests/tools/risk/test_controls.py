"""Controls: each blocks beyond its limit, passes at it, blocks on a missing input, and never stops a reduction."""

from __future__ import annotations

import pytest

from tests.tools.risk.situations import (
    AT_AND_BEYOND,
    LIMITS,
    MISSING,
    NEVER_MISSING,
    SOFT,
    Case,
    D,
    book,
    buy,
    held,
    limited,
    market,
    placed,
    sell,
    short,
    waiting,
)
from tools.errors import ToolRejected
from tools.risk.controls import CONTROLS, binding, check_order, utilisation, verdict
from tools.risk.types import Check
from tools.types import PriceBand


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


def test_what_uses_a_limit_of_nothing_is_at_it_or_beyond_it() -> None:
    at = Check(control="min_notional", value=D(0), limit=D(0), unit="money", verdict="pass", rule="", message="")
    short = Check(control="clock_skew", value=D(1), limit=D(0), unit="seconds", verdict="block", rule="", message="")
    assert utilisation(at) == 1
    assert utilisation(short) == D("Infinity")
    assert utilisation(short.model_copy(update={"value": D(0)})) == 1


def test_the_nearest_edge_of_the_band_is_shown_and_the_upper_one_in_its_middle() -> None:
    assert Case(market=market(price=D(99))).check("price_collar").limit == D(98)
    assert Case(market=market(price=D(100))).check("price_collar").limit == D(102)


def test_a_single_share_held_is_an_open_position() -> None:
    full = book(positions=tuple(held(name, 1) for name in ("A", "B", "C")))
    assert Case(portfolio=full).check("max_open_positions").verdict == "block"
    gone = book(positions=tuple(held(name, 0) for name in ("A", "B", "C")))
    assert Case(portfolio=gone).check("max_open_positions").verdict == "pass"


def test_the_permitted_list_says_which_case_it_is() -> None:
    assert "every symbol is permitted" in Case().check("permitted").message
    listed = Case(limits=limited(permitted=("IBM",))).check("permitted")
    assert "on the permitted list" in listed.message
