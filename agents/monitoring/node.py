"""Judge the health of the desk from measured facts."""

from __future__ import annotations

from agents.monitoring.rules import judge, merge
from agents.opinion import Context, MonitoringBrief
from tools.types import Finding


async def monitor(brief: MonitoringBrief, context: Context) -> tuple[Finding, ...]:
    """Return findings, worst first, at most one per code, component and symbol.

    Ids follow from run, cycle, code, component and symbol: the same cycle computed again gives the same ids.
    There is only the rules reasoner; a halt is recommended here and engaged elsewhere.
    """
    del context
    found = (judge(fact, brief) for fact in brief.facts)
    return tuple(merge([item for item in found if item is not None]))
