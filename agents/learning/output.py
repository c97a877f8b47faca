"""What the learning agent makes of a scope of outcomes, and what a model may add in words."""

from __future__ import annotations

from pydantic import Field

from agents.opinion import Closed
from tools.types import Frozen, LessonReading

MAX_HYPOTHESIS = 280


class Sample(Frozen):
    """Excess returns of one scope (fractions): size, mean and, from two on, the interval of the mean.

    `confidence` is that of this one interval after correction for `examined` scopes; `effective` the number of
    independent outcomes that would say as much; `blocks` the horizons without overlap that hold an opening.
    """

    size: int
    effective: float | None
    blocks: int
    mean: float | None
    low: float | None
    high: float | None
    confidence: float
    examined: int
    reading: LessonReading


class Hypothesis(Closed):
    """A model's words on figures that were computed. It names the reading it was given and adds no figure."""

    reading: LessonReading
    hypothesis: str = Field(min_length=1, max_length=MAX_HYPOTHESIS)
