"""Find the numbers in a text. Everything that looks like one is one, except what is named here.

Kept apart: ids, dates and times (checked on their own), numbering at the start of lines, ordinals below the
hundredth, exact quotations of a payload, field names of a payload, the window of such a field ("20-session" for
`sma_20`, "over sixty sessions" for `momentum_60`), and the proper name "S&P 500". Numbers spelled out count where a
unit follows ("twelve percent").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Shown = Literal["none", "percent", "bps", "money", "quantity", "sessions", "hours", "count"]

_SUFFIX: dict[str, Shown] = {
    "%": "percent", "percent": "percent", "per cent": "percent", "percentage points": "percent",
    "percentage point": "percent", "pp": "percent", "bps": "bps", "bp": "bps", "basis points": "bps",
    "basis point": "bps", "dollars": "money", "dollar": "money", "usd": "money", "shares": "quantity",
    "share": "quantity", "sessions": "sessions", "session": "sessions", "hours": "hours", "hour": "hours",
    "cases": "count", "case": "count", "positions": "count", "position": "count",
}  # fmt: skip
_SCALE = {
    "thousand": Decimal(10**3), "k": Decimal(10**3), "million": Decimal(10**6), "mn": Decimal(10**6),
    "m": Decimal(10**6), "billion": Decimal(10**9), "bn": Decimal(10**9), "trillion": Decimal(10**12),
}  # fmt: skip
_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_UNIT = "|".join(re.escape(word) for word in sorted((s for s in _SUFFIX if s != "%"), key=len, reverse=True))
_SCALES = "|".join(sorted(_SCALE, key=len, reverse=True))
_TAIL = rf"(?:\s?(?P<scale>{_SCALES})\b)?(?:\s?(?P<percent>%)|[\s-]?(?P<unit>{_UNIT})\b)?"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.,)%])[-+−–])?(?P<currency>[$€£]|\b(?:USD|EUR|GBP)\s)?(?P<inner>[-−])?"
    rf"(?P<digits>\.?\d[\d.,]*(?:[eE][+-]?\d+)?){_TAIL}",
    re.IGNORECASE,
)
_WORDS = "|".join([*_SMALL, *_TENS, "hundred", "half", "quarter", "third", "dozen"])
_SPELLED = re.compile(
    rf"\b(?P<words>(?:{_WORDS})(?:(?:[\s-]|\sand\s)(?:{_WORDS}))*)(?=\s(?:{_SCALES}|{_UNIT})\b|\s?%){_TAIL}",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_BY = (
    r"\s(?:(?:it|them|the index|its index|the market)\s)?(?:by\s|of\s)?"
    r"(?:(?:some|about|roughly|around|nearly|another|on average|an average of|an average)\s)*$"
)
_DOWN = re.compile(
    r"\b(?:fell|fallen|falls|falling|down|dropped|drops|declined|declines|decreased|lost|loses|lagged|lags|trailed|"
    r"trails|underperformed|underperforms|slipped|sank|slid|shed|minus|negative|loss|losses|decline|fall|drop)" + _BY
)
_UP = re.compile(
    r"\b(?:rose|risen|rises|rising|up|gained|gains|climbed|increased|advanced|jumped|added|beat|beats|outperformed|"
    r"outperforms|plus|positive|gain|rise|increase)" + _BY
)
_REFERENCE = r"\s(?:on average\s)?(?P<way>{})\s(?:the\s|its\s|their\s)?(?:index|market|benchmark|peak|high)\b"
_BEHIND = re.compile(_REFERENCE.format("below|behind|under|less than|worse than|lower than"))
_AHEAD = re.compile(_REFERENCE.format("above|ahead of|over|more than|better than|higher than"))

ID = re.compile(r"\b[a-z]{2,12}_[0-9a-f]{8,64}\b")
PARTS = re.compile(
    rf"\b(?:(?:{'|'.join(_SMALL)}) (?:in|out of) (?:{'|'.join([*_SMALL, *_TENS])}|a hundred)|"
    r"(?:a|one|two|three|four) (?:third|quarter|fifth|tenth|half)s?|half(?= of\b)|"
    r"(?:doubled|tripled|quadrupled|halved|twofold|threefold))\b",
    re.IGNORECASE,
)
"""Shares and multiples in words, which no evidence holds as they stand."""
_NUMBERING = re.compile(r"(?m)^\s*(\d{1,2})[.)]\s")
_ORDINAL = re.compile(r"\b\d{1,2}(?:st|nd|rd|th)\b")
_NAMES = re.compile(r"\bS&P 500\b")
_FIELD = re.compile(r"\b[a-z]+(?:_[a-z]+)*_\d+\b")
_WINDOW = re.compile(r"\b(\d+)-(?:session|day)\b|\b(?:over|of the|last|past)\s(?:the\s)?(\d+)\s(?:sessions|days)\b")
_SPELLED_WINDOW = re.compile(
    rf"\b(?:over|of the|last|past)\s(?:the\s)?((?:{_WORDS})(?:-(?:{_WORDS}))?)\s(?:sessions|days)\b"
)


@dataclass(frozen=True)
class Token:
    """One number as shown. `value` is its size in shown units and None when the digits are malformed.

    `decimals` shown after the point; `scale` 1, a thousand, a million...; `sign` -1 or +1 where the text says so,
    0 where it does not; `worded` where it says so in a word. `start` and `end` are positions in the text.
    """

    text: str
    value: Decimal | None
    decimals: int
    scale: Decimal
    shown: Shown
    sign: int
    worded: bool
    start: int
    end: int


class Masked:
    """A text in which what is kept apart is blanked out, position by position."""

    def __init__(self, text: str) -> None:
        self.text = text

    def blank(self, start: int, end: int) -> None:
        self.text = self.text[:start] + " " * (end - start) + self.text[end:]

    def blank_all(self, pattern: re.Pattern[str]) -> None:
        for found in pattern.finditer(self.text):
            self.blank(*found.span())


def mask_structure(masked: Masked, field_names: frozenset[str]) -> None:
    """Blank list numbering that counts from one, ordinals, proper names, field names and their windows."""
    expected = 1
    for found in _NUMBERING.finditer(masked.text):
        if int(found[1]) in (1, expected):
            expected = int(found[1]) + 1
            masked.blank(*found.span(1))
    masked.blank_all(_ORDINAL)
    masked.blank_all(_NAMES)
    for found in _FIELD.finditer(masked.text):
        if found[0] in field_names:
            masked.blank(*found.span())
    windows = {name.rsplit("_", 1)[1] for name in field_names if _FIELD.fullmatch(name)}
    for found in _WINDOW.finditer(masked.text):
        if (found[1] or found[2]) in windows:
            masked.blank(*found.span())
    for found in _SPELLED_WINDOW.finditer(masked.text):
        if str(_spelled(found[1])) in windows:
            masked.blank(*found.span())


def numbers(masked: Masked) -> Iterator[Token]:
    """Every number left in a masked text, in reading order within digits and within words."""
    for found in _NUMBER.finditer(masked.text):
        yield _from_digits(found)
    for found in _SPELLED.finditer(masked.text):
        yield _from_words(found)


def _sign(found: re.Match[str]) -> tuple[int, bool]:
    """The sign that is written, else the one that the words before or behind say."""
    written = (found.groupdict().get("sign") or "").strip() + (found.groupdict().get("inner") or "")
    if written:
        return (1 if written == "+" else -1), False
    before = found.string[max(0, found.start() - 50) : found.start()].lower()
    behind = found.string[found.end() :].lower()
    if _DOWN.search(before) or _BEHIND.match(behind):
        return -1, True
    return (1, True) if _UP.search(before) or _AHEAD.match(behind) else (0, False)


def _shown(found: re.Match[str]) -> Shown:
    groups = found.groupdict()
    if groups.get("percent"):
        return "percent"
    if groups.get("unit"):
        return _SUFFIX[groups["unit"].lower()]
    return "money" if groups.get("currency") else "none"


def _scale(found: re.Match[str]) -> Decimal:
    return _SCALE[found["scale"].lower()] if found["scale"] else Decimal(1)


def _from_digits(found: re.Match[str]) -> Token:
    digits = found["digits"]
    end = digits.rstrip(".,")
    core, _, exponent = end.lower().partition("e")
    value = Decimal(core.replace(",", "")) if _PLAIN.fullmatch(core) else None
    decimals = len(core.partition(".")[2])
    if value is not None and exponent:
        value = value.scaleb(int(exponent))
        decimals = max(0, decimals - int(exponent))
    if end and found.string[found.start("digits") - 1 : found.start("digits")].isalpha() and not found["currency"]:
        value = None
    glued = found.string[found.end() : found.end() + 1]
    if not found["scale"] and not found["percent"] and not found["unit"] and (glued.isalpha() or glued == "_"):
        value = None
    text = found[0].strip().rstrip(".,")
    return Token(text, value, decimals, _scale(found), _shown(found), *_sign(found), *found.span())


def _from_words(found: re.Match[str]) -> Token:
    value = _spelled(found["words"].lower())
    return Token(found[0], value, 0, _scale(found), _shown(found), *_sign(found), *found.span())


def window_of(words: str) -> str:
    """A number of sessions in digits, from digits or words; "None" for other words."""
    return words if words.isdigit() else str(_spelled(words.lower()))


def _spelled(words: str) -> Decimal | None:
    """Value of a number in words below a thousand; None for fractions and dozens, which never resolve."""
    total = 0
    for word in re.split(r"[\s-]+", words):
        if word == "and":
            continue
        if word == "hundred":
            total = max(total, 1) * 100
        elif word in _SMALL:
            total += _SMALL.index(word)
        elif word in _TENS:
            total += 10 * (_TENS.index(word) + 2)
        else:
            return None
    return Decimal(total)
