"""Which names move together: correlation of daily returns over a window of closed sessions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from tools.data.types import Panel

WINDOW = 60
"""Sessions of returns; a panel with fewer gives no groups, and what is missing blocks."""

Groups = Mapping[str, frozenset[str]]


def correlated(panel: Panel, threshold: float) -> Groups:
    """For every symbol the names whose correlation with it is at or above `threshold`, itself among them.

    Pearson correlation of the last 60 daily log returns of close. Not transitive: each name has its own group. A name
    whose prices do not move, or are missing in the window, has no group and is left out.
    """
    if panel.close.shape[0] < WINDOW + 1:
        return {}
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        returns = np.diff(np.log(panel.close[-(WINDOW + 1) :]), axis=0)
        matrix = np.corrcoef(returns, rowvar=False).reshape(len(panel.symbols), len(panel.symbols))
    usable = np.isfinite(np.diagonal(matrix))
    together = np.round(matrix, 10) >= threshold
    return {
        symbol: frozenset({symbol, *(panel.symbols[other] for other in np.flatnonzero(together[index] & usable))})
        for index, symbol in enumerate(panel.symbols)
        if usable[index]
    }


def within(groups: Groups | None, symbol: str, book: AbstractSet[str]) -> tuple[str, ...] | None:
    """The group of a symbol as far as it is in the book, itself among them, by name; None when it has none."""
    group = groups.get(symbol) if groups is not None else None
    return None if group is None else tuple(sorted({symbol} | (group & book)))
