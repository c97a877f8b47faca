"""How the learning agent summarises a scope of outcomes."""

from __future__ import annotations

from typing import Literal

from tools.types import Frozen

Reading = Literal["not_enough_data", "not_distinguishable", "better", "worse"]


class Sample(Frozen):
    """Excess returns of one scope: size, mean and, from two on, the t-interval of the mean (fractions)."""

    size: int
    mean: float | None
    low: float | None
    high: float | None
    reading: Reading
