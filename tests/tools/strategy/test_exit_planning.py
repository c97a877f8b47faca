"""What may leave with nobody there: only what the occasion names, never more than is held, figures in the evidence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.strategy.test_generators import AS_OF, assert_figures_resolve, features, position
from tools.risk.exit_policy import ExitPolicy, Unattended
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import PositionView
from tools.strategy.exit_planning import Planned, Standing, plan_reduction

EXITS = load_limits(default_limits_text()).exits
NIGHT = Standing("night", 1)
NOBODY = Standing("nobody_answers", 3)


def plan(
    held: PositionView | None = None,
    on: Standing = NIGHT,
    policy: ExitPolicy = EXITS,
    sessions: int = 1,
    **changes: Any,
) -> Planned | None:
    more = {name: changes.pop(name) for name in ("tightened", "reduced_before") if name in changes}
    return plan_reduction(held or position("trend", 60), features(**changes), sessions, policy, on, AS_OF, **more)


def allowing(*reductions: Any, **more: Any) -> ExitPolicy:
    allowed = Unattended(reductions=reductions, **more)
    return EXITS.model_copy(update={"night": allowed, "nobody_answers": allowed, "desk_half_dead": allowed})


def test_nothing_leaves_at_night_while_the_stop_holds() -> None:
    assert plan(close=115.01) is None


def test_a_stop_that_was_passed_lets_the_position_go_at_night() -> None:
    planned = plan(close=115.0)
    assert planned is not None
    assert (planned.cause, planned.quantity) == ("protective_stop", 100)
    assert_figures_resolve(planned.candidate)


def test_a_tightened_stop_has_its_own_name() -> None:
    planned = plan(close=114.0, tightened=True)
    assert planned is not None
    assert planned.cause == "trailing_stop"


def test_an_exit_rule_that_the_occasion_does_not_name_waits() -> None:
    assert plan(sma_20=130.0) is None


def test_an_exit_nobody_answered_goes_with_its_own_reason() -> None:
    planned = plan(on=NOBODY, sma_20=130.0)
    assert planned is not None
    assert planned.cause == "exit_signal"
    assert "nobody answered" in planned.candidate.reason
    assert_figures_resolve(planned.candidate)


def test_time_that_is_up_goes_and_time_that_is_not_stays() -> None:
    planned = plan(on=NOBODY, sessions=20)
    assert planned is not None
    assert planned.cause == "time_stop"
    assert plan(on=NOBODY, sessions=19) is None


def test_a_part_goes_once() -> None:
    policy = allowing("reduce", reduce_to_share=Decimal("0.4"))
    planned = plan(on=NOBODY, policy=policy)
    assert planned is not None
    assert (planned.cause, planned.quantity) == ("reduce", 60)
    assert_figures_resolve(planned.candidate)
    assert plan(on=NOBODY, policy=policy, reduced_before=True) is None


def test_a_taint_of_the_question_stays_with_the_exit() -> None:
    planned = plan(on=Standing("nobody_answers", 2, taint=True), sma_20=130.0)
    assert planned is not None
    assert planned.candidate.taint


@pytest.mark.parametrize("quantity", [0, -100])
def test_nothing_and_a_short_are_left_alone(quantity: int) -> None:
    assert plan(position("trend", 60, quantity=quantity), close=100.0) is None


@given(
    quantity=st.integers(1, 5_000),
    cap=st.decimals(min_value=Decimal("0.01"), max_value=1, places=2),
    to=st.decimals(min_value=0, max_value=Decimal("0.99"), places=2),
    close=st.floats(90, 130),
)
def test_never_more_than_is_held(quantity: int, cap: Decimal, to: Decimal, close: float) -> None:
    policy = allowing(
        "protective_stop", "time_stop", "exit_signal", "reduce", cap_share=cap, reduce_to_share=to
    )  # fmt: skip
    planned = plan(position("trend", 60, quantity=quantity), on=NOBODY, policy=policy, close=close)
    if planned is not None:
        assert 0 < planned.quantity <= quantity
        assert planned.candidate.side == "sell"
