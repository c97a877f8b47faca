"""Words that say which of two is larger, which way something went, or which side is taken, held against values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from agents.explanation.figures import Leaf
from agents.explanation.tokens import Token, window_of
from tools.types import Evidence

_MORE = r"above|over|more than|higher than|greater than|exceed(?:s|ed|ing)?|beyond|in excess of"
_LESS = r"below|under|less than|lower than|smaller than|beneath|short of|within|at most"
_COMPARED = re.compile(rf"\b(?:(?P<more>{_MORE})|(?P<less>{_LESS}))\b", re.IGNORECASE)
_UP = (
    "rises?|rose|risen|rising|increas(?:es?|ed|ing)|grows?|grew|grown|growing|climb(?:s|ed|ing)?|goes up|went up|"
    "mov(?:es?|ed|ing) up|jump(?:s|ed|ing)?|gain(?:s|ed|ing)?|widen(?:s|ed|ing)?|improv(?:es?|ed|ing)|"
    "lift(?:s|ed|ing)?|rais(?:es?|ed|ing)|boost(?:s|ed|ing)?|up"
)
_DOWN = (
    "falls?|fell|fallen|falling|decreas(?:es?|ed|ing)|declin(?:es?|ed|ing)|drop(?:s|ped|ping)?|shrinks?|shrank|"
    "shrinking|goes down|went down|mov(?:es?|ed|ing) down|sinks?|sank|slips?|slid|los(?:es?|t|ing)|narrow(?:s|ed|ing)?|"
    "eas(?:es?|ed|ing)|reduc(?:es?|ed|ing)|cut(?:s|ting)?|lower(?:s|ed|ing)|trim(?:s|med|ming)?|down"
)
_MOVED = re.compile(rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b[^.;]{{0,40}}?\bfrom\b", re.IGNORECASE)
_POLAR = r"(?P<up>positive|upward)|(?P<down>negative|downward)"
_SIGNED = {"momentum": "momentum", "tone": "score", "sentiment": "score"}
_SIGN = re.compile(
    rf"\b(?:(?P<field>{'|'.join(_SIGNED)})\b[^.,;:]{{0,30}}?\b(?:{_POLAR})\b"
    rf"|(?:{_POLAR.replace('?P<up>', '?P<up2>').replace('?P<down>', '?P<down2>')})\s(?P<field2>{'|'.join(_SIGNED)})\b)",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"\b(?:(?P<buy>buy|buys|buying|purchase|purchases|purchasing)|(?P<sell>sell|sells|selling|sale))\b"
    r"(?=[^.;,]{0,25}?\b\d[\d,]*\sshares)"
    r"|\b(?:propos(?:es?|al|ed)|order|recommends?|wants?|wishes)\s(?:is\s)?(?:for\s|to\s)(?:an?\s)?"
    r"(?:(?P<buy2>buy|purchase)|(?P<sell2>sell|sale))\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|no longer|nor|n't|without|instead of)\s(?:\w+\s)?$", re.IGNORECASE)
_SUBJECT = re.compile(r"\b(?:clos(?:e|ed|es|ing)|price|trades?|traded)\b", re.IGNORECASE)
_OBJECT = re.compile(
    r"^[^.,;]{0,12}?\b(?:(?P<n>[a-z]+|\d+)[- ](?:session|day)\s(?P<what>average|high)"
    r"|(?P<what2>average|high)\s(?:of|over)\s(?:the\s)?(?:last\s|past\s)?(?P<n2>[a-z]+|\d+)\s(?:sessions|days))\b",
    re.IGNORECASE,
)
_FAR = 80


class Placed(NamedTuple):
    """A number of a text, the value that it stands for, and its size as shown, in the unit of the value.

    `units` are those of every value that it could stand for.
    """

    token: Token
    leaf: Leaf
    shown: Decimal
    units: frozenset[str]


class Sentence(NamedTuple):
    """One sentence of a text: its span, its numbers in order, where names end in it, and the values it may mean."""

    text: str
    begin: int
    end: int
    placed: Sequence[Placed]
    names: Sequence[int]
    values: Sequence[Leaf]


class _Side(NamedTuple):
    """One side of a comparison."""

    leaf: Leaf
    size: Decimal
    units: frozenset[str]

    @classmethod
    def of(cls, leaf: Leaf) -> _Side:
        return cls(leaf, leaf.value, frozenset({leaf.unit}))


def contradictions(sentence: Sentence, evidence: Sequence[Evidence]) -> Iterator[str]:
    """The direction words of one sentence that its numbers, or the values of who it speaks of, contradict."""
    yield from _comparisons(sentence)
    yield from _moves(sentence)
    yield from _signs(sentence)
    yield from _sides(sentence, evidence)


def _negated(text: str, start: int) -> bool:
    return bool(_NOT.search(text[max(0, start - 24) : start]))


def _comparisons(said: Sentence) -> Iterator[str]:
    for found in _COMPARED.finditer(said.text, said.begin, said.end):
        right = _object(said, found.end())
        left = _left(said, found.start(), right) if right else None
        if left is None or right is None or left.size == right.size:
            continue
        more = bool(found["more"]) != _negated(said.text, found.start())
        if more != (left.size > right.size):
            yield found[0]


def _object(said: Sentence, at: int) -> _Side | None:
    """What comes after the word: the next number, or the average or high that is named."""
    after = next((item for item in said.placed if item.token.start >= at and item.token.start - at <= _FAR), None)
    if after is not None:
        return _Side(after.leaf, after.shown, after.units)
    named = _OBJECT.match(said.text[at : said.end])
    if named is None:
        return None
    prefix = "sma" if (named["what"] or named["what2"]).lower() == "average" else "high"
    key = f"{prefix}_{window_of(named['n'] or named['n2'])}"
    return next((_Side.of(leaf) for leaf in said.values if leaf.key == key), None)


def _left(said: Sentence, at: int, right: _Side) -> _Side | None:
    """What comes before it: the last number of the same unit since a name, else the close where it is spoken of."""
    since = max((end for end in said.names if end <= at), default=said.begin)
    before = [item for item in said.placed if since <= item.token.start < at and item.units & right.units]
    if before and at - before[-1].token.end <= _FAR:
        return _Side(before[-1].leaf, before[-1].shown, before[-1].units)
    same = [leaf for leaf in said.values if leaf.key == "close" and leaf.evidence_id == right.leaf.evidence_id]
    return _Side.of(same[0]) if same and _SUBJECT.search(said.text, since, at) else None


def _moves(said: Sentence) -> Iterator[str]:
    for found in _MOVED.finditer(said.text, said.begin, said.end):
        after = [item for item in said.placed if item.token.start >= found.end()][:2]
        if len(after) < 2 or not re.search(r"\bto\b", said.text[after[0].token.end : after[1].token.start]):
            continue
        first, second = (item.shown for item in after)
        if first != second and (first < second) != bool(found["up"]):
            yield found[0]


def _signs(said: Sentence) -> Iterator[str]:
    for found in _SIGN.finditer(said.text, said.begin, said.end):
        key = _SIGNED[(found["field"] or found["field2"]).lower()]
        held = [leaf.value for leaf in said.values if leaf.key.startswith(key) and leaf.value != 0]
        word = next(found.start(name) for name in ("up", "down", "up2", "down2") if found[name])
        up = bool(found["up"] or found["up2"]) != _negated(said.text, word)
        if held and all((value > Decimal(0)) != up for value in held):
            yield found[0]


def _sides(said: Sentence, evidence: Sequence[Evidence]) -> Iterator[str]:
    sides = {str(item.payload["side"]) for item in evidence if item.kind == "proposal" and "side" in item.payload}
    for found in _SIDE.finditer(said.text, said.begin, said.end):
        side = "buy" if found["buy"] or found["buy2"] else "sell"
        if sides and side not in sides and not _negated(said.text, found.start()):
            yield found[0]
