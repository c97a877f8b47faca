"""Features of a whole panel at once. A symbol with a gap in its window is left out; nothing is invented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.canonical import round_float
from tools.data.types import Panel
from tools.strategy.types import Features

WINDOW = 61
"""Sessions read. Exactly the last 61, so that a longer panel gives the same values."""

WILDER_PERIOD = 14
TRADING_DAYS = 252

Matrix = NDArray[np.float64]
Row = NDArray[np.float64]


def wilder_smooth(values: Matrix, period: int = WILDER_PERIOD) -> Row:
    """Smooth (T, N) values down the sessions and return the last row, shape (N,).

    Seeded with the mean of the first `period` rows, then `s = s + (x - s) / period`
    (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978).
    """
    smoothed: Row = values[:period].mean(axis=0)
    for row in values[period:]:
        smoothed = smoothed + (row - smoothed) / period
    return smoothed


def true_range(high: Matrix, low: Matrix, close: Matrix) -> Matrix:
    """True range from the second session on: (T, N) prices give (T - 1, N), in price units."""
    before = close[:-1]
    return np.maximum(high[1:], before) - np.minimum(low[1:], before)


def rsi(close: Matrix, period: int = WILDER_PERIOD) -> Row:
    """Wilder's RSI in [0, 100] of (T, N) closes; NaN where the price never moved."""
    change = np.diff(close, axis=0)
    gain = wilder_smooth(np.maximum(change, 0.0), period)
    loss = wilder_smooth(np.maximum(-change, 0.0), period)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Row = 100.0 * gain / (gain + loss)
    return result


def compute(panel: Panel) -> dict[str, Features]:
    """Return the features of every symbol whose last 61 sessions are whole, in panel order.

    Conventions: the z-score uses the population deviation (ddof 0), volatility the sample one (ddof 1);
    `high_55` is the highest high of the 55 sessions before the last one, so that a close can exceed it.
    Left out: a symbol with a NaN, a price of zero or below, or a window without any movement.
    """
    if len(panel.sessions) < WINDOW:
        return {}
    opened, high, low, close, volume = (
        array[-WINDOW:] for array in (panel.open, panel.high, panel.low, panel.close, panel.volume)
    )
    prices = np.stack((opened, high, low, close))
    usable = np.isfinite(prices).all(axis=(0, 1)) & (prices > 0).all(axis=(0, 1)) & np.isfinite(volume).all(axis=0)
    columns = np.flatnonzero(usable)
    if columns.size == 0:
        return {}
    table = _table(high[:, columns], low[:, columns], close[:, columns], volume[:, columns])
    moving = np.isfinite(np.stack(tuple(table.values()))).all(axis=0) & (table["atr_14"] > 0)
    return {
        panel.symbols[column]: Features(
            symbol=panel.symbols[column], **{name: round_float(float(row[at])) for name, row in table.items()}
        )
        for at, column in enumerate(columns)
        if moving[at]
    }


def _table(high: Matrix, low: Matrix, close: Matrix, volume: Matrix) -> dict[str, Row]:
    last = close[-1]
    sma_20 = close[-20:].mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        zscore = (last - sma_20) / close[-20:].std(axis=0)
    return {
        "close": last,
        "sma_20": sma_20,
        "sma_50": close[-50:].mean(axis=0),
        "high_55": high[-56:-1].max(axis=0),
        "momentum_60": last / close[-61] - 1.0,
        "zscore_20": zscore,
        "rsi_14": rsi(close),
        "atr_14": wilder_smooth(true_range(high, low, close)),
        "volatility_20": np.diff(np.log(close[-21:]), axis=0).std(axis=0, ddof=1) * np.sqrt(TRADING_DAYS),
        "adv_20": (close[-20:] * volume[-20:]).mean(axis=0),
    }
