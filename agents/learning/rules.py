"""Mean excess return per strategy and disposition, with a t-interval, and nothing claimed from too little."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from agents.learning.output import Reading, Sample
from agents.opinion import LearningBrief
from tools.canonical import round_float, stable_id
from tools.types import Lesson, Outcome

ENOUGH = 20
CONFIDENCE = 0.95


def sample(returns: Sequence[float]) -> Sample:
    """Summarise excess returns (fractions).

    The interval is mean -/+ t(0.975, n - 1) * s / sqrt(n), Student 1908, with s the sample standard deviation.
    It takes the outcomes as independent, which overlapping horizons are not: it is narrower than the truth.
    """
    size = len(returns)
    if size < 2:
        mean = round_float(returns[0]) if returns else None
        return Sample(size=size, mean=mean, low=None, high=None, reading="not_enough_data")
    from scipy.stats import t

    mean = fmean(returns)
    reach = float(t.ppf(0.5 + CONFIDENCE / 2, size - 1)) * stdev(returns) / sqrt(size)
    low, high = mean - reach, mean + reach
    reading: Reading = "not_distinguishable"
    if size < ENOUGH:
        reading = "not_enough_data"
    elif low > 0:
        reading = "better"
    elif high < 0:
        reading = "worse"
    return Sample(size=size, mean=round_float(mean), low=round_float(low), high=round_float(high), reading=reading)


def lesson(scope: tuple[str, str], outcomes: Sequence[Outcome], brief: LearningBrief) -> Lesson:
    """One quarantined lesson about a strategy and a disposition; outcomes are settled ones of that scope."""
    strategy, disposition = scope
    ordered = sorted(outcomes, key=lambda item: item.id)
    found = sample([item.excess_return for item in ordered if item.excess_return is not None])
    name = f"strategy:{strategy}/disposition:{disposition}"
    return Lesson(
        id=stable_id("les", brief.run_id, name, [item.id for item in ordered]),
        scope=name,
        claim=_claim(strategy, disposition, found, ordered, brief),
        sample_size=found.size,
        mean_excess_return=found.mean,
        interval_low=found.low,
        interval_high=found.high,
        evidence_ids=_evidence_ids(ordered, brief),
        as_of=brief.as_of,
        enough_data=found.reading != "not_enough_data",
    )


def _claim(strategy: str, disposition: str, found: Sample, outcomes: Sequence[Outcome], brief: LearningBrief) -> str:
    what = f"{strategy}, {disposition.replace('_', ' ')}"
    if found.mean is None or found.low is None or found.high is None:
        text = f"{what}: not enough data, {found.size} settled outcomes."
    else:
        figures = (
            f"{found.size} settled outcomes, mean excess return {_percent(found.mean)}, "
            f"95 % interval {_percent(found.low)} to {_percent(found.high)}"
        )
        meaning = {
            "not_enough_data": f"not enough data, fewer than {ENOUGH} outcomes",
            "not_distinguishable": "not significant, the interval holds zero",
            "better": "better than the index over its horizon",
            "worse": "worse than the index over its horizon",
        }[found.reading]
        text = f"{what}: {figures}; {meaning}. Overlapping horizons make the interval too narrow."
    reasons = sum(item.case_id in brief.reasons for item in outcomes)
    return f"{text} People gave a reason in {reasons} of these cases." if reasons else text


def _percent(value: float) -> str:
    return f"{value * 100:+.2f} %"


def _evidence_ids(outcomes: Sequence[Outcome], brief: LearningBrief) -> tuple[str, ...]:
    """Ids of the outcome evidence; an outcome without evidence is cited by its own id."""
    by_outcome = {item.payload.get("id"): item.id for item in brief.evidence if item.kind == "outcome"}
    return tuple(by_outcome.get(item.id, item.id) for item in outcomes)
