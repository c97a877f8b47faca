"""The intent grammar: which read-only answer a question asks for."""

from __future__ import annotations

import re

from agents.operator.output import Intent, IntentName

_CASE = re.compile(r"\bcase_[0-9a-f]{6,64}\b")
_TICKER = re.compile(r"(?<![\w.&'’])\$?([A-Z][A-Z0-9]{0,4}(?:[.\-][A-Z]{1,2})?)(?![\w'’])")
_AFTER_VERB = re.compile(
    r"\b(?:buy|bought|buying|sell|sold|selling|hold|holding|own|owning|exit|exited|trade|traded|skip|skipped|"
    r"in|of|on|about|for|veto|vetoed|reject|rejected|block|blocked|propose|proposed)\s+\$?([a-z][a-z0-9.\-]{0,6})\b",
    re.IGNORECASE,
)
_CAPITALS = """
A I AN AND ANY ALL ARE AT BE BUY BY CAN DID DO DOES FOR FROM GET HALT HAS HAVE HOLD HOW IF IN IS IT ITS LIMIT LIMITS ME
MY NO NOT NOW OF OK ON OR OUR OUT PNL RISK SELL SHOW SO STOP THE THEM THIS TO TODAY US USD WAS WE WHAT WHEN WHERE WHICH
WHO WHY WILL WITH YES YOU APPROVE REJECT RESUME NEW VIX AI API CLI P L
"""
_WORDS = """
the that this it them anything something today yesterday now any all our my a an more less there stock stocks shares
position positions risk limits queue approval me us session market time day week last equity book desk case cases human
person people
"""
_NOT_TICKERS = frozenset(_CAPITALS.split())
_NOT_LOWER = frozenset(_WORDS.split())

_GRAMMAR: dict[IntentName, tuple[str, ...]] = {
    "would_change": (
        r"\bwhat would (?:have )?(?:change|changed|flip|it take)",
        r"\bwhat if\b",
        r"\bcounterfactual",
        r"\bwould it take\b",
    ),
    "why_not": (
        r"\bwhy (?:did|do|does|have|has|are|is|was|were|would|could)(?:n't|n’t|.{0,20}\bnot)\b",
        r"\bwhy not\b",
        r"\bwhy.{0,40}\b(?:blocked|vetoed|rejected|skipped|expired|refused|not selected)\b",
    ),
    "why": (r"\bwhy\b", r"\bexplain\b", r"\breason for\b", r"\bhow come\b"),
    "control": (
        r"^\W*(?:please\s+|can you\s+|could you\s+|i\s+(?:want|would like)\s+(?:you\s+)?to\s+|go\s+ahead\s+and\s+)*"
        r"(?:approve|reject|halt|resume|release|stop|pause|flatten|liquidate|buy|sell|cancel|close|raise|lower|change|"
        r"set|override|submit|execute|yes|confirm)\b",
        r"\bapprove (?:it|them|all|everything|case)\b",
    ),
    "waiting": (
        r"\bwait(?:s|ing)?\b",
        r"\bqueue\b",
        r"\bpending\b",
        r"\bapprovals?\b",
        r"\bto decide\b",
        r"\bneeds? (?:me|a person)\b",
    ),
    "limits": (r"\blimits?\b", r"\bheadroom\b", r"\bcaps?\b"),
    "changed": (
        r"\bwhat(?:'s|’s| has| have| is)?\s?(?:changed|happened|new)\b",
        r"\bsince\b",
        r"\blately\b",
        r"\brecent",
    ),
    "health": (
        r"\bfindings?\b",
        r"\bhealth\b",
        r"\bdata (?:age|quality)\b",
        r"\bin order\b",
        r"\bproblems?\b",
        r"\bhalted\b",
    ),
    "exposure": (r"\bexposure\b", r"\bpositions?\b", r"\bhold(?:ing|ings)?\b", r"\bown\b", r"\bin the book\b"),
    "risk": (
        r"\brisk",
        r"\bdrawdown\b",
        r"\bequity\b",
        r"\bloss(?:es)?\b",
        r"\bp&l\b",
        r"\bpnl\b",
        r"\bcash\b",
        r"\bhow (?:are|is) (?:we|the desk|it)\b",
    ),
}
_COMPILED: dict[IntentName, re.Pattern[str]] = {
    name: re.compile("|".join(patterns), re.IGNORECASE) for name, patterns in _GRAMMAR.items()
}


def parse(question: str) -> Intent:
    """Match a question against the grammar; `unknown` when nothing fits. First match in the grammar's order wins."""
    name: IntentName = "unknown"
    for candidate, pattern in _COMPILED.items():
        if pattern.search(question):
            name = candidate
            break
    case = _CASE.search(question)
    return Intent(name=name, symbol=symbol_in(question), case_id=case[0] if case else None)


def symbol_in(question: str) -> str | None:
    """The ticker a question names: written in capitals, or the word after a verb such as `buy`."""
    capitals = [one for one in _TICKER.findall(question) if one not in _NOT_TICKERS]
    if capitals and not question.isupper():
        return str(capitals[-1])
    for found in reversed(_AFTER_VERB.findall(question)):
        if found.lower() not in _NOT_LOWER and found.upper() not in _NOT_TICKERS:
            return str(found).upper().rstrip(".-")
    return str(capitals[-1]) if capitals else None
