"""Fence text that a stranger could have written, so that a model reads it as data (P8)."""

from __future__ import annotations

import re
import unicodedata

from tools.canonical import sha256_hex

MAX_CHARACTERS = 6000

_LOOKALIKES = str.maketrans({"<": "‹", ">": "›", "`": "'", "[": "(", "]": ")", "{": "(", "}": ")"})
_LINE_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_ROLE_AT_LINE_START = re.compile(r"(?im)^(\s*)(system|assistant|developer|tool|user|human)\s*:")
_FENCE_WORD = re.compile(r"(?i)untrusted[\s_-]*(text)")


def neutralise(text: str) -> str:
    """Take from a text whatever could close a fence, open a role or hide from a reader.

    Compatibility forms are folded first (so a full-width bracket is a bracket), control and invisible
    format characters are removed, brackets and backticks become look-alikes, role words at the start of a
    line lose their colon. Longer texts are cut at `MAX_CHARACTERS`.
    """
    folded = _LINE_BREAKS.sub("\n", unicodedata.normalize("NFKC", text))
    visible = "".join(c for c in folded if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Cn"))
    cut = visible if len(visible) <= MAX_CHARACTERS else visible[:MAX_CHARACTERS] + " (cut)"
    plain_brackets = cut.translate(_LOOKALIKES)
    return _FENCE_WORD.sub(r"\1", _ROLE_AT_LINE_START.sub(r"\1\2 -", plain_brackets))


def fence(text: str) -> str:
    """Neutralise a text and put it between two marks that carry its own hash.

    The mark cannot be guessed from inside: it is a hash of the text that would have to contain it, and the
    angle brackets it is made of never survive `neutralise`.
    """
    safe = neutralise(str(text))
    mark = sha256_hex(safe.encode())[:12]
    return f"<<<UNTRUSTED TEXT {mark}\n{safe}\nEND OF UNTRUSTED TEXT {mark}>>>"
