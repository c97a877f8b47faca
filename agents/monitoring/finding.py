"""How a rule says what it found."""

from __future__ import annotations

from agents.monitoring.output import FindingCode, Rule
from agents.opinion import HealthFact, MonitoringBrief
from tools.canonical import stable_id
from tools.types import SEVERITY_RANK, Finding, Severity


def ratio_of(fact: HealthFact) -> float | None:
    """Value over limit; None without a limit, infinite for anything above a limit of zero."""
    if fact.limit is None:
        return None
    if fact.limit == 0:
        return float("inf") if fact.value > 0 else 0.0
    return fact.value / fact.limit


def found(
    brief: MonitoringBrief,
    fact: HealthFact,
    code: FindingCode,
    severity: Severity,
    message: str,
    recommendation: str,
    *,
    rule: Rule = "threshold",
    component: str | None = None,
    halt: bool = False,
    **figures: float,
) -> Finding:
    """The finding of one rule on one fact; value and limit are among its figures."""
    where = component or fact.component
    against = {} if fact.limit is None else {"limit": fact.limit}
    return Finding(
        id=stable_id("find", brief.run_id, brief.cycle_id, code, where, fact.symbol), code=code, severity=severity,
        component=where, symbol=fact.symbol, message=message, recommendation=recommendation,
        evidence_ids=(fact.evidence_id,), as_of=brief.as_of, recommends_halt=halt, rule=rule,
        figures={"value": fact.value, **against, **figures},
    )  # fmt: skip


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Critical before warning before info; ties by code, component and symbol, a limit before a trend."""
    return sorted(findings, key=lambda f: (-SEVERITY_RANK[f.severity], f.code, f.component, f.symbol or "", f.rule))


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
