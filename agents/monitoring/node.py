"""Judge the health of the desk from measured facts."""

from __future__ import annotations

from agents.monitoring import model, rules, trends
from agents.monitoring.finding import merge
from agents.opinion import Context, MonitoringBrief
from tools.types import Finding


async def monitor(brief: MonitoringBrief, context: Context) -> tuple[Finding, ...]:
    """Return findings, worst first, at most one per code, component and symbol.

    Ids follow from run, cycle, code, component and symbol: the same cycle computed again gives the same ids.
    Rules judge; where a model was asked to look as well, its hypotheses stand beside their findings. Both recommend: a
    halt is engaged elsewhere, and nothing here acts.
    """
    ruled = judge_all(brief)
    if not context.asks("monitoring"):
        return ruled
    return tuple(merge([*ruled, *await model.notice(brief, ruled, context)]))


def judge_all(brief: MonitoringBrief) -> tuple[Finding, ...]:
    """Every rule on every fact, merged."""
    limits = (rules.judge(fact, brief) for fact in brief.facts)
    moved = (item for fact in brief.facts for item in trends.judge(fact, brief))
    return tuple(merge([*(item for item in limits if item is not None), *moved]))
