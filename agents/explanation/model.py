"""The model reasoner: prose written from the claim graph, taken only when every number in it resolves."""

from __future__ import annotations

from agents.explanation.grounding import GroundingReport, check
from agents.explanation.output import MAX_BODY, Explanation, Prose
from agents.opinion import Abstain, Context, ExplanationBrief
from agents.reasoning import call_structured
from prompts.loader import load

CALL = "explanation.prose"
MAX_TOKENS = 1200


async def write(explanation: Explanation, brief: ExplanationBrief, context: Context) -> Explanation:
    """Replace the rendered prose by a model's, or keep it and say why.

    Only values that some claim refers to may appear. One number too many and the whole text is dropped and counted.
    """
    ours = [claim for claim in explanation.claims if not claim.taint]
    strangers = [claim for claim in explanation.claims if claim.taint]
    prompt = load("explanation/prose").render(
        max_body=MAX_BODY,
        claims="\n".join(f"- {claim.id} ({claim.kind}): {claim.text}" for claim in ours),
        text="\n".join(f"{claim.id} ({claim.kind}): {claim.text}" for claim in strangers) or "none",
    )
    answer = await call_structured(
        context, call=CALL, prompt=prompt, output=Prose, max_output_tokens=MAX_TOKENS, case_id=brief.case_id
    )
    if isinstance(answer, Abstain):
        return explanation.model_copy(update={"model_abstained": answer.reason})
    text = f"{answer.last.headline.strip()}\n\n{answer.last.body.strip()}"
    report = grounded(text, brief, explanation)
    if not report.ok:
        stats = explanation.stats.model_copy(update={"dropped": explanation.stats.dropped + 1})
        return explanation.model_copy(update={"model_abstained": "unresolved_number", "stats": stats})
    stats = explanation.stats.model_copy(update={"numbers": explanation.stats.numbers + report.numbers})
    return explanation.model_copy(update={"prose": text, "reasoner": "model", "stats": stats})


def grounded(text: str, brief: ExplanationBrief, explanation: Explanation) -> GroundingReport:
    """Hold prose against the evidence and against those of its values that some claim refers to."""
    allowed = frozenset((ref.evidence_id, ref.pointer) for claim in explanation.claims for ref in claim.numbers)
    return check(text, brief.evidence, only=allowed)
