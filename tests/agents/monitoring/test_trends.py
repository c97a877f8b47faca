"""Facts with a history: what is said of each, and that a steady or seasonal desk says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time

import pytest

from agents.explanation.grounding import check
from agents.monitoring.node import judge_all
from agents.opinion import HealthFact, HealthPoint, MonitoringBrief
from pipeline.health_facts import with_figures
from tools.types import Finding

from .test_series import weekdays

NEAR = "near_limit:trade_share"


def judged(
    name: str, values: Sequence[float], *, limit: float | None = None, unit: str = "share", component: str = "agents"
) -> dict[str, Finding]:
    """Findings by rule of a series whose newest value is today's."""
    brief = brief_of(name, values, limit=limit, unit=unit, component=component)
    return {item.rule: item for item in judge_all(brief)}


def brief_of(
    name: str, values: Sequence[float], *, limit: float | None = None, unit: str = "share", component: str = "agents"
) -> MonitoringBrief:
    days = weekdays(len(values))
    points = tuple(HealthPoint(session=day, value=v) for day, v in zip(days[:-1], values[:-1], strict=True))
    fact = HealthFact(
        component=component, name=name, value=values[-1], limit=limit, unit=unit, evidence_id="ev_1", history=points
    )
    as_of = datetime.combine(days[-1], time(21)).astimezone()
    return MonitoringBrief(run_id="run_1", cycle_id="cyc_1", as_of=as_of, facts=(fact,))


@pytest.mark.parametrize(
    ("name", "code", "before", "after", "unit"),
    [
        ("abstention_share", "abstentions", 0.0, 0.19, "share"),
        ("dissent_share", "dissent", 0.1, 0.5, "share"),
        ("veto_share", "vetoes", 0.1, 0.6, "share"),
        ("veto_share", "vetoes", 0.6, 0.0, "share"),
        ("brief_chars", "brief_length", 20_000.0, 60_000.0, "characters"),
        ("prompt_tokens", "prompt_length", 900.0, 2_000.0, "tokens"),
        ("tokens_used", "budget", 5_000.0, 15_000.0, "tokens"),
        ("quality_issues", "data_quality", 1.0, 20.0, "issues"),
        (NEAR, "near_limit", 0.0, 0.45, "share"),
        ("seconds_looked", "fatigue", 30.0, 4.0, "seconds"),
        ("answers", "fatigue", 10.0, 60.0, "answers"),
    ],
)
def test_a_shift_is_a_warning_and_names_its_figures(
    name: str, code: str, before: float, after: float, unit: str
) -> None:
    steady, moved = [before] * 40, [before] * 40 + [after] * 5
    assert judged(name, steady, unit=unit) == {}
    found = judged(name, moved, unit=unit)["shift"]
    assert (found.code, found.severity, found.recommends_halt) == (code, "warning", False)
    assert {"value", "before", "after", "sessions", "score"} <= found.figures.keys()
    assert ("rose" if after > before else "fell") in found.message
    assert found.recommendation


@pytest.mark.parametrize(("name", "limit"), [("largest_position", 0.04), ("largest_sector", 0.25)])
def test_concentration_creep_is_said_near_the_limit_only(name: str, limit: float) -> None:
    creeping = [limit * (0.3 + 0.009 * n) for n in range(60)]
    found = judged(name, creeping, limit=limit, component="book")["shift"]
    assert (found.code, found.severity) == ("concentration_creep", "warning")
    assert "shift" not in judged(name, [v / 2 for v in creeping], limit=limit, component="book")


def test_sizes_that_meet_a_limit_again_and_again_are_information() -> None:
    assert judged(NEAR, [0.9] * 9) == {}
    found = judged(NEAR, [0.9] * 10)
    assert {rule: item.severity for rule, item in found.items()} == {"repeated": "info"}
    assert "trade share" in found["repeated"].message


def test_a_wild_session_is_information_and_its_weekday_is_known() -> None:
    week = [0.05, 0.1, 0.1, 0.1, 0.6]
    days = weekdays(60)
    values = [week[day.weekday()] for day in days]
    assert judged("dissent_share", values) == {}
    odd = [*values[:-1], 0.05 if days[-1].weekday() == 4 else 0.95]
    assert [(r, f.severity) for r, f in judged("veto_share", odd).items()] == [("unusual", "info")]


def test_what_hovers_at_a_threshold_is_one_finding_until_it_is_well_below() -> None:
    for now, there in ((0.074, True), (0.069, True), (0.066, False)):
        found = judged("drawdown", [0.05, 0.076, now], limit=0.15, component="book")
        assert ("threshold" in found) == there
    assert judged("drawdown", [0.05, 0.06, 0.074], limit=0.15, component="book") == {}


def test_the_budget_warns_before_it_is_spent() -> None:
    assert judged("tokens_share", [0.8], limit=1.0) == {}
    assert judged("tokens_share", [0.81], limit=1.0)["threshold"].severity == "warning"
    assert judged("tokens_share", [1.0], limit=1.0)["threshold"].severity == "critical"


@pytest.mark.parametrize(
    ("name", "values", "rule", "limit"),
    [
        ("dissent_share", [0.1] * 40 + [0.5] * 5, "shift", None), (NEAR, [0.9] * 12, "repeated", None),
        ("veto_share", [0.1] * 59 + [0.95], "unusual", None), ("drawdown", [0.1], "threshold", 0.15),
        ("largest_sector", [0.24], "threshold", 0.25),
    ],
)  # fmt: skip
def test_every_figure_of_a_message_stands_in_its_evidence(
    name: str, values: list[float], rule: str, limit: float | None
) -> None:
    brief = brief_of(name, values, limit=limit)
    (finding,), (item,) = with_figures(brief, judge_all(brief))
    assert finding.rule == rule
    assert finding.evidence_ids == ("ev_1", item.id)
    assert check(finding.message, [item]).unresolved == ()
