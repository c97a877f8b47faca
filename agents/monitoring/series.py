"""What a series of one fact says, session by session: pure functions, oldest value first, the newest last.

Each needs a stated number of sessions and returns None before it: too short a history is no opinion. Spreads are
robust: 1.4826 times the median absolute deviation (MAD), the standard deviation of a normal sample. No spread is
smaller than the `floor` that a fact is given, so that a series that never moved has no alarm in its last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from statistics import median
from typing import NamedTuple

MAD_TO_SIGMA = 1.4826
SAME_WEEKDAYS = 8
"""Values of the same weekday that the seasonal rule needs: some forty sessions."""
UNUSUAL = 3.5
"""Robust z beyond which a value is unusual (Iglewicz and Hoaglin 1993)."""
REFERENCE = 30
"""Sessions that say what is normal, before the change-point rule looks: six of each weekday."""
SLACK = 1.0
DECISION = 8.0
CAP = 4.0


class Unusual(NamedTuple):
    """A value against others of its weekday; `z` is in robust standard deviations, signed."""

    z: float
    median: float
    spread: float
    sessions: int

    @property
    def fires(self) -> bool:
        return abs(self.z) > UNUSUAL


class Shift(NamedTuple):
    """The CUSUM at the newest value: its sum, what was normal, the median since it began to rise, and for how long."""

    score: float
    before: float
    after: float
    sessions: int

    @property
    def fires(self) -> bool:
        return self.score > DECISION


def held(values: Sequence[float], enter: float, leave: float) -> bool:
    """Threshold with hysteresis: on above `enter`, off at or below `leave`, unchanged between the two."""
    on = False
    for value in values:
        on = value > (leave if on else enter)
    return on


def repeated(values: Sequence[float], level: float, window: int) -> int:
    """How many of the newest `window` values are at `level` or above it."""
    return sum(value >= level for value in values[-window:])


def unusual(days: Sequence[date], values: Sequence[float], floor: float) -> Unusual | None:
    """The newest value against earlier ones of its weekday: z = (x - median) / max(1.4826 MAD, floor).

    Modified z-score after Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993). None before
    SAME_WEEKDAYS earlier values.
    """
    if not values:
        return None
    alike = [v for day, v in zip(days[:-1], values[:-1], strict=True) if day.weekday() == days[-1].weekday()]
    if len(alike) < SAME_WEEKDAYS:
        return None
    centre = median(alike)
    spread = max(MAD_TO_SIGMA * median(abs(v - centre) for v in alike), floor)
    return Unusual((values[-1] - centre) / spread, centre, spread, len(alike))


def shift(days: Sequence[date], values: Sequence[float], floor: float, direction: int = 1) -> Shift | None:
    """One-sided CUSUM of the values after the first REFERENCE ones, `direction` 1 for a rise and -1 for a fall.

    S_t = min(2 h, max(0, S_t-1 + min(z_t, CAP) - k)), z_t the distance to the weekday's median in the reference in
    robust standard deviations; it fires while S > h. Page, "Continuous inspection schemes", Biometrika 41 (1954);
    k = SLACK, h = DECISION. z is capped so that no single value fires (that is the seasonal rule's), S at 2 h so
    that a shift that is over is forgotten within h / k sessions. None before one value follows the reference.
    """
    if len(values) <= REFERENCE:
        return None
    normal: dict[int, list[float]] = {}
    for day, value in zip(days[:REFERENCE], values[:REFERENCE], strict=True):
        normal.setdefault(day.weekday(), []).append(value)
    whole = median(values[:REFERENCE])
    centres = {weekday: median(seen) for weekday, seen in normal.items()}
    left = [abs(v - centres[d.weekday()]) for d, v in zip(days[:REFERENCE], values[:REFERENCE], strict=True)]
    spread = max(MAD_TO_SIGMA * median(left), floor)
    score, since = 0.0, len(values)
    for place in range(REFERENCE, len(values)):
        z = direction * (values[place] - centres.get(days[place].weekday(), whole)) / spread
        rose = score + min(z, CAP) - SLACK
        if score <= 0 < rose:
            since = place
        score = min(2 * DECISION, max(0.0, rose))
    recent = values[since:]
    return Shift(score, whole, median(recent) if recent else whole, len(recent))
