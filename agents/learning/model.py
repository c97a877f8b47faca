"""The model reasoner: a hypothesis in words for figures that were computed, taken only when every number resolves.

People's own words reach it only for lessons about refusals, which no brief can ever hold, inside the fence; such a
lesson is tainted. Where a candidate could be touched by a lesson the model sees figures and nothing else.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence

from agents.explanation.grounding import check
from agents.learning.output import MAX_HYPOTHESIS, Hypothesis
from agents.learning.rules import figures_evidence
from agents.opinion import Abstain, Context
from agents.reasoning import call_structured
from prompts.loader import load
from tools.types import Lesson

CALL = "learning.lesson"
MAX_TOKENS = 300
MOST = 12
"""Lessons put into words in one cycle; the others keep the rules' words alone."""
REASONS_SHOWN = 12
REASON_CHARACTERS = 200


async def put_into_words(
    lessons: Sequence[Lesson], said: Sequence[Sequence[str]], context: Context
) -> tuple[Lesson, ...]:
    """Add a model's hypothesis to lessons with enough data; `said` is what people typed about each, newest last.

    A failure leaves the rules' words and its reason in `model_abstained`; too little data is nothing to ask about.
    """
    chosen = [place for place, item in enumerate(lessons) if item.enough_data][:MOST]
    answers = await asyncio.gather(*(_word(lessons[place], said[place], context) for place in chosen))
    worded = dict(zip(chosen, answers, strict=True))
    return tuple(worded.get(place, item) for place, item in enumerate(lessons))


async def _word(made: Lesson, said: Sequence[str], context: Context) -> Lesson:
    shown = [text[:REASON_CHARACTERS] for text in said[-REASONS_SHOWN:]]
    prompt = load("learning/lesson").render(
        max_hypothesis=MAX_HYPOTHESIS, claim=made.claim, reading=made.reading or "", text="\n".join(shown) or "none"
    )
    answer = await call_structured(
        context, call=CALL, prompt=prompt, output=Hypothesis, max_output_tokens=MAX_TOKENS, case_id=None
    )
    if isinstance(answer, Abstain):
        return made.model_copy(update={"model_abstained": answer.reason})
    words = _plain(answer.last.hypothesis)
    if answer.last.reading != made.reading:
        return made.model_copy(update={"model_abstained": "other_reading"})
    if not words or not check(words, (figures_evidence(made, made.as_of),)).ok:
        return made.model_copy(update={"model_abstained": "unresolved_number"})
    return made.model_copy(update={"hypothesis": words, "reasoner": "model", "taint": bool(shown)})


def _plain(text: str) -> str:
    """One line without control and invisible characters."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())
