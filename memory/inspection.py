"""What may enter long-term memory. A refusal is an answer that says why, never an exception: the desk goes on.

Text that a stranger could have written never becomes text of an agent or of the desk: only a case may be tainted, it
is marked, and what agents are given of a case is its fields, never its text. Text that reads like an instruction to a
model is refused whoever wrote it, because what is remembered is read again.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memory.embedding import DIMENSIONS
from memory.weighing import KINDS, Kind

MAX_CHARACTERS: Final = 4000
"""Of one item. What is read into the vector is far less; the rest is for people."""
NEAR_DUPLICATE: Final = 0.99
"""Cosine from which two cases of one run, strategy, symbol and regime tell the same, if they are close in time."""
CLOSE_SESSIONS: Final = 21
"""How close, in sessions, about a month: beyond it the horizons no longer overlap, and the same situation again is
news of its own."""

_INSTRUCTIONS: Final = (
    ("to ignore instructions", r"\b(?:ignore|disregard|forget)\b[^.\n]{0,40}\b(?:instructions?|rules|prompts?|stop)\b"),
    ("to take another role", r"\byou are now\b|\bact as (?:an?|the)\b|\bpretend to be\b"),
    ("a role at the start of a line", r"^\s*(?:system|assistant|developer|user)\s*:"),
    ("a mark of a chat template", r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>"),
    ("the mark of a fence", r"untrusted[\s_-]*text"),
    ("to approve or release", r"\b(?:approve|release)\b\s+(?:all|every|everything|this case|the halt|waiting)\b"),
    ("to answer the same always", r"\banswer\b\s+['\"]?(?:keep|approve|yes)\b[^.\n]{0,40}\b(?:every|all|always)\b"),
    ("to move a limit", r"\b(?:raise|lift|remove|disable)\s+(?:the|all|every)\s+(?:limits?|caps?|controls?|stops?)\b"),
    ("to promote a lesson", r"\bpromote\b\s+(?:the|this|every)\s+lessons?\b"),
    ("to call a tool", r"\bcall\b\s+(?:the\s+)?(?:tool|function)\b"),
    ("to hide something", r"\b(?:do not|don't|never)\s+(?:tell|mention|show)\b"),
)  # fmt: skip
_PATTERNS: Final = tuple((why, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for why, pattern in _INSTRUCTIONS)


class Refusal(NamedTuple):
    """Why an item was not remembered: a code and a sentence that does not repeat the text."""

    code: str
    message: str


def inspect(text: str, *, kind: Kind, taint: bool) -> Refusal | None:
    """Judge a text before it is written; None when it may be remembered."""
    if kind not in KINDS:
        return Refusal("unknown_kind", f"{kind!r} is no kind of memory: use {', '.join(KINDS)}")
    seen = _visible(text)
    if not seen.strip():
        return Refusal("empty", "there is no text to remember")
    if len(text) > MAX_CHARACTERS:
        return Refusal("too_long", f"{len(text)} characters are more than {MAX_CHARACTERS}: shorten it")
    if taint and kind != "case":
        return Refusal("tainted", f"text that a stranger could have written does not become a {kind}")
    found = next((why for why, pattern in _PATTERNS if pattern.search(seen)), None)
    return Refusal("instruction", f"it reads like an instruction ({found})") if found else None


def usable(vector: NDArray[Any]) -> bool:
    """True for a finite unit vector of the encoder's length; anything else cannot be compared."""
    if vector.shape != (DIMENSIONS,) or not np.isfinite(vector).all():
        return False
    return bool(abs(float(np.linalg.norm(vector)) - 1.0) < 1e-3)


def _visible(text: str) -> str:
    """Compatibility forms folded and invisible characters taken out, so that neither hides a word."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c for c in folded if c in "\n\t" or unicodedata.category(c)[0] != "C")
