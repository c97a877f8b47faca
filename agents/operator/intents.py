"""From a question to an intent with its slots. What is ambiguous is asked back, what is an order is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.operator.entities import Entities, recognise
from agents.operator.follow import follow_up, with_memory
from agents.operator.grammar import intent_of
from agents.operator.slots import Dimension, Intent, IntentName, Measure, Remembered, Universe
from agents.operator.tokens import Word
from agents.operator.words import POLITE
from tools.types import Side

_SUPPOSING = re.compile(r"\b(?:what\s+if|if|suppos\w*|imagine|assum\w*|hypothetical\w*|had we|whatif)\b", re.IGNORECASE)
_POLITE = sorted((tuple(text.split()) for text in POLITE), key=len, reverse=True)
_MEASURES: tuple[tuple[str, Measure], ...] = (
    ("PROTECTION", "protection"),
    ("VAR", "var"), ("DRAWDOWN", "drawdown"), ("STRESS", "stress"), ("VOLATILITY", "volatility"), ("BETA", "beta"),
    ("CONCENTRATION", "concentration"), ("EQUITY", "equity"),
)  # fmt: skip
_DIMENSIONS: tuple[tuple[str, Dimension], ...] = (
    ("SECTORS", "sector"), ("STRATEGIES", "strategy"), ("AGENTS", "agent"), ("SYMBOLS", "symbol"),
)  # fmt: skip
_OF_A_CASE: tuple[IntentName, ...] = ("why", "why_not", "what_would_change", "compare", "outcome")
_OF_A_LIMIT: tuple[IntentName, ...] = ("limits_used", "what_if_limit")


def parse(question: str, universe: Universe | None = None, earlier: Remembered | None = None) -> Intent:
    """Understand a question. `earlier` is what the thread was about; without it "it" means nothing.

    `unclear` names what is missing or the choices; `unknown` is what the grammar cannot place. Words that would act
    give `refused`, `halt`, `resume` or `propose`, whatever stands around them.
    """
    world = universe or Universe()
    memory = earlier or Remembered()
    found = recognise(question, world, supposing=_SUPPOSING.search(question) is not None)
    words = found.rest
    if not any(word.low[0].isalnum() or word.low[0] == "<" for word in words):
        return Intent(name="help")
    acting = _acting(words, found)
    if acting is not None:
        return _settled(acting, words, found, memory)
    asked = [word for word in words if not word.is_mark]
    again = follow_up(asked, found, memory)
    if again is not None:
        return _settled(again, words, found, memory)
    name = intent_of(asked)
    if name is None:
        return _unplaced(asked, found)
    intent = _filled(name, asked, found, world)
    return _settled(intent, asked, found, memory)


def complete(picked: Intent, parsed: Intent, universe: Universe, memory: Remembered) -> Intent:
    """The intent a model picked, with what the question itself names in place of what the model read.

    A model opens no case, and a symbol that nobody trades is none. What is still missing is asked back.
    """
    named = picked.symbol if not universe.names or picked.symbol in universe.names else None
    merged = picked.model_copy(
        update={
            "symbol": parsed.symbol or named, "case_id": parsed.case_id, "strategy": parsed.strategy,
            "sector": parsed.sector, "since": universe.previous if picked.name == "what_changed" else None,
            "wish": "decide" if picked.name == "refused" else None,
        }
    )  # fmt: skip
    if picked.name in ("halt", "resume"):
        return merged.model_copy(update={"scope": "firm", "halt_action": None})
    return _settled(merged, (), Entities(), memory)


def _clauses(words: Sequence[Word]) -> list[list[Word]]:
    """Parts of a question that could each be a demand, without the courtesies at their head.

    A plain `and` begins a new demand only where the first part is none of a question.
    """
    parts: list[list[Word]] = [[]]
    asking = bool(words) and bool(_bare(words)) and _is_question(_bare(words)[0])
    for word in words:
        if word.is_mark or (word.low in ("and", "then", "but") and not asking):
            parts.append([])
        else:
            parts[-1].append(word)
    return [bare for part in parts if (bare := _bare(part))]


def _bare(words: Sequence[Word]) -> list[Word]:
    rest = [word for word in words if not word.is_mark]
    while rest:
        lows = tuple(word.low for word in rest)
        length = next((len(one) for one in _POLITE if lows[: len(one)] == one), 0)
        if not length:
            return rest
        rest = rest[length:]
    return rest


def _is_question(word: Word) -> bool:
    return bool(word.classes & {"WHY", "WHAT", "BE", "IF", "WOULD"}) or word.low in ("do", "does", "did", "have", "has")


def _acting(words: Sequence[Word], found: Entities) -> Intent | None:
    """What a demand wants done: of all clauses that begin with a verb that would act, the gravest."""
    if [word.low for word in words if not word.is_mark] in (["do", "it"], ["do", "it", "now"], ["do", "that"]):
        return Intent(name="refused", wish="decide")
    demands = [one for clause in _clauses(words) if (one := _demand(clause, found))]
    if demands:
        return min(demands, key=_gravity)
    if words[0].low == "how" and "not" not in _lows(words) and _lows(words) & {"i", "we", "to"}:
        return _aimed(_halting(words), found) if any("HALT" in word.classes for word in words) else None
    return None


def _gravity(intent: Intent) -> int:
    """A halt before everything, a decision before what else is refused, and opening a case last."""
    if intent.name != "refused":
        return {"halt": 0, "resume": 2}.get(intent.name, 6)
    return {"decide": 1, "limits": 3, "trade": 4}.get(intent.wish or "", 5)


def _demand(clause: Sequence[Word], found: Entities) -> Intent | None:
    head, classes = clause[0], clause[0].classes
    rest = {one for word in clause[1:] for one in word.classes}
    if "PROPOSE" in classes:
        return _proposed(clause, found)
    if "RESUME" in classes:
        return _aimed(Intent(name="resume"), found)
    if "HALT" in classes:
        return _aimed(_halting(clause), found)
    if "ADJUST" in classes or (head.low == "change" and clause[1:] and not rest & {"SINCE", "LASTTIME", "TODAY"}):
        return Intent(name="refused", wish="limits" if found.limits or "LIMITS" in rest else "desk")
    if "DECIDE" in classes:
        return Intent(name="refused", wish="decide")
    if classes & {"ORDER", "BUY", "SELL"}:
        trade = {"side": _side(clause), "symbol": _first(found.symbols), "quantity": _quantity(found)}
        return Intent.model_validate({"name": "refused", "wish": "trade", **trade})
    return None


def _lows(words: Sequence[Word]) -> set[str]:
    return {word.low for word in words}


def _halting(words: Sequence[Word]) -> Intent:
    lows = _lows(words)
    if "flatten" in lows or {"close", "positions"} <= lows:
        return Intent(name="halt", halt_action="flatten")
    if "cancel" in lows:
        return Intent(name="halt", halt_action="cancel")
    if "reduce" in lows or "reductions" in lows:
        return Intent(name="halt", halt_action="reduce_only")
    return Intent(name="halt", halt_action="no_new")


def _aimed(intent: Intent, found: Entities) -> Intent:
    """What a halt names: a case, a symbol or a strategy, else the firm."""
    named = (("order", found.cases), ("symbol", found.symbols), ("strategy", found.strategies))
    for scope, targets in named:
        if targets:
            return intent.model_copy(update={"scope": scope, "target": targets[0]})
    return intent.model_copy(update={"scope": "firm"})


def _proposed(words: Sequence[Word], found: Entities) -> Intent:
    side = _side(words)
    intent = Intent(name="propose", side=side, symbol=_first(found.symbols), quantity=_quantity(found))
    if side is None:
        return _ask_back(intent, "side", ("buy", "sell"))
    if intent.symbol is None:
        return _ask_back(intent, "company" if found.choices else "subject", found.choices)
    return intent if intent.quantity else _ask_back(intent, "quantity")


def _ask_back(intent: Intent, missing: str, choices: tuple[str, ...] = ()) -> Intent:
    return Intent.model_validate(
        {**intent.model_dump(), "name": "unclear", "wanted": intent.name, "missing": missing, "choices": choices}
    )


def _side(words: Sequence[Word]) -> Side | None:
    for word in words:
        if "BUY" in word.classes or word.low == "cover":
            return "buy"
        if "SELL" in word.classes or word.low in ("liquidate", "dump", "exit", "close", "short"):
            return "sell"
    return None


def _quantity(found: Entities) -> int | None:
    for amount in found.amounts:
        if amount.unit in ("shares", "number") and amount.value == int(amount.value) and amount.value > 0:
            return int(amount.value)
    return None


def _first(items: Sequence[str]) -> str | None:
    return items[-1] if items else None


def _filled(name: IntentName, words: Sequence[Word], found: Entities, world: Universe) -> Intent:
    """The intent with the slots that its kind has."""
    classes = {one for word in words for one in word.classes}
    update: dict[str, object] = {
        "symbol": _first(found.symbols), "case_id": _first(found.cases), "strategy": _first(found.strategies),
        "sector": _first(found.sectors),
    }  # fmt: skip
    if name == "risk":
        update["measure"] = next((measure for one, measure in _MEASURES if one in classes), None)
    if name in ("exposure", "limits_used"):
        update["dimension"] = next((dimension for one, dimension in _DIMENSIONS if one in classes), None)
    if name in _OF_A_LIMIT:
        update["limit"] = _first(found.limits)
    if name in ("what_if_limit", "what_if_shock") and found.amounts:
        amount = found.amounts[-1]
        falls = "FALL" in classes and "RISE" not in classes
        update["factor" if amount.unit == "factor" else "value"] = -amount.value if falls else amount.value
        if name == "what_if_limit":
            update["value"] = None if amount.unit == "factor" else amount.value
            update["factor"] = amount.value if amount.unit == "factor" else None
    if name == "what_if_order":
        update |= {"side": _side(words), "quantity": _quantity(found)}
    if name == "what_changed":
        update["since"] = found.days[-1] if found.days else world.previous
    return Intent.model_validate({"name": name, **update})


def _settled(intent: Intent, words: Sequence[Word], found: Entities, memory: Remembered) -> Intent:
    """Fill what the thread knows, and ask back for what is still missing."""
    filled = with_memory(intent, words, found, memory)
    if found.choices and filled.symbol is None and filled.case_id is None and filled.name not in ("halt", "resume"):
        return filled if filled.name == "refused" else _ask_back(filled, "company", found.choices)
    if filled.name in (*_OF_A_CASE, "what_if_order") and len(found.symbols) > 1:
        return _ask_back(filled, "company", tuple(found.symbols))
    match filled.name:
        case name if name in _OF_A_CASE and not (filled.symbol or filled.case_id or filled.strategy):
            return _ask_back(filled, "subject")
        case "what_if_limit" if filled.limit is None:
            return _ask_back(filled, "limit")
        case "what_if_limit" if filled.value is None and filled.factor is None:
            return _ask_back(filled, "value")
        case "what_if_shock" if filled.value is None:
            return _ask_back(filled, "value")
        case "what_if_order" if filled.symbol is None:
            return _ask_back(filled, "subject")
        case "what_if_order" if filled.side is None:
            return _ask_back(filled, "side", ("buy", "sell"))
        case "what_if_order" if filled.quantity is None:
            return _ask_back(filled, "quantity")
    return filled


def _unplaced(words: Sequence[Word], found: Entities) -> Intent:
    """Only a name: ask what about it. Anything else is unknown."""
    if found.choices and len(words) <= 2:
        return Intent(name="unclear", missing="company", choices=found.choices)
    if not found.none and len(words) <= 2:
        return Intent(
            name="unclear", missing="intent", symbol=_first(found.symbols), case_id=_first(found.cases),
            strategy=_first(found.strategies), sector=_first(found.sectors), limit=_first(found.limits),
        )  # fmt: skip
    return Intent(
        name="unknown", symbol=_first(found.symbols), case_id=_first(found.cases), strategy=_first(found.strategies),
        sector=_first(found.sectors),
    )  # fmt: skip
