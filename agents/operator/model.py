"""The model reasoner: it picks the intent, the desk renders the answer."""

from __future__ import annotations

import re

from agents.operator.output import INTENT_MEANINGS, Intent, IntentChoice
from agents.opinion import Abstain, Context
from agents.reasoning import call_structured
from prompts.loader import load

CALL = "operator.intent"
MAX_TOKENS = 200

_TICKER = re.compile(r"[A-Z][A-Z0-9.\-]{0,9}")


async def pick(question: str, context: Context) -> Intent | Abstain:
    """Let the model name the intent and the ticker; anything that is no ticker is taken for none."""
    prompt = load("operator/intent").render(intents=INTENT_MEANINGS, question=question)
    answer = await call_structured(context, call=CALL, prompt=prompt, output=IntentChoice, max_output_tokens=MAX_TOKENS)
    if isinstance(answer, Abstain):
        return answer
    symbol = answer.last.symbol.strip().upper()
    return Intent(name=answer.last.intent, symbol=symbol if _TICKER.fullmatch(symbol) else None)
