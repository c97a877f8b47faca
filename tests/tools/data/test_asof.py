"""P6: at no tick can anything be read that was known later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data import asof
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.evidence import action_evidence, bar_evidence, headline_evidence, observation_evidence
from tools.errors import DataError, FutureDataError
from tools.types import Evidence, Tick

EPOCH = datetime(2009, 1, 1, tzinfo=UTC)
PHASES: tuple[Literal["open", "close"], ...] = ("open", "close")


def _ticks(market: EmbeddedMarket) -> list[Tick]:
    return [market.tick(day, phase) for day in market.sessions for phase in PHASES]


def _evidence_at(market: EmbeddedMarket, tick: Tick) -> list[Evidence]:
    found = [observation_evidence(item) for item in market.observations(tick.as_of)]
    found += [headline_evidence(item) for item in market.headlines(EPOCH, tick.as_of)]
    for day in market.sessions:
        found += [action_evidence(item) for item in market.corporate_actions(day, tick.as_of)]
    if tick.phase == "close":
        found += [bar_evidence(bar) for bar in market.bars(tick.session, tick.as_of).values()]
    return found


def test_every_evidence_readable_at_any_tick_was_known_by_then(market: EmbeddedMarket) -> None:
    small = EmbeddedMarket(["GIS", "IBM", "WY"])
    for tick in _ticks(small):
        evidence = _evidence_at(small, tick)
        assert asof.read(evidence, tick.as_of) == tuple(evidence)
        assert all(item.known_at <= tick.as_of for item in evidence)
    for tick in _ticks(market)[::41]:
        assert asof.read(_evidence_at(market, tick), tick.as_of)


def test_every_tick_refuses_the_bar_index_and_open_of_later_moments(market: EmbeddedMarket) -> None:
    days = market.sessions
    for position, day in enumerate(days):
        opening, closing = market.tick(day, "open"), market.tick(day, "close")
        with pytest.raises(FutureDataError):
            market.bars(day, opening.as_of)
        with pytest.raises(FutureDataError):
            market.bars(day, closing.as_of - timedelta(microseconds=1))
        with pytest.raises(FutureDataError):
            market.index_close(day, opening.as_of)
        with pytest.raises(FutureDataError):
            market.repaired(day, opening.as_of)
        with pytest.raises(FutureDataError):
            market.opens(Tick(session=day, phase="open", as_of=opening.as_of - timedelta(microseconds=1)))
        for later in days[position + 1 :: 60]:
            with pytest.raises(FutureDataError) as refusal:
                market.bars(later, closing.as_of)
            assert refusal.value.code == "future_data"
            with pytest.raises(FutureDataError):
                market.index_close(later, closing.as_of)
            with pytest.raises(FutureDataError):
                market.opens(Tick(session=later, phase="open", as_of=closing.as_of))


def test_panel_at_every_tick_ends_with_the_last_closed_session(market: EmbeddedMarket) -> None:
    days = market.sessions
    with pytest.raises(DataError) as refusal:
        market.panel(market.tick(days[0], "open").as_of, 1)
    assert refusal.value.code == "no_closed_session"
    for position, day in enumerate(days):
        assert market.panel(market.tick(day, "close").as_of, 3).sessions == days[max(0, position - 2) : position + 1]
        if position:
            assert market.panel(market.tick(day, "open").as_of, 1).sessions == (days[position - 1],)


def test_erasing_the_future_changes_nothing_a_tick_can_see(market: EmbeddedMarket) -> None:
    """The panel of an early tick must not depend on later rows: poison them and compare."""
    tick = market.tick(market.sessions[120], "close")
    before = market.panel(tick.as_of, 121)
    poisoned = EmbeddedMarket()
    fields = tuple(grid.copy() for grid in poisoned._fields)
    for grid in fields:
        grid[121:] = np.nan
    poisoned._fields = fields
    after = poisoned.panel(tick.as_of, 121)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_a_split_is_invisible_before_its_open_and_applied_from_it(market: EmbeddedMarket) -> None:
    days = market.sessions
    ex = market.tick(next(day for day in days if day.isoformat() == "2010-06-09"), "open")
    just_before = ex.as_of - timedelta(microseconds=1)
    assert market.panel(just_before, 1, ["GIS"]).close[0, 0] == pytest.approx(75.14)
    assert market.panel(ex.as_of, 1, ["GIS"]).close[0, 0] == pytest.approx(37.57)


def test_an_action_is_hidden_until_it_was_announced(market: EmbeddedMarket) -> None:
    ex = next(day for day in market.sessions if day.isoformat() == "2010-07-20")
    announced = datetime(2010, 7, 12, 20, 30, tzinfo=UTC)
    assert market.corporate_actions(ex, announced - timedelta(seconds=1)) == ()
    assert [item.symbol for item in market.corporate_actions(ex, announced)] == ["WY"]


@settings(max_examples=60, deadline=None)
@given(minutes=st.integers(min_value=0, max_value=370 * 24 * 60), lookback=st.integers(min_value=1, max_value=300))
def test_any_moment_sees_only_its_past(market: EmbeddedMarket, minutes: int, lookback: int) -> None:
    now = datetime(2009, 8, 20, tzinfo=UTC) + timedelta(minutes=minutes)
    assert all(item.known_at <= now for item in market.observations(now))
    assert all(item.known_at <= now for item in market.headlines(EPOCH, now))
    closed = [day for day in market.sessions if market.tick(day, "close").as_of <= now]
    if closed:
        assert market.panel(now, lookback, ["IBM"]).sessions == tuple(closed[-lookback:])
    else:
        with pytest.raises(DataError):
            market.panel(now, lookback)


def test_read_refuses_one_late_item_among_many(market: EmbeddedMarket) -> None:
    first, second = market.sessions[:2]
    late = bar_evidence(market.bars(second, market.tick(second, "close").as_of)["IBM"])
    early = bar_evidence(market.bars(first, market.tick(first, "close").as_of)["IBM"])
    now = market.tick(first, "close").as_of
    assert asof.read([early], now) == (early,)
    with pytest.raises(FutureDataError, match=late.id):
        asof.read([early, late], now)


def test_a_naive_clock_is_refused(market: EmbeddedMarket) -> None:
    naive = datetime(2010, 1, 4, 12)
    for ask in (
        lambda: market.panel(naive, 5), lambda: market.observations(naive), lambda: market.headlines(EPOCH, naive),
        lambda: market.corporate_actions(market.sessions[0], naive), lambda: asof.read(
            [observation_evidence(market.observations(market.tick(market.sessions[5], "close").as_of)[0])], naive
        ),
    ):  # fmt: skip
        with pytest.raises(DataError) as refusal:
            ask()
        assert refusal.value.code == "naive_clock"
