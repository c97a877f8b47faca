"""The model beside the rules: it may add a few hypotheses about measured facts, and nothing else.

A hypothesis never has a symbol, so that it weighs on no proposal, and never recommends a halt. One whose numbers do
not stand in the facts is dropped. The rules' findings stay as they are, whatever the model says or fails to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.explanation.grounding import check
from agents.monitoring.finding import found
from agents.monitoring.output import LOOK_AT, MOST_NOTICED, MOST_TEXT, Hypothesis, Noticed, noticed_schema
from agents.opinion import Abstain, Context, HealthFact, MonitoringBrief
from agents.reasoning import call_structured, shown
from prompts.loader import load
from tools.types import Finding

CALL = "monitoring.notice"
MAX_TOKENS = 600
FACTS_SHOWN = 40
SESSIONS_SHOWN = 5


async def notice(brief: MonitoringBrief, ruled: Sequence[Finding], context: Context) -> tuple[Finding, ...]:
    """Ask once; at most one finding for each component. None where the model fails: the rules have spoken."""
    facts = {f"f{number}": fact for number, fact in enumerate(brief.facts[:FACTS_SHOWN], 1)}
    if not facts:
        return ()
    prompt = load("monitoring/notice").render(
        most=MOST_NOTICED, longest=MOST_TEXT,
        facts="\n".join(_line(handle, fact) for handle, fact in facts.items()),
        findings="\n".join(f"{item.severity} {item.code}: {item.message}" for item in ruled) or "nothing",
    )  # fmt: skip
    answer = await call_structured(
        context, call=CALL, prompt=prompt, output=Noticed, schema=noticed_schema(list(facts)),
        max_output_tokens=MAX_TOKENS,
    )  # fmt: skip
    if isinstance(answer, Abstain):
        return ()
    said = answer.last.hypotheses[:MOST_NOTICED]
    return tuple(_finding(item, facts[item.fact], brief) for item in said if _stands(item, facts, brief))


def _stands(said: Hypothesis, facts: dict[str, HealthFact], brief: MonitoringBrief) -> bool:
    """True for words about a fact that exists whose numbers all stand in the brief."""
    text = shown(said.text)
    return bool(text) and said.fact in facts and check(text, brief.evidence).ok


def _finding(said: Hypothesis, fact: HealthFact, brief: MonitoringBrief) -> Finding:
    about = fact.model_copy(update={"symbol": None})
    return found(
        brief, about, "model_noticed", said.severity, f"A model suspects: {shown(said.text)}", LOOK_AT[said.look_at],
        rule="hypothesis",
    )  # fmt: skip


def _line(handle: str, fact: HealthFact) -> str:
    where = f"{fact.component} {fact.name}" + (f" ({fact.symbol})" if fact.symbol else "")
    limit = "none" if fact.limit is None else f"{fact.limit:.6g}"
    before = ", ".join(f"{point.value:.6g}" for point in fact.history[-SESSIONS_SHOWN:]) or "none"
    return f"- {handle}: {where} {fact.value:.6g} {fact.unit}, limit {limit}, before: {before}"
