"""Cutting a panel out of whole grids of raw bars, adjusted as of the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tools.canonical import instant_text
from tools.data.adjust import Adjustment
from tools.data.sessions import Schedule
from tools.data.types import Panel
from tools.data.universe import unknown_symbol
from tools.errors import DataError


def adjusted_panel(
    schedule: Schedule,
    columns: Mapping[str, int],
    fields: Sequence[NDArray[np.float64]],
    adjustments: Sequence[Adjustment],
    as_of: datetime,
    lookback: int,
    symbols: Sequence[str] | None,
) -> Panel:
    """The last `lookback` sessions closed at `as_of`; `fields` are open, high, low, close, volume of shape (S, N).

    An action is in effect from the open of its ex-date, so that at an open tick the panel compares with that tick's
    opening prices. DataError with code `invalid_lookback`, `no_closed_session` or `unknown_symbol`.
    """
    if lookback < 1:
        raise DataError(f"lookback is {lookback} sessions; ask for at least 1", code="invalid_lookback")
    end = schedule.closed(as_of)
    if not end:
        raise DataError(
            f"no session had closed at {instant_text(as_of)}; the first closes at "
            f"{instant_text(schedule.sessions[0].closes)}",
            code="no_closed_session",
        )
    start = max(0, end - lookback)
    names, chosen = _select(columns, symbols)
    grids = [grid[start:end, chosen].copy() for grid in fields]
    opened = schedule.opened(as_of)
    for item in adjustments:
        if start < item.row < opened and item.action.known_at <= as_of and item.action.symbol in names:
            column, rows = names[item.action.symbol], min(item.row, end) - start
            for grid in grids[:4]:
                grid[:rows, column] *= item.price
            grids[4][:rows, column] *= item.volume
    return Panel(schedule.days[start:end], tuple(names), *grids)


def _select(
    columns: Mapping[str, int], symbols: Sequence[str] | None
) -> tuple[Mapping[str, int], list[int] | slice[None, None, None]]:
    if symbols is None:
        return columns, slice(None)
    for symbol in symbols:
        if symbol not in columns:
            raise unknown_symbol(symbol, tuple(columns))
    names = {symbol: position for position, symbol in enumerate(dict.fromkeys(symbols))}
    return names, [columns[symbol] for symbol in names]
