"""Falls of an equity curve from its running peak."""

from __future__ import annotations

import numpy as np

from tools.risk.measures.types import Array, Drawdown, NotEnough, figure


def drawdown(equity: Array) -> Drawdown | NotEnough:
    """Measure an equity curve (T,), oldest first, all values positive.

    d[t] = 1 - e[t] / max_{u <= t} e[u]. A session is under water when it closed below the peak; the durations count
    such sessions in a row.
    """
    sound = np.isfinite(equity) & (equity > 0)
    if not len(equity) or not sound.all():
        return NotEnough(
            needed=1, available=int(sound.sum()), message="drawdown needs a whole curve of positive equity"
        )
    falls = 1.0 - equity / np.maximum.accumulate(equity)
    longest = current = 0
    for under in falls > 0:
        current = current + 1 if under else 0
        longest = max(longest, current)
    return Drawdown(
        current=figure(falls[-1]), maximum=figure(falls.max()), sessions_under_water=current,
        longest_under_water=longest, window_sessions=len(equity),
    )  # fmt: skip
