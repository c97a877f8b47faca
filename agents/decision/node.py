"""Review every candidate of a cycle: keep, veto, scale, escalate or abstain."""

from __future__ import annotations

from agents.decision import model, rules
from agents.decision.output import Compared
from agents.opinion import Context, DecisionBrief
from tools.types import Review


async def review_candidates(brief: DecisionBrief, context: Context) -> tuple[Review, ...]:
    """Give exactly one review per candidate, in their order; see `compare_candidates`."""
    return tuple(item.review for item in await compare_candidates(brief, context))


async def compare_candidates(brief: DecisionBrief, context: Context) -> tuple[Compared, ...]:
    """Review every candidate, and show beside each review what the rules alone would have said.

    What reduces risk never goes to a model. With the model reasoner the rest goes to it in batches of twenty;
    where it fails, the candidate gets `abstain` with the reason and is not judged by rules instead (P3).
    """
    thresholds = rules.Thresholds.of(context.thresholds)
    ruled = {item.id: rules.review(item, brief, thresholds) for item in brief.candidates}
    if context.reasoner == "rules":
        return tuple(Compared(ruled[item.id], ruled[item.id]) for item in brief.candidates)
    increasing = [item for item in brief.candidates if item.risk_effect != "reduces"]
    judged = await model.review(increasing, brief, context)
    return tuple(
        model.against_rules(judged[item.id], ruled[item.id])
        if item.id in judged
        else Compared(ruled[item.id], ruled[item.id])
        for item in brief.candidates
    )
