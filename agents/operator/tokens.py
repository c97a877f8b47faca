"""From text to words: contractions opened, misspelt words of the grammar put right, phrases made one word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from agents.operator.words import CLASSES, FACTORS, KNOWN, MONTHS, NUMBERS, PHRASES, WEEKDAYS

_TOKEN = re.compile(
    r"(?:case|appr)_\w+|\d{4}-\d{2}-\d{2}|\$?\d[\d,]*(?:\.\d+)?%?|\$?[A-Za-z][\w&'.\-]*|[?!.,;:]|&|%|-", re.ASCII
)
_NOT = {"cant": "can", "wont": "will", "shant": "shall", "dont": "do", "arent": "are", "aint": "is"}
_NEGATED = re.compile(r"(?:did|do|does|was|were|is|are|have|has|had|would|could|should|must|need)(?:n't|nt|n)")
_CLOSE = 0.8
_FIXED = (
    KNOWN | set(NUMBERS) | set(FACTORS) | set(MONTHS) | set(WEEKDAYS) | {"percent", "bps", "million"}
    | {word for old, _ in PHRASES for word in old.split()}
)  # fmt: skip
_CORRECTED = sorted(word for word in _FIXED if len(word) > 2)


@dataclass(frozen=True)
class Word:
    """One word: as typed, in small letters, and its classes in the grammar."""

    text: str
    low: str

    @property
    def classes(self) -> AbstractSet[str]:
        return CLASSES.get(self.low, frozenset())

    @property
    def is_mark(self) -> bool:
        return not self.low[0].isalnum() and self.low[0] not in "$<"


def words_of(text: str, names: AbstractSet[str]) -> list[Word]:
    """Words of a question in order. `names` are words in small letters that are nobody's misspelling."""
    plain = text.replace("’", "'").replace("‘", "'")
    found: list[Word] = []
    for token in _TOKEN.findall(plain):
        found += _opened(token)
    return _joined([_corrected(word, names) for word in found])


def _opened(token: str) -> list[Word]:
    bare = token if token[0].isdigit() or not token[0].isalnum() else token.rstrip(".-'&")
    marks = [Word(".", ".")] if bare != token and token.endswith(".") else []
    low = bare.lower()
    if low.replace("'", "") in _NOT or _NEGATED.fullmatch(low):
        root = _NOT.get(low.replace("'", "")) or re.sub(r"(?:n't|nt|n)$", "", low)
        return [Word(bare, root), Word(bare, "not"), *marks]
    for ending, word in (("'s", "is"), ("'re", "are"), ("'ve", "have"), ("'d", "would"), ("'ll", "will"), ("'m", "am")):
        if low.endswith(ending):
            root = bare[: -len(ending)]
            opened = [Word(root, root.lower())]
            if ending != "'s" or root.lower() in ("what", "that", "it", "how", "who", "where", "there"):
                opened.append(Word(bare, word))
            return [*opened, *marks]
    if low == "whats":
        return [Word(bare, "what"), Word(bare, "is"), *marks]
    return [Word(bare, low), *marks]


def _corrected(word: Word, names: AbstractSet[str]) -> Word:
    """The word of the grammar that was meant, where one is near and the word is nothing by itself."""
    low = word.low
    if len(low) < 3 or not low.isalpha() or low in _FIXED or low in names or word.text.isupper():
        return word
    swapped = [known for known in _CORRECTED if len(known) == len(low) and _swapped(known, low)]
    if len(swapped) == 1:
        return replace(word, low=swapped[0])
    if len(low) < 4:
        return word
    near = [known for known in difflib.get_close_matches(low, _CORRECTED, n=3, cutoff=_CLOSE) if known[0] == low[0]]
    return replace(word, low=near[0]) if near else word


def _swapped(known: str, low: str) -> bool:
    """Two letters beside each other have changed places."""
    wrong = [i for i, (a, b) in enumerate(zip(known, low, strict=True)) if a != b]
    return len(wrong) == 2 and wrong[1] == wrong[0] + 1 and known[wrong[0]] == low[wrong[1]] and (
        known[wrong[1]] == low[wrong[0]]
    )  # fmt: skip


def _joined(words: list[Word]) -> list[Word]:
    """Phrases that mean one word of the grammar, longest first."""
    phrases = sorted(((tuple(old.split()), new.split()) for old, new in PHRASES), key=lambda pair: -len(pair[0]))
    out: list[Word] = []
    at = 0
    while at < len(words):
        for old, new in phrases:
            part = words[at : at + len(old)]
            if tuple(word.low for word in part) == old:
                text = " ".join(word.text for word in part)
                out += [Word(text, low) for low in new]
                at += len(old)
                break
        else:
            out.append(words[at])
            at += 1
    return out
