"""Explain one asked case."""

from __future__ import annotations

from agents.explanation import model, rules
from agents.explanation.output import Explanation
from agents.opinion import Context, ExplanationBrief


async def explain(brief: ExplanationBrief, context: Context) -> Explanation:
    """Return the claim graph with its prose.

    The graph is always built by rules. With the model reasoner a model may write the prose: one call per case, and
    where it fails the rendered prose stays and `model_abstained` says why. Exits are explained by rules alone, they
    wait for no model.
    """
    explanation = rules.explain(brief)
    if context.reasoner == "rules" or brief.proposal.risk_effect == "reduces":
        return explanation
    return await model.write(explanation, brief, context)
