"""The model reasoner: it picks an intent with slots, the tools answer; a sentence of its own must stand in evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from agents.explanation.grounding import check
from agents.operator.output import LIMIT_NAMES, IntentChoice, Remark, Span, side_of
from agents.operator.slots import INTENT_MEANINGS, Intent
from agents.opinion import Abstain, Context
from agents.reasoning import call_structured
from prompts.loader import load
from tools.types import Evidence

CALL, REMARK_CALL = "operator.intent", "operator.remark"
MAX_TOKENS = 200
MAX_REMARK = 240

_TICKER = re.compile(r"[A-Z][A-Z0-9.\-]{0,9}")
_ADVICE = re.compile(
    r"\b(?:should|must|recommend\w*|advis\w*|approve\w*|reject\w*|buy|sell|halt|resume)\b", re.IGNORECASE
)
_DECLARED = {"share": "share", "money": "usd", "price": "usd"}
_KEYS = {"shares": "quantity", "count": "n", "sessions": "horizon_sessions"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


async def pick(question: str, context: Context) -> Intent | Abstain:
    """Let the model name the intent and its slots; anything that is no ticker, limit or amount is taken for none."""
    prompt = load("operator/intent").render(intents=INTENT_MEANINGS, question=question)
    answer = await call_structured(context, call=CALL, prompt=prompt, output=IntentChoice, max_output_tokens=MAX_TOKENS)
    if isinstance(answer, Abstain):
        return answer
    said = answer.last
    symbol = said.symbol.strip().upper()
    amount = Decimal(said.amount) if said.amount else None
    limit = said.limit if said.limit in LIMIT_NAMES[1:] else None
    whole = amount is not None and amount == int(amount) and amount > 0
    percent = amount is not None and (said.intent == "what_if_shock" or (limit is not None and _is_share(limit)))
    return Intent(
        name=said.intent, symbol=symbol if _TICKER.fullmatch(symbol) else None, limit=limit, side=side_of(said.side),
        quantity=int(amount) if amount is not None and whole and said.intent == "what_if_order" else None,
        value=amount / 100 if amount is not None and percent else amount,
    )  # fmt: skip


def _is_share(limit: str) -> bool:
    return limit.endswith("_share") or limit in (
        "max_total_open_risk",
        "max_daily_loss",
        "max_drawdown",
        "max_leverage",
    )


async def remark(question: str, spans: Sequence[Span], context: Context) -> str | None:
    """One more sentence, if every number, date and id in it stands in the answer and it gives no advice."""
    answer_text = "".join(span.text for span in spans)
    prompt = load("operator/remark").render(longest=MAX_REMARK, question=question, answer=answer_text)
    answer = await call_structured(
        context, call=REMARK_CALL, prompt=prompt, output=Remark, max_output_tokens=MAX_TOKENS
    )
    if isinstance(answer, Abstain):
        return None
    text = " ".join(answer.last.remark.split())
    if not text or _ADVICE.search(text):
        return None
    evidence = _evidence(spans)
    ids = frozenset(span.text for span in spans if span.ref is not None and span.unit == "text")
    return text if check(text, [evidence], known_ids=ids).ok else None


def _evidence(spans: Sequence[Span]) -> Evidence:
    """The figures and dates of an answer as evidence, each under the unit it is shown in."""
    figures: list[dict[str, Any]] = []
    for span in spans:
        if span.value is not None:
            key = _KEYS.get(span.unit, "value")
            unit = {"unit": _DECLARED.get(span.unit, "plain")} if key == "value" else {}
            figures.append({key: str(span.value), **unit})
        elif span.ref is not None and _DATE.fullmatch(span.text):
            figures.append({"date": span.text})
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return Evidence.of("finding", "operator.answer", {"figures": figures}, event_time=epoch, known_at=epoch)
