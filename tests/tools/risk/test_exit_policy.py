"""The exit policy: a stop only tightens and never passes the price, a reduction is never more than is held."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import ConfigError
from tools.risk.exit_policy import ExitPolicy, Unattended, tightened_stop
from tools.risk.limits import default_limits_text, load_limits

D = Decimal
POLICY = load_limits(default_limits_text()).exits
prices = st.decimals(min_value=D("0.05"), max_value=D(5_000), places=2)
ranges = st.decimals(min_value=D("0.0001"), max_value=D(200), places=4)
multiples = st.one_of(st.none(), st.decimals(min_value=D("0.01"), max_value=D(10), places=2))
sides = st.sampled_from((1, -1))


def policy(**changes: Any) -> ExitPolicy:
    return POLICY.model_copy(update=changes)


def moved(stop: str | None = "95", close: str = "100", average: str = "100", quantity: int = 10, **changes: Any) -> Any:
    return tightened_stop(
        policy(**changes), quantity=quantity, average_price=D(average), stop=None if stop is None else D(stop),
        close=D(close), atr=D(2),
    )  # fmt: skip


def test_a_stop_trails_the_close_by_its_multiple() -> None:
    assert moved(close="110", average="109") == (D("104.00"), "trailing")


def test_a_stop_stays_when_the_price_falls() -> None:
    assert moved(close="97") is None


def test_a_stop_is_not_moved_for_less_than_the_step() -> None:
    assert moved(stop="95", close="101.49", trail_step_atr=D("0.25"), breakeven_atr=None) is None
    assert moved(stop="95", close="101.50", trail_step_atr=D("0.25"), breakeven_atr=None) == (D("95.50"), "trailing")


def test_the_stop_goes_to_the_entry_price_at_the_profit_named_and_not_before() -> None:
    assert moved(close="104.00", average="100", trail_atr=None) == (D("100.00"), "breakeven")
    assert moved(close="103.99", average="100", trail_atr=None) is None


def test_the_tighter_of_two_earned_stops_is_taken() -> None:
    assert moved(close="120", average="100") == (D("114.00"), "trailing")


def test_a_position_without_a_stop_earns_one() -> None:
    assert moved(stop=None) == (D("94.00"), "trailing")


def test_a_short_mirrors_a_long() -> None:
    assert moved(stop="105", close="90", average="100", quantity=-10) == (D("96.00"), "trailing")
    assert moved(stop="105", close="104", average="100", quantity=-10) is None


def test_without_trailing_and_breakeven_nothing_moves() -> None:
    assert moved(close="500", trail_atr=None, breakeven_atr=None) is None


@given(
    side=sides, average=prices, first=prices, atr=ranges, trail=multiples, breakeven=multiples,
    step=st.decimals(min_value=D(0), max_value=D(2), places=2), closes=st.lists(prices, min_size=1, max_size=12),
)  # fmt: skip
def test_over_any_path_of_closes_a_stop_only_tightens_and_stays_behind_the_price(
    side: int, average: Decimal, first: Decimal, atr: Decimal, trail: Decimal | None, breakeven: Decimal | None,
    step: Decimal, closes: list[Decimal],
) -> None:  # fmt: skip
    rules = policy(trail_atr=trail, breakeven_atr=breakeven, trail_step_atr=step)
    stop = first
    for close in closes:
        move = tightened_stop(rules, quantity=side * 7, average_price=average, stop=stop, close=close, atr=atr)
        if move is None:
            continue
        assert side * (move.price - stop) > 0
        assert side * (close - move.price) > 0
        assert move.price > 0
        again = tightened_stop(rules, quantity=side * 7, average_price=average, stop=move.price, close=close, atr=atr)
        assert again is None
        stop = move.price
    assert side * (stop - first) >= 0


@given(
    held=st.integers(-50, 10_000),
    cap=st.decimals(min_value=D("0.01"), max_value=D(1), places=2),
    to=st.decimals(min_value=D(0), max_value=D("0.99"), places=2),
    cause=st.sampled_from(("reduce", "time_stop", "exit_signal")),
)
def test_a_reduction_is_never_more_than_is_held_nor_than_the_cap(
    held: int, cap: Decimal, to: Decimal, cause: Any
) -> None:
    rules = Unattended(reductions=("reduce", "time_stop"), cap_share=cap, reduce_to_share=to)
    quantity = rules.quantity(cause, held)
    assert 0 <= quantity <= max(held, 0)
    if cause == "exit_signal":
        assert quantity == 0
    elif held > 0:
        assert quantity < cap * held + 1
        if cause == "reduce":
            assert held - quantity >= to * held


def refused(old: str, new: str) -> ConfigError:
    text = default_limits_text()
    assert old in text
    with pytest.raises(ConfigError) as error:
        load_limits(text.replace(old, new))
    return error.value


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('trail_atr: "3.0"', 'trail_atr: "-1"', "exits.trail_atr = '-1'"),
        ('trail_atr: "3.0"', "", "exits.trail_atr is missing"),
        ("reversion: 5}", "reversion: 0}", "held for at least one session"),
        ("[protective_stop, trailing_stop]", "[protective_stop, panic]", "exits.night.reductions.1 = 'panic'"),
        ("[protective_stop, trailing_stop]", "[reduce]", "belong together"),
        ("[protective_stop, trailing_stop]", "[time_stop, time_stop]", "named twice"),
        ('cap_share: "1" ', 'cap_share: "1.5" ', "exits.nobody_answers.cap_share = '1.5'"),
        ("\nexits:", "\nexit:", "exits is missing"),
    ],
)
def test_a_mistake_in_the_section_is_named(old: str, new: str, words: str) -> None:
    error = refused(old, new)
    assert error.code == "limits_invalid"
    assert words in error.message


def test_a_name_of_cents_has_a_stop_below_a_dollar() -> None:
    found = tightened_stop(
        policy(breakeven_atr=None), quantity=10, average_price=D("0.80"), stop=D("0.50"), close=D("0.95"), atr=D("0.03")
    )
    assert found is not None
    assert D("0.50") < found.price < 1
