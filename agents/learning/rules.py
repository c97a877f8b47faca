"""One lesson per scope: mean excess return with an honest interval, and nothing claimed from too little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from agents.learning.interval import Observation, blocks_of, interval_of
from agents.learning.output import Sample
from agents.learning.scopes import Scope, scopes_of
from agents.opinion import LearningBrief, SettledView, Written
from tools.canonical import content_sha256, round_float, stable_id
from tools.types import Evidence, Lesson, LessonReading

ENOUGH = 20
"""Settled outcomes below which nothing is claimed."""
ENOUGH_BLOCKS = 5
"""Horizons without overlap below which nothing is claimed, however many outcomes there are."""
ERROR_RATE = 0.05
"""Chance that any interval of one look misses its mean, over all scopes that could claim something (Bonferroni)."""
MAX_CITED = 200


def gather(views: Sequence[SettledView]) -> dict[Scope, list[SettledView]]:
    """Views by scope, scopes by name and views by id."""
    found: dict[str, tuple[Scope, list[SettledView]]] = {}
    for view in sorted(views, key=lambda item: item.id):
        for scope in scopes_of(view):
            found.setdefault(scope.name, (scope, []))[1].append(view)
    return {scope: members for _, (scope, members) in sorted(found.items())}


def is_due(views: Sequence[SettledView], before: Written | None) -> bool:
    """Whether a scope is to be written of again: the first time, with enough outcomes, with twice as many as last
    time, and with every five more horizons that do not overlap."""
    if before is None:
        return True
    size = len(views)
    if size == before.size:
        return False
    if size >= max(ENOUGH, 2 * before.size) or before.size < ENOUGH <= size:
        return True
    return _blocks(views) // ENOUGH_BLOCKS > before.blocks // ENOUGH_BLOCKS


def has_enough(views: Sequence[SettledView]) -> bool:
    """Whether a scope may claim anything, by how much there is of it and never by what it says."""
    return len(views) >= ENOUGH and _blocks(views) >= ENOUGH_BLOCKS


def sample(views: Sequence[SettledView], examined: int = 1) -> Sample:
    """Summarise excess returns of one scope, one of `examined` that had enough data when it was looked at.

    With `examined` intervals each misses its mean with probability 0.05 / examined, so that all of them together hold
    with 95 % (Bonferroni 1936). That a scope is looked at again as it grows is not corrected for: before anybody may
    promote what was found it has to hold on outcomes that came after it (its time in shadow).
    """
    alpha = ERROR_RATE / max(1, examined)
    size, blocks = len(views), _blocks(views)
    known = {"size": size, "blocks": blocks, "confidence": round_float(1 - alpha), "examined": max(1, examined)}
    if size < 2:
        mean = round_float(views[0].excess_return) if views else None
        nothing = {"effective": None, "mean": mean, "low": None, "high": None, "reading": "not_enough_data"}
        return Sample.model_validate(known | nothing)
    seen = [Observation(view.opened_index, view.excess_return) for view in views]
    found = interval_of(seen, _horizon(views), alpha)
    reading: LessonReading = "not_distinguishable"
    if not has_enough(views):
        reading = "not_enough_data"
    elif found.low > 0:
        reading = "better"
    elif found.high < 0:
        reading = "worse"
    figures = {name: round_float(value) for name, value in found._asdict().items()}
    return Sample.model_validate(known | figures | {"reading": reading})


def lesson(scope: Scope, views: Sequence[SettledView], brief: LearningBrief, examined: int) -> Lesson:
    """One quarantined lesson about a scope; `views` are its settled ones, by id."""
    ids = [view.id for view in views]
    found = sample(views, examined)
    return Lesson(
        id=stable_id("les", brief.run_id, scope.name, ids), scope=scope.name, claim=_claim(scope, found, views),
        sample_size=found.size, mean_excess_return=found.mean, interval_low=found.low, interval_high=found.high,
        evidence_ids=tuple(view.id for view in sorted(views, key=lambda v: (v.opened_index, v.id))[-MAX_CITED:]),
        as_of=brief.as_of, enough_data=found.reading != "not_enough_data", reading=found.reading,
        effective_size=found.effective, blocks=found.blocks, confidence=found.confidence,
        scopes_examined=found.examined, outcomes_sha256=content_sha256(ids),
    )  # fmt: skip


def figures_of(made: Lesson) -> dict[str, object]:
    """The figures of a lesson by the names under which explanations know their units."""
    scope = Scope.parse(made.scope)
    return {
        "lesson": made.id, "scope": made.scope, "about": scope.words if scope else made.scope,
        "n": made.sample_size, "reading": made.reading,
        "mean_excess_return": made.mean_excess_return, "interval_low": made.interval_low,
        "interval_high": made.interval_high, "confidence": made.confidence, "blocks": made.blocks,
        "effective_size": made.effective_size, "scopes_examined": made.scopes_examined,
        "enough_outcomes": ENOUGH, "enough_blocks": ENOUGH_BLOCKS,
    }  # fmt: skip


def figures_evidence(
    made: Lesson, known_at: datetime, extra: Mapping[str, object] | None = None, symbol: str | None = None
) -> Evidence:
    """The figures of a lesson as evidence, so that every number said of it has an id to resolve to."""
    payload = {**figures_of(made), **(extra or {})}
    return Evidence.of(
        "lesson", "agents.learning", payload, event_time=made.as_of, known_at=known_at, symbol=symbol, taint=made.taint
    )  # fmt: skip


def _blocks(views: Sequence[SettledView]) -> int:
    return blocks_of([view.opened_index for view in views], _horizon(views))


def _horizon(views: Sequence[SettledView]) -> int:
    return max((view.horizon_sessions for view in views), default=1)


def _claim(scope: Scope, found: Sample, views: Sequence[SettledView]) -> str:
    refused = sum(view.refused_for is not None for view in views)
    people = f" People refused {refused} of them with a reason." if refused and scope.aspect != "refused_for" else ""
    if found.mean is None or found.low is None or found.high is None:
        return f"{scope.words}: not enough data, {found.size} settled outcome{'s' * (found.size != 1)}.{people}"
    meaning = {
        "not_enough_data": f"not enough data, it takes {ENOUGH} outcomes in {ENOUGH_BLOCKS} horizons without overlap",
        "not_distinguishable": "not significant, the interval holds zero",
        "better": "better than the index over its horizon",
        "worse": "worse than the index over its horizon",
    }[found.reading]
    others = f"one of {found.examined} scopes with enough data" if found.examined > 1 else "no other scope beside it"
    return (
        f"{scope.words}: {found.size} settled outcomes in {found.blocks} horizons without overlap, mean excess return "
        f"{_percent(found.mean)}, interval {_percent(found.low)} to {_percent(found.high)} at "
        f"{found.confidence * 100:.2f} % confidence, {others}; {meaning}.{people}"
    )


def _percent(value: float) -> str:
    return f"{value * 100:+.2f} %"
