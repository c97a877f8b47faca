"""Put past prices on today's share basis, as of the clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.data.types import CorporateAction
from tools.errors import ConfigError


@dataclass(frozen=True)
class Adjustment:
    """Factors for every row before `row` of one column, once the action is in effect.

    With c the last raw close before the ex-date: price = (c - cash) / (c * ratio); volume = ratio.
    The price factor is the usual back-adjustment (CRSP's cumulative factor to adjust price); a cash distribution
    changes no share count, so it leaves volume alone.
    """

    action: CorporateAction
    row: int
    column: int
    price: float
    volume: float


def adjustment(action: CorporateAction, row: int, column: int, close: NDArray[np.float64]) -> Adjustment:
    """Factors of one action whose ex-date is session `row`; `close` holds raw closes of shape (S, N).

    ConfigError with code `action_implausible` when the distribution would exceed the price.
    """
    if row == 0:
        return Adjustment(action, row, column, 1.0, float(action.ratio))
    last = float(close[row - 1, column])
    rest = last - float(action.cash)
    if rest <= 0:
        raise ConfigError(
            f"{action.symbol} distributes {action.cash} on {action.ex_date} but closed at {last:g} before; "
            "correct corporate_actions.yaml",
            code="action_implausible",
        )
    return Adjustment(action, row, column, rest / (last * float(action.ratio)), float(action.ratio))
