from __future__ import annotations

import pytest

from agents.monitoring.node import monitor
from agents.opinion import HealthFact, MonitoringBrief
from tests.agents.builders import AS_OF, rules_context
from tools.types import Finding


def fact(
    name: str, value: float, limit: float | None, component: str = "book", symbol: str | None = None
) -> HealthFact:
    return HealthFact(
        component=component,
        name=name,
        value=value,
        limit=limit,
        unit="share",
        evidence_id=f"ev_{name}_{value}",
        symbol=symbol,
    )


async def found(*facts: HealthFact, cycle: str = "cyc_1") -> tuple[Finding, ...]:
    brief = MonitoringBrief(run_id="run_1", cycle_id=cycle, as_of=AS_OF, facts=facts)
    return await monitor(brief, rules_context())


@pytest.mark.parametrize(
    ("name", "value", "limit", "severity", "halt"),
    [
        ("drawdown", 0.075, 0.15, None, False),
        ("drawdown", 0.0751, 0.15, "warning", False),
        ("drawdown", 0.12, 0.15, "warning", False),
        ("drawdown", 0.1201, 0.15, "critical", True),
        ("data_age_hours", 96.0, 96.0, None, False),
        ("data_age_hours", 97.0, 96.0, "warning", False),
        ("data_age_hours", 200.0, 96.0, "critical", False),
        ("largest_position", 0.035, 0.04, None, False),
        ("largest_position", 0.037, 0.04, "warning", False),
        ("largest_position", 0.041, 0.04, "critical", False),
        ("abstention_share", 0.2, None, None, False),
        ("abstention_share", 0.3, None, "warning", False),
        ("abstention_share", 0.6, None, "critical", False),
        ("silent_s", 5.0, 5.0, None, False),
        ("silent_s", 6.0, 5.0, "warning", False),
        ("degraded", 1.0, 0.0, "warning", False),
        ("degraded", 0.0, 0.0, None, False),
        ("quality:unexplained_jump", 0.4, 0.35, "warning", False),
        ("quality:repaired_bar", 1.0, 0.0, "info", False),
        ("queue_length", 11.0, 10.0, "warning", False),
        ("queue_length", 9.0, 10.0, None, False),
        ("queue_length", 9.0, None, None, False),
    ],
)
async def test_a_fact_is_judged_against_its_limit(
    name: str, value: float, limit: float | None, severity: str | None, halt: bool
) -> None:
    findings = await found(fact(name, value, limit))
    if severity is None:
        assert findings == ()
        return
    (finding,) = findings
    assert (finding.severity, finding.recommends_halt) == (severity, halt)
    assert finding.recommendation
    assert finding.evidence_ids == (f"ev_{name}_{value}",)


async def test_the_same_thing_twice_is_one_finding_the_worst_with_all_evidence() -> None:
    (finding,) = await found(fact("drawdown", 0.08, 0.15), fact("drawdown", 0.14, 0.15), fact("drawdown", 0.08, 0.15))
    assert finding.severity == "critical"
    assert finding.evidence_ids == ("ev_drawdown_0.14", "ev_drawdown_0.08")


async def test_different_names_and_codes_stay_apart_and_come_worst_first() -> None:
    findings = await found(
        fact("quality:missing_bar", 1, 0, "market", "IBM"), fact("quality:missing_bar", 1, 0, "market", "GE"),
        fact("quality:frozen_price", 1, 0, "market", "GE"), fact("drawdown", 0.14, 0.15),
    )  # fmt: skip
    assert len({item.id for item in findings}) == 4
    assert findings[0].severity == "critical"


async def test_ids_are_stable_within_a_cycle_and_new_in_the_next() -> None:
    (first,) = await found(fact("drawdown", 0.08, 0.15))
    (again,) = await found(fact("drawdown", 0.09, 0.15))
    (later,) = await found(fact("drawdown", 0.08, 0.15), cycle="cyc_2")
    assert first.id == again.id != later.id
