"""Facts held against their own history: often near a limit, unusual for the weekday, or shifted for good.

One row of WATCHED per fact. A shift is a warning; an unusual session is for information, and so are sizes that meet a
limit again and again: a sizer that is capped there does so by design, until it shifts. What has no row has no trend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agents.monitoring import series
from agents.monitoring.finding import found, ratio_of
from agents.monitoring.output import FindingCode
from agents.opinion import HealthFact, MonitoringBrief
from tools.types import Finding

NEAR_LIMIT = "near_limit:"
REPEATED_WINDOW = 20
REPEATED_TIMES = 10
REPEATED_SHARE = 0.5


class Watched(NamedTuple):
    """How a fact is watched. A spread is at least `floor`, in the fact's unit, and `relative` times its median.

    `direction`: 1 a rise, -1 a fall, 0 either. Below `gate` of its limit nothing is said.
    """

    code: FindingCode
    what: str
    remedy: str
    floor: float
    relative: float = 0.0
    direction: int = 1
    gate: float = 0.0
    part: bool = False


_CREEP = "Look at what is bought next; nothing has to be sold yet."
WATCHED: Mapping[str, Watched] = {
    "largest_position": Watched(
        "concentration_creep", "the share of the largest position", _CREEP, 0.002, gate=0.6),
    "largest_sector": Watched(
        "concentration_creep", "the share of the largest sector", _CREEP, 0.01, gate=0.6),
    "abstention_share": Watched(
        "abstentions", "the share of abstentions", "Look at the model endpoint and what the briefs lack.", 0.05),
    "dissent_share": Watched(
        "dissent", "the share of reviews on which model and rules differ",
        "Read the latest of them: a model, a prompt or the market has changed.", 0.05),
    "veto_share": Watched(
        "vetoes", "the share of vetoes", "Read the latest reviews: strategies or reviewer have changed.", 0.10,
        direction=0),
    "brief_chars": Watched(
        "brief_length", "the length of the brief", "See what fills it; long briefs cost tokens and hide evidence.",
        1.0, 0.25),
    "prompt_tokens": Watched(
        "prompt_length", "the mean length of a prompt", "See what fills it before the budget is spent.", 1.0, 0.15),
    "tokens_used": Watched(
        "budget", "the tokens of a session", "See which calls grew; a spent budget is an abstention.", 1.0, 0.25,
        part=True),
    "quality_issues": Watched(
        "data_quality", "the number of data quality issues", "Compare the source with a second one.", 3.0, part=True),
    "seconds_looked": Watched(
        "fatigue", "the time they look before they answer",
        "Give them a pause or a second person, and look at their latest approvals.", 2.0, 0.25, direction=-1),
    "answers": Watched(
        "fatigue", "the number of answers a day", "Spread the questions over more people, or ask fewer.", 3.0, 0.25,
        part=True),
}  # fmt: skip
_NEAR = Watched(
    "near_limit", "the share of proposals near this limit",
    "See why sizes come so close to it; the limit stays where it is.", 0.10,
)  # fmt: skip


def judge(fact: HealthFact, brief: MonitoringBrief) -> Iterator[Finding]:
    """What the history of one fact says; nothing while it is too short."""
    watched = _NEAR if fact.name.startswith(NEAR_LIMIT) else WATCHED.get(fact.name)
    ratio = ratio_of(fact)
    if watched is None or (watched.gate and (ratio is None or ratio < watched.gate)):
        return
    where = f"{fact.component}.{fact.name.removeprefix(NEAR_LIMIT)}" if watched is _NEAR or watched.part else None
    if watched is _NEAR:
        yield from _repeated(fact, brief, where)
    days = [*(point.session for point in fact.history), fact.session or brief.as_of.date()]
    middle = sorted(fact.values)[len(fact.values) // 2]
    floor = max(watched.floor, watched.relative * abs(middle))
    odd = series.unusual(days, fact.values, floor)
    if odd is not None and odd.fires and odd.z * watched.direction >= 0:
        yield found(
            brief, fact, watched.code, "info",
            f"{_subject(fact, watched)} is {_shown(fact.value, fact.unit)}, unusual against a median of "
            f"{_shown(odd.median, fact.unit)} on {odd.sessions} sessions of the same weekday: {odd.z:.1f} robust "
            "standard deviations.",
            watched.remedy, rule="unusual", component=where, before=odd.median, spread=odd.spread,
            z=round(odd.z, 1), sessions=odd.sessions,
        )  # fmt: skip
    for direction in (watched.direction,) if watched.direction else (1, -1):
        moved = series.shift(days, fact.values, floor, direction)
        if moved is not None and moved.fires:
            yield found(
                brief, fact, watched.code, "warning",
                f"{_subject(fact, watched)} {'rose' if direction > 0 else 'fell'} from "
                f"{_shown(moved.before, fact.unit)} to {_shown(moved.after, fact.unit)} in {moved.sessions} sessions.",
                watched.remedy, rule="shift", component=where, before=moved.before, after=moved.after,
                score=round(moved.score, 2), sessions=moved.sessions,
            )  # fmt: skip


def _repeated(fact: HealthFact, brief: MonitoringBrief, where: str | None) -> Iterator[Finding]:
    times = series.repeated(fact.values, REPEATED_SHARE, REPEATED_WINDOW)
    if times < REPEATED_TIMES:
        return
    control = fact.name.removeprefix(NEAR_LIMIT).replace("_", " ")
    yield found(
        brief, fact, "near_limit", "info",
        f"In {times} of the last {min(len(fact.values), REPEATED_WINDOW)} sessions a large part of the proposals came "
        f"near the limit {control}.",
        _NEAR.remedy, rule="repeated", component=where, sessions=times,
        window=min(len(fact.values), REPEATED_WINDOW),
    )  # fmt: skip


def _subject(fact: HealthFact, watched: Watched) -> str:
    control = f" ({fact.name.removeprefix(NEAR_LIMIT).replace('_', ' ')})" if watched is _NEAR else ""
    about = f" ({fact.about})" if fact.about else ""
    return f"{watched.what[0].upper()}{watched.what[1:]}{control}{about}"


def _shown(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value * 100:.2f} %"
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.4g} {unit}"
