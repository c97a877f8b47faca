"""What holds for every order in every bar, whatever its type, life and terms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.types import Bar
from tools.execution.costs import BPS, CostModel
from tools.execution.matching import Decision, Resting, Venue, at_close, at_open, halted
from tools.execution.types import OrderState
from tools.execution.venue_terms import VenueTerms

D = Decimal
CENT = D("0.01")
AT = datetime(2009, 11, 17, 21, tzinfo=UTC)
prices = st.integers(500, 20_000).map(lambda value: D(value) / 100)
maybe = st.one_of(st.none(), prices)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    four = [draw(prices) for _ in range(4)]
    return Bar(
        symbol="IBM", session=date(2009, 11, 17), open=four[0], high=max(four), low=min(four), close=four[1],
        volume=draw(st.integers(0, 50_000)), event_time=AT, known_at=AT,
    )  # fmt: skip


@st.composite
def orders(draw: st.DrawFn) -> Resting:
    kind = draw(st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]))
    lives = ["opg", "day", "gtc", "cls", "ioc", "fok"] if kind in ("market", "limit") else ["day", "gtc"]
    terms: dict[str, Any] = {
        "client_order_id": draw(st.text("abc", min_size=1, max_size=4)), "side": draw(st.sampled_from(["buy", "sell"])),
        "remaining": draw(st.integers(1, 4_000)), "filled": draw(st.integers(0, 5)), "order_type": kind,
        "time_in_force": draw(st.sampled_from(lives)), "reduce_only": draw(st.booleans()),
        "limit_price": draw(prices) if "limit" in kind else None,
        "stop_price": draw(prices) if kind in ("stop", "stop_limit") else draw(maybe) if "trail" in kind else None,
        "trail_price": draw(prices) if "trail" in kind else None,
        "triggered": kind in ("stop_limit", "trailing_stop") and draw(st.booleans()),
    }  # fmt: skip
    return Resting(**terms)


def venue(volume: int, held: int, borrowable: int, noise: str = "0.5") -> Venue:
    terms = VenueTerms(costs=CostModel(noise=D(noise)))
    return Venue(
        volume=volume, traded=0, held=held, cash=D(10**7), seed=3, terms=terms, borrowable=borrowable, net=D(0),
    )  # fmt: skip


worlds = st.builds(venue, st.just(0), st.integers(-3_000, 3_000), st.integers(0, 4_000))


def matched(order: Resting, bar: Bar, world: Venue, *, opening: bool) -> Decision:
    seen = Venue(**{**world.__dict__, "volume": bar.volume})
    return at_open(order, bar.open, seen) if opening else at_close(order, bar, seen)


@settings(deadline=None, max_examples=250)
@given(order=orders(), bar=bars(), world=worlds, opening=st.booleans())
def test_a_fill_lies_in_its_bar_but_for_slippage_keeps_its_limit_and_what_it_may_take(
    order: Resting, bar: Bar, world: Venue, opening: bool
) -> None:
    decision = matched(order, bar, world, opening=opening)
    got = decision.execution
    if got is None:
        assert decision.state not in {OrderState.FILLED}
        return
    sign = 1 if order.side == "buy" else -1
    assert bar.low <= got.reference_price <= bar.high
    most = got.reference_price * (2 + 100 * (D(got.quantity) / bar.volume).sqrt()) * D("1.5") * BPS + CENT / 2
    assert 0 <= (got.price - got.reference_price) * sign <= max(most, CENT)
    if order.limit_price is not None:
        assert got.price * sign <= order.limit_price * sign
    assert 0 < got.quantity <= min(order.remaining, bar.volume // 10)
    after = world.held + sign * got.quantity
    if order.reduce_only:
        assert world.held * after >= 0
        assert abs(after) < abs(world.held)
    if order.side == "sell" and world.held >= 0:
        assert after >= -world.borrowable
    if order.time_in_force == "fok":
        assert got.quantity == order.remaining
    if order.time_in_force not in ("gtc", "day"):
        assert decision.state is not OrderState.PARTIALLY_FILLED


@settings(deadline=None, max_examples=120)
@given(order=orders(), bar=bars(), world=worlds)
def test_a_session_ends_every_order_but_gtc_and_a_halt_fills_none(order: Resting, bar: Bar, world: Venue) -> None:
    rests = (OrderState.NEW, OrderState.PARTIALLY_FILLED)
    if matched(order, bar, world, opening=False).state in rests:
        assert order.time_in_force == "gtc"
    stopped = halted(order, "close")
    assert stopped.execution is None
    assert (stopped.state in rests) == (order.time_in_force == "gtc")
    assert stopped.reason == (None if order.time_in_force == "gtc" else "symbol_halted")
    assert (halted(order, "open").state in rests) == (order.time_in_force in ("gtc", "day", "cls"))


@settings(deadline=None, max_examples=120)
@given(path=st.lists(bars(), min_size=1, max_size=6), side=st.sampled_from(["buy", "sell"]), trail=prices)
def test_a_trail_only_follows_and_triggers_no_further_away_than_asked(
    path: list[Bar], side: str, trail: Decimal
) -> None:
    level: Decimal | None = None
    sign = 1 if side == "sell" else -1
    for bar in path:
        order = orders_trailing(side, level, trail)
        decision = at_close(order, bar, venue(10**9, 100 * sign, 0))
        if decision.triggered:
            assert decision.execution is not None
            assert decision.stop_price is not None
            assert (decision.stop_price - decision.execution.reference_price) * sign >= 0
            return
        assert decision.stop_price is not None
        best = bar.high if side == "sell" else bar.low
        assert (bar.close - decision.stop_price) * sign > 0
        assert (decision.stop_price - max(CENT, best - sign * trail)) * sign >= 0
        assert level is None or (decision.stop_price - level) * sign >= 0
        level = decision.stop_price


def orders_trailing(side: str, level: Decimal | None, trail: Decimal) -> Resting:
    return Resting(
        client_order_id="t", side="sell" if side == "sell" else "buy", remaining=100, filled=0,
        order_type="trailing_stop", time_in_force="gtc", limit_price=None, stop_price=level, reduce_only=True,
        trail_price=trail,
    )  # fmt: skip
