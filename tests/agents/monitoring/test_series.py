"""The rules under the findings: quiet on what is steady or seasonal, and sure to find what moved."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.monitoring.series import DECISION, REFERENCE, SAME_WEEKDAYS, held, repeated, shift, unusual

NOISE = st.lists(st.floats(-1, 1), min_size=REFERENCE + 12, max_size=60)
LEVELS = st.floats(-1_000, 1_000)


def weekdays(count: int) -> list[date]:
    first = date(2009, 9, 7)
    every = (first + timedelta(days=n) for n in range(3 * count))
    return list(islice((day for day in every if day.weekday() < 5), count))


@given(LEVELS, st.integers(1, 80), st.floats(0, 10))
def test_a_constant_series_never_fires(level: float, count: int, floor: float) -> None:
    values = [level] * count
    odd = unusual(weekdays(count), values, max(floor, 1e-6))
    moved = shift(weekdays(count), values, max(floor, 1e-6))
    assert odd is None or not odd.fires
    assert moved is None or not moved.fires


@given(st.lists(LEVELS, min_size=5, max_size=5), st.integers(41, 80))
def test_a_week_that_repeats_itself_never_fires(week: list[float], count: int) -> None:
    days = weekdays(count)
    values = [week[day.weekday()] for day in days]
    odd = unusual(days, values, 1e-6)
    assert odd is not None
    assert not odd.fires
    for direction in (1, -1):
        moved = shift(days, values, 1e-6, direction)
        assert moved is not None
        assert not moved.fires


@settings(max_examples=60)
@given(NOISE, st.floats(8, 50), st.sampled_from([1, -1]))
def test_a_shift_of_many_spreads_is_found_within_three_sessions(noise: list[float], size: float, way: int) -> None:
    days, spread = weekdays(len(noise)), 1.5
    moved = [v + way * size * spread if place >= len(noise) - 3 else v for place, v in enumerate(noise)]
    found = shift(days, moved, floor=spread, direction=way)
    assert found is not None
    assert found.fires
    assert found.sessions >= 3
    other = shift(days, moved, floor=spread, direction=-way)
    assert other is not None
    assert not other.fires


@given(NOISE, st.floats(-1e9, 1e9))
def test_one_wild_session_is_no_shift(noise: list[float], spike: float) -> None:
    values = [*noise[:-1], spike]
    for direction in (1, -1):
        found = shift(weekdays(len(values)), values, floor=2.0, direction=direction)
        assert found is not None
        assert not found.fires


@given(NOISE, st.floats(20, 1e6))
def test_one_wild_session_is_unusual(noise: list[float], spike: float) -> None:
    days = weekdays(60)
    values = [*(noise * 2)[:59], spike]
    found = unusual(days, values, floor=1.0)
    assert found is not None
    assert found.fires


def test_a_shift_that_is_over_is_forgotten() -> None:
    values = [0.0] * REFERENCE + [9.0] * 10 + [0.0] * int(DECISION)
    found = shift(weekdays(len(values)), values, floor=1.0)
    assert found is not None
    assert not found.fires


def test_a_slow_creep_is_found() -> None:
    values = [0.02 + 0.0004 * n for n in range(60)]
    found = shift(weekdays(60), values, floor=0.002)
    assert found is not None
    assert found.fires
    assert found.after > found.before


def test_too_short_a_history_is_no_opinion() -> None:
    enough = 5 * SAME_WEEKDAYS + 1
    assert unusual(weekdays(enough - 1), [0.0] * (enough - 2) + [99.0], 1.0) is None
    assert unusual(weekdays(enough), [0.0] * (enough - 1) + [99.0], 1.0) is not None
    assert shift(weekdays(REFERENCE), [0.0] * REFERENCE, 1.0) is None
    assert unusual([], [], 1.0) is None


@given(st.lists(st.floats(0, 1), max_size=40))
def test_between_the_two_thresholds_nothing_changes(values: list[float]) -> None:
    on = False
    for place, value in enumerate(values):
        before, on = on, held(values[: place + 1], enter=0.8, leave=0.5)
        assert on == (True if value > 0.8 else before if value > 0.5 else False)


def test_only_the_window_counts() -> None:
    assert repeated([1.0] * 5 + [0.0] * 3 + [0.5], level=0.5, window=4) == 1
