"""The grammar: which words, in which order, ask for which answer. The first rule that fits wins.

A rule is a sequence of word classes that must occur in this order with anything between them. `^X` must be the first
word, `+X` must follow the one before at once, `-X` must occur nowhere, `X|Y` is either, `<symbol>` is an entity.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.operator.slots import IntentName
from agents.operator.tokens import Word

RULES: tuple[tuple[IntentName, str], ...] = (
    ("help", "HELP -<symbol>"),
    ("lessons", "LESSON -IF -WHY"),
    ("what_if_shock", "IF MARKET|<symbol>|<sector>|SYMBOLS|SECTORS|EVERYTHING FALL|RISE -LIMITS"),
    ("what_if_limit", "IF <limit>"),
    ("what_if_order", "IF BUY|SELL|ORDER"),
    ("what_if_limit", "IF LIMITS"),
    ("what_changed", "CHANGE SINCE|<day>|LASTTIME|TODAY -WHY"),
    ("what_changed", "CHANGE LASTTIME"),
    ("what_would_change", "COUNTER"),
    ("what_would_change", "WOULD FLIP -WHY"),
    ("what_would_change", "FLIP WOULD|DECISIONS -WHY -SINCE -LASTTIME -<day>"),
    ("why_not", "WHY|EXPLAIN NOT"),
    ("why_not", "WHY|EXPLAIN REFUSED"),
    ("why_not", "REFUSED WHY"),
    ("compare", "COMPARE -<day>"),
    ("compare", "IT|CASE|<case>|<symbol> LASTTIME"),
    ("compare", "LASTTIME IT|CASE|<case>|<symbol>"),
    ("compare", "LASTTIME -CHANGE -SINCE"),
    ("why", "WHY"),
    ("why", "EXPLAIN <symbol>|<case>|IT|CASE|<strategy>|BUY|SELL"),
    ("why", "^EXPLAIN"),
    ("why_not", "^REFUSED <symbol>|<case>"),
    ("pace", "PACE"),
    ("waiting", "WAIT -EXPOSE"),
    ("waiting", "WHAT|SHOW|BE|MUCH DECISIONS -<symbol> -<case>"),
    ("outcome", "OUTCOME"),
    ("outcome", "WHAT GO <symbol>|<case>|IT|CASE|<strategy> GO"),
    ("outcome", "WHAT GO <symbol>|<case>|IT|CASE|<strategy> -EXPOSE -BUY -SELL -CHANGE -WAIT -RISK -LIMITS"),
    ("limits_used", "<limit> USED|MUCH|LIMITS"),
    ("limits_used", "USED|MUCH|WHAT|SHOW|BE <limit>"),
    ("limits_used", "LIMITS"),
    ("limits_used", "USED <sector>|SECTORS|SYMBOLS"),
    ("limits_used", "<limit> -VAR -DRAWDOWN"),
    ("what_changed", "CHANGE"),
    ("what_changed", "SINCE"),
    ("health", "HEALTH"),
    ("health", "WHAT|BE|SHOW HALT|RESUME"),
    ("exposure", "EXPOSE"),
    ("exposure", "MUCH <symbol>|<sector>|<strategy> -RISK"),
    ("risk", "RISK|VAR|DRAWDOWN|STRESS|VOLATILITY|BETA|CONCENTRATION|EQUITY|PROTECTION"),
    ("exposure", "BOOK"),
    ("risk", "WHAT BE EVERYTHING|IT"),
    ("why", "SHOW|WHAT|ABOUT <case>"),
)


def intent_of(words: Sequence[Word]) -> IntentName | None:
    """The intent of the first rule that fits; None when none does."""
    return next((name for name, rule in RULES if fits(rule, words)), None)


def fits(rule: str, words: Sequence[Word]) -> bool:
    """True when the words follow the rule."""
    parts = rule.split()
    forbidden = [part[1:] for part in parts if part.startswith("-")]
    if any(_is(word, one) for word in words for one in forbidden):
        return False
    return _follows([part for part in parts if not part.startswith("-")], words)


def _follows(parts: Sequence[str], words: Sequence[Word]) -> bool:
    if not parts:
        return True
    head, at_once = parts[0].lstrip("^+"), parts[0][0] in "^+"
    reach = words[:1] if at_once else words
    return any(_is(word, head) and _follows(parts[1:], words[place + 1 :]) for place, word in enumerate(reach))


def _is(word: Word, wanted: str) -> bool:
    return any(one == word.low or one in word.classes for one in wanted.split("|"))
