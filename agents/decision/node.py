"""Review every candidate of a cycle: keep, veto, scale, escalate or abstain."""

from __future__ import annotations

from agents.decision import model, rules
from agents.opinion import Context, DecisionBrief
from tools.types import Review


async def review_candidates(brief: DecisionBrief, context: Context) -> tuple[Review, ...]:
    """Give exactly one review per candidate, in their order.

    What reduces risk never goes to a model. With the model reasoner the rest goes to it in batches of twenty;
    where it fails, the candidate gets `abstain` with the reason and is not judged by rules instead (P3).
    """
    thresholds = rules.Thresholds.of(context.thresholds)
    if context.reasoner == "rules":
        return tuple(rules.review(item, brief, thresholds) for item in brief.candidates)
    increasing = [item for item in brief.candidates if item.risk_effect != "reduces"]
    said = await model.review(increasing, brief, context)
    return tuple(
        said[item.id] if item.risk_effect != "reduces" else rules.review(item, brief, thresholds)
        for item in brief.candidates
    )
