"""From prices and weights to returns, and the gate that refuses what is too short or has gaps."""

from __future__ import annotations

import numpy as np

from tools.risk.measures.types import Array, Book, History, NotEnough


def simple_returns(prices: Array) -> Array:
    """Return `p[t] / p[t-1] - 1` of prices (T, N) or (T,): one row less. NaN where a price is missing or below zero."""
    sound = np.where(prices > 0, prices, np.nan)
    result: Array = sound[1:] / sound[:-1] - 1.0
    return result


def book_returns(book: Book, history: History) -> Array | NotEnough:
    """Return what today's weights would have earned each session, shape (T,), as fractions of today's equity.

    `r[t] = sum_i w_i * r_i[t]` with fixed weights (historical simulation of the present book); cash earns nothing.
    An empty book earns zero.
    """
    found = history.of([item.symbol for item in book.holdings])
    if isinstance(found, NotEnough):
        return found
    weights = np.array([book.weight(item) for item in book.holdings], dtype=np.float64)
    result: Array = found @ weights if len(weights) else np.zeros(len(history.sessions))
    return result


def refuse(values: Array, needed: int, what: str) -> NotEnough | None:
    """None when `values` (T,) or (T, N) has at least `needed` rows and no gap; else why it cannot be measured."""
    whole = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    rows, sound = len(values), int(whole.sum())
    if rows >= needed and sound == rows:
        return None
    why = f"{rows - sound} of {rows} have a gap" if sound < rows else f"there are {rows}"
    return NotEnough(needed=needed, available=sound, message=f"{what} needs {needed} whole sessions; {why}")
