"""Measured facts held against their limits. One rule per fact name; what nobody knows is held against its own limit.

Ratios are value over limit. Only a critical drawdown recommends a halt: text and data can be poisoned, the desk's
own book cannot (P13).
"""

from __future__ import annotations

from agents.monitoring.output import FindingCode
from agents.opinion import HealthFact, MonitoringBrief
from tools.canonical import stable_id
from tools.types import Finding, Severity

DRAWDOWN_WARNING = 0.5
DRAWDOWN_CRITICAL = 0.8
CONCENTRATION_WARNING = 0.9
ABSTENTION_WARNING = 0.2
ABSTENTION_CRITICAL = 0.5
AGE_CRITICAL = 2.0

QUALITY = "quality:"
QUALITY_SEVERITY: dict[str, Severity] = {
    "missing_session": "warning", "missing_bar": "warning", "repaired_bar": "info", "zero_volume": "info",
    "frozen_price": "warning", "unexplained_jump": "warning", "stale_series": "info",
}  # fmt: skip

_ORDER: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


def judge(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    """Turn one fact into a finding, or None when it is in order."""
    match fact.name:
        case "data_age_hours":
            return _data_age(fact, brief)
        case "drawdown":
            return _drawdown(fact, brief)
        case "largest_position":
            return _concentration(fact, brief)
        case "abstention_share":
            return _abstentions(fact, brief)
        case "engine_lag_s":
            return _lag(fact, brief)
        case "degraded":
            return _degraded(fact, brief)
        case name if name.startswith(QUALITY):
            return _quality(fact, brief)
        case _:
            return _other(fact, brief)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Critical before warning before info; ties by code, component and symbol."""
    return sorted(findings, key=lambda f: (-_ORDER[f.severity], f.code, f.component, f.symbol or ""))


def merge(findings: list[Finding]) -> list[Finding]:
    """Keep one finding per code, component and symbol: the worst, with the evidence of all."""
    kept: dict[str, Finding] = {}
    for item in worst_first(findings):
        known = kept.get(item.id)
        if known is None:
            kept[item.id] = item
            continue
        evidence = tuple(dict.fromkeys((*known.evidence_ids, *item.evidence_ids)))
        kept[item.id] = known.model_copy(update={"evidence_ids": evidence})
    return list(kept.values())


def _ratio(fact: HealthFact) -> float | None:
    """Value over limit; None without a limit, infinite for anything above a limit of zero."""
    if fact.limit is None:
        return None
    if fact.limit == 0:
        return float("inf") if fact.value > 0 else 0.0
    return fact.value / fact.limit


def _data_age(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = _ratio(fact)
    if ratio is None or ratio <= 1:
        return None
    return _finding(
        brief, fact, "data_old", "critical" if ratio > AGE_CRITICAL else "warning",
        f"Data are {fact.value:.1f} hours old, older than the {fact.limit:.0f} hours allowed.",
        "Check the collector and its source; nothing new is opened on old data.",
    )  # fmt: skip


def _drawdown(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = _ratio(fact)
    if ratio is None or ratio <= DRAWDOWN_WARNING:
        return None
    critical = ratio > DRAWDOWN_CRITICAL
    return _finding(
        brief, fact, "drawdown", "critical" if critical else "warning",
        f"Drawdown is {fact.value * 100:.2f} % of the peak, with a limit of {(fact.limit or 0) * 100:.2f} %.",
        "Halt new risk until a person has looked at the book." if critical else "Review open positions and sizes.",
        halt=critical,
    )  # fmt: skip


def _concentration(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = _ratio(fact)
    if ratio is None or ratio <= CONCENTRATION_WARNING:
        return None
    return _finding(
        brief, fact, "concentration", "critical" if ratio > 1 else "warning",
        f"The largest position is {fact.value * 100:.2f} % of equity, with a limit of {(fact.limit or 0) * 100:.2f} %.",
        "Reduce the position, or leave it out of what is bought next.",
    )  # fmt: skip


def _abstentions(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    warning = ABSTENTION_WARNING if fact.limit is None else fact.limit
    if fact.value <= warning:
        return None
    return _finding(
        brief, fact, "abstentions", "critical" if fact.value > ABSTENTION_CRITICAL else "warning",
        f"{fact.value * 100:.1f} % of reviews were abstentions.",
        "Look at the model endpoint and its budget; what got no opinion stays blocked.",
    )  # fmt: skip


def _lag(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = _ratio(fact)
    if ratio is None or ratio <= 1:
        return None
    return _finding(
        brief, fact, "engine_lag", "critical" if ratio > 10 else "warning",
        f"The engine is {fact.value:.1f} s behind, with a limit of {fact.limit:.1f} s.",
        "See whether the engine is busy or stopped; halting works without it.",
    )  # fmt: skip


def _degraded(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    if fact.value <= 0:
        return None
    return _finding(
        brief, fact, "degraded", "warning", f"{fact.component.capitalize()} is not available.",
        "Run `quarterdeck doctor`; decisions go on without it.",
    )  # fmt: skip


def _quality(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    code = fact.name.removeprefix(QUALITY)
    words = code.replace("_", " ")
    where = f" in {fact.symbol}" if fact.symbol else ""
    against = "" if fact.limit is None else f" against {fact.limit:g}"
    return _finding(
        brief, fact, "data_quality", QUALITY_SEVERITY.get(code, "warning"),
        f"Data quality: {words}{where}, {fact.value:.4g}{against} {fact.unit}.",
        "Compare with a second source before relying on it; nothing was repaired silently.",
        component=f"{fact.component}.{code}",
    )  # fmt: skip


def _other(fact: HealthFact, brief: MonitoringBrief) -> Finding | None:
    ratio = _ratio(fact)
    if ratio is None or ratio <= 1:
        return None
    return _finding(
        brief, fact, "over_limit", "warning",
        f"{fact.name.replace('_', ' ').capitalize()} is {fact.value:.4g}, over its limit {fact.limit:g} {fact.unit}.",
        "Find out what changed; no rule knows this fact.", component=f"{fact.component}.{fact.name}",
    )  # fmt: skip


def _finding(
    brief: MonitoringBrief,
    fact: HealthFact,
    code: FindingCode,
    severity: Severity,
    message: str,
    recommendation: str,
    *,
    component: str | None = None,
    halt: bool = False,
) -> Finding:
    where = component or fact.component
    return Finding(
        id=stable_id("find", brief.run_id, brief.cycle_id, code, where, fact.symbol),
        code=code,
        severity=severity,
        component=where,
        symbol=fact.symbol,
        message=message,
        recommendation=recommendation,
        evidence_ids=(fact.evidence_id,),
        as_of=brief.as_of,
        recommends_halt=halt,
    )
