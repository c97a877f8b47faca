"""Features: a plain-Python reference, whole windows only, the same values whatever the look-back."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tools.data.types import Panel
from tools.strategy.features import WINDOW, compute

FIRST = date(2009, 8, 21)


def panel(closes: NDArray[np.float64], spread: float = 0.02) -> Panel:
    sessions = tuple(FIRST + timedelta(days=day) for day in range(closes.shape[0]))
    symbols = tuple(f"S{number}" for number in range(closes.shape[1]))
    opened = np.vstack((closes[:1], closes[:-1]))
    high = np.maximum(opened, closes) * (1 + spread)
    low = np.minimum(opened, closes) * (1 - spread)
    return Panel(sessions, symbols, opened, high, low, closes, np.full(closes.shape, 1_000_000.0))


def walk(sessions: int, names: int, seed: int) -> NDArray[np.float64]:
    steps = np.random.default_rng(seed).normal(0.0005, 0.02, (sessions, names))
    return np.asarray(50.0 * np.exp(np.cumsum(steps, axis=0)), dtype=np.float64)


def wilder(values: list[float], period: int = 14) -> float:
    smoothed = sum(values[:period]) / period
    for value in values[period:]:
        smoothed = (smoothed * (period - 1) + value) / period
    return smoothed


def test_every_feature_equals_the_plain_reference() -> None:
    data = panel(walk(90, 3, seed=5))
    for column, symbol in enumerate(data.symbols):
        close = [float(value) for value in data.close[-WINDOW:, column]]
        high = [float(value) for value in data.high[-WINDOW:, column]]
        low = [float(value) for value in data.low[-WINDOW:, column]]
        changes = [after - before for before, after in itertools.pairwise(close)]
        gain, loss = wilder([max(one, 0) for one in changes]), wilder([max(-one, 0) for one in changes])
        ranges = [max(high[i], close[i - 1]) - min(low[i], close[i - 1]) for i in range(1, WINDOW)]
        logs = [math.log(after / before) for before, after in itertools.pairwise(close[-21:])]
        expected = {
            "close": close[-1],
            "sma_20": statistics.fmean(close[-20:]),
            "sma_50": statistics.fmean(close[-50:]),
            "high_55": max(high[-56:-1]),
            "momentum_60": close[-1] / close[-61] - 1,
            "zscore_20": (close[-1] - statistics.fmean(close[-20:])) / statistics.pstdev(close[-20:]),
            "rsi_14": 100 - 100 / (1 + gain / loss),
            "atr_14": wilder(ranges),
            "volatility_20": statistics.stdev(logs) * math.sqrt(252),
            "adv_20": statistics.fmean(close[-20:]) * 1_000_000,
        }
        found = compute(data)[symbol].model_dump(exclude={"symbol"})
        assert found == pytest.approx(expected, rel=1e-8)


def test_a_longer_panel_gives_the_same_features() -> None:
    closes = walk(130, 4, seed=1)
    long, short = compute(panel(closes)), compute(panel(closes[-WINDOW - 1 :]))
    assert long == short
    assert len(long) == 4


def test_short_history_gives_nothing_at_all() -> None:
    assert compute(panel(walk(WINDOW - 1, 2, seed=2))) == {}
    assert len(compute(panel(walk(WINDOW, 2, seed=2)))) == 2


@pytest.mark.parametrize("broken", [math.nan, 0.0, -1.0, math.inf])
@pytest.mark.parametrize("row", [-1, -WINDOW])
def test_a_gap_in_the_window_leaves_only_that_symbol_out(broken: float, row: int) -> None:
    closes = walk(100, 3, seed=3)
    data = panel(closes)
    data.low[row, 1] = broken
    assert set(compute(data)) == {"S0", "S2"}


def test_a_gap_before_the_window_does_not_matter() -> None:
    data = panel(walk(100, 1, seed=3))
    data.close[-WINDOW - 1, 0] = math.nan
    assert set(compute(data)) == {"S0"}


def test_a_missing_volume_leaves_the_symbol_out() -> None:
    data = panel(walk(70, 2, seed=3))
    data.volume[-5, 0] = math.nan
    assert set(compute(data)) == {"S1"}


def test_a_price_that_never_moved_is_left_out() -> None:
    closes = walk(70, 2, seed=4)
    closes[:, 0] = 10.0
    assert set(compute(panel(closes, spread=0.0))) == {"S1"}


def test_only_rises_give_an_rsi_of_one_hundred() -> None:
    closes = np.linspace(10, 20, 70).reshape(-1, 1)
    assert compute(panel(closes))["S0"].rsi_14 == 100


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_ratios_do_not_depend_on_the_share_basis(seed: int, factor: float) -> None:
    closes = walk(70, 2, seed)
    plain, scaled = compute(panel(closes)), compute(panel(closes * factor))
    for symbol, item in plain.items():
        other = scaled[symbol]
        assert 0 <= item.rsi_14 <= 100
        assert other.momentum_60 == pytest.approx(item.momentum_60, rel=1e-6, abs=1e-8)
        assert other.zscore_20 == pytest.approx(item.zscore_20, rel=1e-6, abs=1e-8)
        assert other.rsi_14 == pytest.approx(item.rsi_14, rel=1e-6)
        assert other.atr_14 == pytest.approx(item.atr_14 * factor, rel=1e-6)


def test_four_hundred_names_take_a_fraction_of_a_second() -> None:
    data = panel(walk(130, 400, seed=9))
    compute(data)
    started = time.perf_counter()
    assert len(compute(data)) == 400
    assert time.perf_counter() - started < 0.25
