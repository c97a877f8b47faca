"""Measured facts held against their limits. One rule per fact name; what nobody knows is held against its own limit.

Ratios are value over limit. A warning that stands ends only at LEAVE of where it began, so that what hovers at a
threshold is one finding and not many; a critical one has no such slack. Only a critical drawdown recommends a halt:
text and data can be poisoned, the desk's own book cannot (P13).
"""

from __future__ import annotations

from agents.monitoring.finding import found, ratio_of
from agents.monitoring.series import held
from agents.opinion import HealthFact, MonitoringBrief
from tools.types import Finding, Severity

DRAWDOWN_WARNING = 0.5
DRAWDOWN_CRITICAL = 0.8
CONCENTRATION_WARNING = 0.9
ABSTENTION_WARNING = 0.2
ABSTENTION_CRITICAL = 0.5
AGE_CRITICAL = 2.0
BUDGET_WARNING = 0.8
SILENT_CRITICAL = 10.0
LEAVE = 0.9

QUALITY = "quality:"
QUALITY_SEVERITY: dict[str, Severity] = {
    "missing_session": "warning", "missing_bar": "warning", "repaired_bar": "info", "zero_volume": "info",
    "frozen_price": "warning", "unexplained_jump": "warning", "stale_series": "info",
}  # fmt: skip


def judge(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    """Turn one fact into a finding, or None when it is in order."""
    match fact.name:
        case "data_age_hours":
            return _data_age(fact, brief)
        case "drawdown":
            return _drawdown(fact, brief)
        case "largest_position" | "largest_sector":
            return _concentration(fact, brief)
        case "abstention_share":
            return _abstentions(fact, brief)
        case "tokens_share":
            return _budget(fact, brief)
        case "silent_s":
            return _silent(fact, brief)
        case "look_lost":
            return _tired(fact, brief)
        case "degraded":
            return _degraded(fact, brief)
        case name if name.startswith(QUALITY):
            return _quality(fact, brief)
        case _:
            return _other(fact, brief)


def _beyond(fact: HealthFact, warning: float) -> bool:
    """Above `warning` of the limit now, or above it before and not yet back below LEAVE of that."""
    scale = 1.0 if fact.limit is None else fact.limit
    return held(fact.values, warning * scale, warning * scale * LEAVE)


def _data_age(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = ratio_of(fact)
    if ratio is None or not _beyond(fact, 1.0):
        return None
    return found(
        brief, fact, "data_old", "critical" if ratio > AGE_CRITICAL else "warning",
        f"Data are {fact.value:.1f} hours old, older than the {fact.limit:.0f} hours allowed.",
        "Check the collector and its source; nothing new is opened on old data.",
    )  # fmt: skip


def _drawdown(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = ratio_of(fact)
    if ratio is None or not _beyond(fact, DRAWDOWN_WARNING):
        return None
    critical = ratio > DRAWDOWN_CRITICAL
    return found(
        brief, fact, "drawdown", "critical" if critical else "warning",
        f"Drawdown is {fact.value * 100:.2f} % of the peak, with a limit of {(fact.limit or 0) * 100:.2f} %.",
        "Halt new risk until a person has looked at the book." if critical else "Review open positions and sizes.",
        halt=critical,
    )  # fmt: skip


def _concentration(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio, what = ratio_of(fact), fact.name.removeprefix("largest_")
    about = f" ({fact.about})" if fact.about else ""
    if ratio is None or not _beyond(fact, CONCENTRATION_WARNING):
        return None
    return found(
        brief, fact, "concentration", "critical" if ratio > 1 else "warning",
        f"The largest {what}{about} is {fact.value * 100:.2f} % of equity, with a limit of "
        f"{(fact.limit or 0) * 100:.2f} %.",
        f"Reduce the {what}, or leave it out of what is bought next.",
        component=fact.component if what == "position" else f"{fact.component}.{what}",
    )  # fmt: skip


def _abstentions(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    if not _beyond(fact, ABSTENTION_WARNING if fact.limit is None else 1.0):
        return None
    return found(
        brief, fact, "abstentions", "critical" if fact.value > ABSTENTION_CRITICAL else "warning",
        f"{fact.value * 100:.1f} % of reviews were abstentions.",
        "Look at the model endpoint and its budget; what got no opinion stays blocked.",
    )  # fmt: skip


def _budget(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    if not _beyond(fact, BUDGET_WARNING):
        return None
    return found(
        brief, fact, "budget", "critical" if fact.value >= 1 else "warning",
        f"{fact.value * 100:.1f} % of the run's tokens are used.",
        "Raise the budget or use fewer calls; when it is spent every review is an abstention.",
    )  # fmt: skip


def _silent(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = ratio_of(fact)
    if ratio is None or ratio <= 1:
        return None
    return found(
        brief, fact, "component_silent", "critical" if ratio > SILENT_CRITICAL else "warning",
        f"The {fact.component} has said nothing for {fact.value:.0f} s, with a limit of {fact.limit:.0f} s.",
        "See whether it is busy or stopped, with `quarterdeck doctor` and its log; halting works without it.",
    )  # fmt: skip


def _tired(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    if not _beyond(fact, 1.0):
        return None
    return found(
        brief, fact, "fatigue", "warning",
        f"{fact.about or 'Somebody'} looks {fact.value * 100:.0f} % shorter before the latest answers of the day than "
        "before its first.",
        "Give them a pause or a second person, and look at their latest approvals.", component=f"{fact.component}.day",
    )  # fmt: skip


def _degraded(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    if fact.value <= 0:
        return None
    return found(
        brief, fact, "degraded", "warning", f"{fact.component.capitalize()} is not available.",
        "Run `quarterdeck doctor`; decisions go on without it.",
    )  # fmt: skip


def _quality(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    code = fact.name.removeprefix(QUALITY)
    words = code.replace("_", " ")
    where = f" in {fact.symbol}" if fact.symbol else ""
    against = "" if fact.limit is None else f" against {fact.limit:g}"
    return found(
        brief, fact, "data_quality", QUALITY_SEVERITY.get(code, "warning"),
        f"Data quality: {words}{where}, {fact.value:.4g}{against} {fact.unit}.",
        "Compare with a second source before relying on it; nothing was repaired silently.",
        component=f"{fact.component}.{code}",
    )  # fmt: skip


def _other(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = ratio_of(fact)
    if ratio is None or ratio <= 1:
        return None
    return found(
        brief, fact, "over_limit", "warning",
        f"{fact.name.replace('_', ' ').capitalize()} is {fact.value:.4g}, over its limit {fact.limit:g} {fact.unit}.",
        "Find out what changed; no rule knows this fact.", component=f"{fact.component}.{fact.name}",
    )  # fmt: skip
