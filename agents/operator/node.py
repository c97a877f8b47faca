"""Answer a person's question about the desk. Reads only; a decision is never taken from chat text."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from agents.operator import model, rules
from agents.operator.intents import parse
from agents.operator.output import Intent, OperatorTools
from agents.opinion import Abstain, Context

MAX_QUESTION = 4000

_PIECES = re.compile(r"\S+\s*|\s+")


async def answer(question: str, tools: OperatorTools, context: Context) -> AsyncIterator[str]:
    """Stream the answer in pieces; joined, they are the whole text.

    The grammar answers what it knows. With the model reasoner a model is asked only what the grammar cannot place; it
    picks an intent, and every figure still comes from the tools. If it gives nothing usable, the answer says so.
    """
    asked = question.strip()[:MAX_QUESTION]
    intent = parse(asked)
    note = ""
    if intent.name == "unknown" and context.reasoner == "model" and asked:
        picked = await model.pick(asked, context)
        if isinstance(picked, Abstain):
            note = f"The model gave no usable answer ({picked.reason.replace('_', ' ')}).\n"
        else:
            intent = _merged(picked, intent)
    text = note + await rules.answer(intent, tools)
    for piece in _PIECES.findall(text):
        yield piece


def _merged(picked: Intent, parsed: Intent) -> Intent:
    """The model's intent; a ticker or case id written in the question wins over what the model read."""
    return Intent(name=picked.name, symbol=parsed.symbol or picked.symbol, case_id=parsed.case_id)
