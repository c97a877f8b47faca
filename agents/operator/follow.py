"""Follow-ups: "and GE?", "the same for trend", "why not?", "it", resolved from what the thread was about."""

from __future__ import annotations

from collections.abc import Sequence

from agents.operator.entities import Entities
from agents.operator.slots import Intent, IntentName, Remembered
from agents.operator.tokens import Word

_ABOUT: tuple[IntentName, ...] = ("why", "why_not", "what_would_change", "compare", "outcome")
_ORDERS: tuple[IntentName, ...] = ("what_if_order",)
_POINTING = frozenset({"it", "that", "this", "them", "one", "there", "its", "thatcase"})
_LEADS = "and same also about what how for in the now with or of to"
_LEADING = frozenset(_LEADS.split())


def follow_up(words: Sequence[Word], found: Entities, memory: Remembered) -> Intent | None:
    """The last intent with another subject, where a question is only a joining word and a name or an amount."""
    last = memory.intent
    if last is None or not words or words[0].low not in ("and", "same", "also", "what", "how", "the", "or", "for"):
        return None
    others = [word for word in words if not word.low.startswith("<")]
    if any(word.low not in _LEADING for word in others) or not (found.amounts or not found.none):
        return None
    update: dict[str, object] = {"missing": None, "choices": (), "wanted": None}
    subject = {
        "symbol": found.symbols, "case_id": found.cases, "strategy": found.strategies, "sector": found.sectors
    }  # fmt: skip
    if any(subject.values()):
        update |= {name: values[-1] if values else None for name, values in subject.items()}
    if found.limits:
        update["limit"] = found.limits[-1]
    if found.amounts:
        amount = found.amounts[-1]
        if last.name == "what_if_order":
            update["quantity"] = int(amount.value)
        elif last.name in ("what_if_limit", "what_if_shock"):
            falling = last.name == "what_if_shock" and last.value is not None and last.value < 0
            update |= {"value": -amount.value if falling else amount.value, "factor": None}
        else:
            return None
    if last.name in ("refused", "propose", "halt", "resume", "unclear", "unknown", "help"):
        return None
    return last.model_copy(update=update)


def with_memory(intent: Intent, words: Sequence[Word], found: Entities, memory: Remembered) -> Intent:
    """Fill a subject that the question points at, or leaves out where one is needed."""
    if intent.symbol or intent.case_id or intent.strategy or intent.sector or found.choices:
        return intent
    pointing = any(word.low in _POINTING for word in words)
    if intent.name in _ABOUT:
        return intent.model_copy(update={"symbol": memory.symbol, "case_id": memory.case_id})
    if intent.name in _ORDERS and (pointing or memory.symbol):
        return intent.model_copy(update={"symbol": memory.symbol})
    if intent.name in ("exposure", "what_if_shock") and pointing and memory.symbol:
        return intent.model_copy(update={"symbol": memory.symbol})
    return intent
