"""Matching against a plain reference written from the rules, to the cent, and the rules one by one."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.types import Bar
from tools.execution.matching import Decision, Resting, Venue, at_close, at_open
from tools.execution.types import OrderState

D = Decimal


def order(**changes: Any) -> Resting:
    base: dict[str, Any] = {
        "client_order_id": "o1", "side": "buy", "remaining": 100, "filled": 0, "order_type": "market",
        "time_in_force": "opg", "limit_price": None, "stop_price": None, "reduce_only": False,
    }  # fmt: skip
    return Resting(**{**base, **changes})


def stop(level: str = "95", **changes: Any) -> Resting:
    return order(
        **{
            "side": "sell",
            "order_type": "stop",
            "time_in_force": "gtc",
            "stop_price": D(level),
            "reduce_only": True,
            **changes,
        }
    )


def venue(**changes: Any) -> Venue:
    base: dict[str, Any] = {"volume": 1_000_000, "traded": 0, "held": 100, "cash": D(1_000_000), "seed": 7}
    return Venue(**{**base, **changes})


def bar(opened: str = "100", high: str = "101", low: str = "94", close: str = "99") -> Bar:
    at = datetime(2009, 11, 17, 21, tzinfo=UTC)
    return Bar(
        symbol="IBM", session=date(2009, 11, 17), open=D(opened), high=D(high), low=D(low), close=D(close),
        volume=1_000_000, event_time=at, known_at=at,
    )  # fmt: skip


def price_of(decision: Decision) -> Decimal:
    assert decision.execution is not None
    return decision.execution.price


def test_an_opg_order_fills_at_the_open_with_costs() -> None:
    decision = at_open(order(), D("100.00"), venue())
    assert decision.state == OrderState.FILLED
    assert decision.execution is not None
    assert decision.execution.reference_price == D("100.00")
    assert D("100.00") < decision.execution.price < D("100.10")
    assert decision.execution.commission == D("1.00")


def test_the_participation_cap_fills_a_part_and_the_rest_expires() -> None:
    decision = at_open(order(remaining=500), D(100), venue(volume=3_000))
    assert decision.execution is not None
    assert (decision.state, decision.execution.quantity, decision.reason) == (
        OrderState.EXPIRED,
        300,
        "participation_cap",
    )
    later = at_open(order(remaining=500), D(100), venue(volume=3_000, traded=250))
    assert later.execution is not None
    assert later.execution.quantity == 50


def test_a_session_without_volume_fills_nothing() -> None:
    assert at_open(order(), D(100), venue(volume=0)) == Decision(OrderState.EXPIRED, reason="participation_cap")


def test_no_price_no_cash_and_no_shares_are_rejections() -> None:
    assert at_open(order(), None, venue()) == Decision(OrderState.REJECTED, reason="no_price")
    assert at_open(order(), D(100), venue(cash=D(10_000))) == Decision(OrderState.REJECTED, reason="no_cash")
    assert at_open(order(side="sell", remaining=101), D(100), venue()) == Decision(
        OrderState.REJECTED, reason="no_position"
    )


def test_exactly_enough_cash_is_enough() -> None:
    needed = price_of(at_open(order(), D(100), venue())) * 100 + 1
    assert at_open(order(), D(100), venue(cash=needed)).state == OrderState.FILLED
    assert at_open(order(), D(100), venue(cash=needed - D("0.01"))).state == OrderState.REJECTED


def test_reduce_only_is_capped_at_the_position() -> None:
    capped = at_open(order(side="sell", remaining=100, reduce_only=True), D(100), venue(held=60))
    assert capped.execution is not None
    assert (capped.state, capped.execution.quantity, capped.reason) == (OrderState.CANCELLED, 60, "capped_at_position")
    gone = at_open(order(side="sell", reduce_only=True), D(100), venue(held=0))
    assert gone == Decision(OrderState.CANCELLED, reason="no_position")


def test_a_stop_waits_at_the_open_and_triggers_in_the_bar() -> None:
    assert at_open(stop(), D(90), venue()) == Decision(OrderState.NEW)
    triggered = at_close(stop("95"), bar(low="95"), venue())
    assert triggered.execution is not None
    assert (triggered.state, triggered.execution.reference_price) == (OrderState.FILLED, D(95))
    assert at_close(stop("95"), bar(low="95.01"), venue()) == Decision(OrderState.NEW)


def test_a_gap_below_the_stop_fills_at_the_open() -> None:
    gap = at_close(stop("95"), bar(opened="91", high="92", low="90", close="91"), venue())
    assert gap.execution is not None
    assert gap.execution.reference_price == D(91)
    assert gap.execution.price <= D(91)


def test_a_stop_beyond_the_cap_rests_on_partly_filled() -> None:
    decision = at_close(stop(), bar(), venue(volume=500))
    assert decision.execution is not None
    assert (decision.state, decision.execution.quantity) == (OrderState.PARTIALLY_FILLED, 50)


def test_a_market_order_sent_after_the_open_fills_at_the_close() -> None:
    decision = at_close(order(side="sell", time_in_force="day", reduce_only=True), bar(), venue())
    assert decision.execution is not None
    assert decision.execution.reference_price == D(99)


def test_an_opg_order_never_reaches_the_bar() -> None:
    assert at_close(order(), bar(), venue()) == Decision(OrderState.EXPIRED, reason="not_matched_in_its_session")


def test_a_limit_is_never_filled_worse_than_its_limit() -> None:
    limit = order(order_type="limit", time_in_force="day", limit_price=D("94.50"))
    assert price_of(at_close(limit, bar(), venue())) == D("94.50")
    assert at_close(limit, bar(low="94.51"), venue()) == Decision(OrderState.EXPIRED, reason="limit_not_reached")
    assert price_of(at_open(limit, D("94.00"), venue())) < D("94.50")
    assert at_open(limit, D("94.51"), venue()) == Decision(OrderState.NEW)


@pytest.mark.parametrize("phase", ["open", "close"])
def test_a_resting_order_without_a_market_rests_on(phase: str) -> None:
    resting = order(time_in_force="gtc")
    found = at_open(resting, None, venue()) if phase == "open" else at_close(resting, None, venue())
    assert found == Decision(OrderState.NEW)


def reference(resting: Resting, ref: Decimal | None, world: Venue) -> tuple[int, Decimal, Decimal]:
    """Quantity, price and commission by the published rules, in plain Python."""
    if ref is None:
        return 0, D(0), D(0)
    wanted = min(resting.remaining, world.held) if resting.reduce_only else resting.remaining
    if resting.side == "sell" and not resting.reduce_only and wanted > world.held:
        return 0, D(0), D(0)
    quantity = max(0, min(wanted, math.floor(world.volume / 10) - world.traded))
    if quantity <= 0:
        return 0, D(0), D(0)
    draw = int(hashlib.sha256(f"{world.seed}:{resting.client_order_id}".encode()).hexdigest()[:8], 16)
    multiplier = D("0.5") + D(draw) / D(2**32)
    bps = (D(2) + D(100) * (D(quantity) / D(world.volume)).sqrt()) * multiplier
    moved = ref + ref * bps / 10_000 if resting.side == "buy" else ref - ref * bps / 10_000
    price = max(D("0.01"), moved.quantize(D("0.01"), rounding=ROUND_HALF_EVEN))
    fee = max(D(1), (D("0.005") * quantity).quantize(D("0.01"), rounding=ROUND_HALF_EVEN))
    if resting.side == "buy" and price * quantity + fee > world.cash:
        return 0, D(0), D(0)
    return quantity, price, fee


cents = st.integers(100, 30_000).map(lambda value: D(value) / 100)
worlds = st.builds(
    Venue, volume=st.integers(0, 200_000), traded=st.integers(0, 3_000), held=st.integers(0, 2_000),
    cash=st.integers(0, 500_000).map(D), seed=st.integers(0, 50),
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    world=worlds, price=cents, side=st.sampled_from(["buy", "sell"]), remaining=st.integers(1, 5_000),
    name=st.text(min_size=1, max_size=6),
)  # fmt: skip
def test_open_fills_equal_the_reference_to_the_cent(
    world: Venue, price: Decimal, side: str, remaining: int, name: str
) -> None:
    resting = order(side=side, remaining=remaining, reduce_only=side == "sell", client_order_id=name)
    decision = at_open(resting, price, world)
    expected = reference(resting, price, world)
    got = decision.execution
    assert ((got.quantity, got.price, got.commission) if got else (0, D(0), D(0))) == expected
    assert decision.state in {OrderState.FILLED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.CANCELLED}


@settings(deadline=None, max_examples=300)
@given(world=worlds, prices=st.lists(cents, min_size=4, max_size=4), level=cents, remaining=st.integers(1, 3_000))
def test_stop_fills_equal_the_reference_to_the_cent(
    world: Venue, prices: list[Decimal], level: Decimal, remaining: int
) -> None:
    low, high = min(prices), max(prices)
    session = bar(str(prices[0]), str(high), str(low), str(prices[1]))
    resting = stop(str(level), remaining=remaining)
    expected = reference(resting, min(prices[0], level) if low <= level else None, world)
    got = at_close(resting, session, world).execution
    assert ((got.quantity, got.price, got.commission) if got else (0, D(0), D(0))) == expected
    if got is not None:
        assert got.quantity <= world.held
        assert got.price <= level
