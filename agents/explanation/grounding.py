"""P10: every number of a text must stand in evidence, to the precision shown, in the right unit and sign.

Dates, names and words of direction are held against it as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from agents.explanation import directions, names
from agents.explanation.directions import Placed
from agents.explanation.figures import Leaf, dates, leaves, strings, superseded, times
from agents.explanation.output import NumberRef, Unit
from agents.explanation.tokens import ID, PARTS, Masked, Shown, Token, mask_structure, numbers, window_of
from tools.types import Evidence, Frozen

_NAMES = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
]  # fmt: skip
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?\\.?" if len(name) > 3 else name for name in _NAMES) + "|sept\\.?"
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(?:T[\d:.]+Z?)?\b")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})(?:,? (\d{{4}}))?\b", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\b(?![.,]?\d)", re.IGNORECASE)
_MONTH_YEAR = re.compile(rf"\b({_MONTH})(?: of)? (\d{{4}})\b(?![.,]?\d)", re.IGNORECASE)
_SLASHED = re.compile(r"\b\d{1,4}[/.]\d{1,2}[/.]\d{2,4}\b")
_YEAR = re.compile(r"\b(?:in|of|by|since|year) ((?:19|20)\d{2})\b(?![.,]?\d|\s?%)", re.IGNORECASE)
_TIME = re.compile(r"\b(\d{1,2}):(\d{2})(?::\d{2})?(?:\s?UTC)?\b")
_WEEKDAY = re.compile(r"\b((?:mon|tues|wednes|thurs|fri|satur|sun)day),? (?:the )?$", re.IGNORECASE)
_SPAN = re.compile(r"\b([a-z]+|\d+)-(?:session|day)\b")
_QUOTED = re.compile(r"“([^”]{3,})”|\"([^\"]{3,})\"")


class GroundingReport(Frozen):
    """What became of a text. `unresolved` holds numbers, dates, names, words and ids that nothing in evidence says."""

    resolved: tuple[NumberRef, ...]
    unresolved: tuple[str, ...]
    dates: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.unresolved

    @property
    def numbers(self) -> int:
        return len(self.resolved) + len(self.unresolved)


def check(
    text: str,
    evidence: Iterable[Evidence],
    *,
    only: frozenset[tuple[str, str]] | None = None,
    known_ids: frozenset[str] = frozenset(),
    words: bool = True,
) -> GroundingReport:
    """Hold every number, date, name, direction word and id of a text against evidence.

    A percentage resolves to a fraction times 100 or to a value stored in percent, never to a bare number; bps
    likewise; money signs only to money; "shares", "sessions", "hours" only to such. Signs must agree, "fell 3 %" being
    negative. A number in a sentence about one symbol is no other symbol's; one that newer evidence replaced needs its
    date beside it, and a date beside numbers is one of theirs. `only` narrows the values that may be used to
    (evidence id, pointer) pairs. Without `words` names and words of direction are not looked at.
    """
    held = tuple(evidence)
    masked = Masked(text)
    _quotations(masked, held)
    unresolved = [c for c in masked.text if not c.isascii() and c.isnumeric()]
    unresolved += _ids(masked, held, known_ids)
    _series(masked, held)
    spoken = names.find(masked, held)
    spans = names.sentences(masked.text, spoken.known)
    said, wrong_dates = _dates(masked, held)
    unresolved += [*wrong_dates, *(found[0] for found in PARTS.finditer(masked.text))]
    unresolved += spoken.unknown if words else ()
    fields = frozenset(part for leaf in leaves(held) for part in leaf.pointer.split("/"))
    mask_structure(masked, fields)
    every = tuple(leaves(held))
    usable = [leaf for leaf in every if only is None or (leaf.evidence_id, leaf.pointer) in only]
    sayable = _Sayable(usable, superseded(held), spans, spoken.known, said)
    placed: list[Placed] = []
    for token in numbers(masked):
        fitting = sayable.fitting(token)
        if not fitting:
            unresolved.append(token.text)
        else:
            leaf = max(fitting, key=lambda one: (_named_in(text, one), -abs(_shown(token, one) - one.value)))
            placed.append(Placed(token, leaf, _shown(token, leaf), frozenset(one.unit for one in fitting)))
    placed.sort(key=lambda item: item.token.start)
    unresolved += sayable.misdated(placed, held)
    for span in spans if words else ():
        about = _subjects(spoken.known, span, held)
        theirs = [leaf for leaf in every if not about or not leaf.symbols or leaf.symbols & about]
        inside = [item for item in placed if span[0] <= item.token.start < span[1]]
        ends = [name.end for name in spoken.known if span[0] <= name.start < span[1]]
        sentence = directions.Sentence(text, *span, inside, ends, theirs)
        unresolved += directions.contradictions(sentence, held)
    return GroundingReport(
        resolved=tuple(_reference(item) for item in placed), unresolved=tuple(unresolved),
        dates=tuple(item.text for item in said),
    )  # fmt: skip


def _subjects(known: Sequence[names.Mention], span: tuple[int, int], evidence: Sequence[Evidence]) -> set[str]:
    """Who a sentence is about: those it names, else the last one named before it, else what is proposed."""
    inside = {name.symbol for name in known if span[0] <= name.start < span[1]}
    before = [name.symbol for name in known if name.start < span[0]]
    proposed = {item.symbol for item in evidence if item.kind == "proposal" and item.symbol is not None}
    return inside or set(before[-1:]) or proposed


def _reference(item: Placed) -> NumberRef:
    leaf = item.leaf
    return NumberRef(
        text=item.token.text, value=leaf.value, unit=leaf.unit, evidence_id=leaf.evidence_id, pointer=leaf.pointer
    )


class _Said(NamedTuple):
    """A date of a text that evidence holds; `day` is None where the text leaves some of it out."""

    start: int
    text: str
    day: date | None


class _Sayable(NamedTuple):
    """What may be said where: values by who a sentence is about and by the dates in it."""

    values: list[Leaf]
    replaced: dict[str, frozenset[date]]
    spans: list[tuple[int, int]]
    spoken: tuple[names.Mention, ...]
    said: list[_Said]

    def fitting(self, token: Token) -> list[Leaf]:
        """The values that a number may stand for at its place."""
        about, days = self._about(token.start), {item.day for item in self._beside(token.start)}
        return [
            leaf
            for leaf in self.values
            if matches(token, leaf)
            and (about is None or not leaf.symbols or about in leaf.symbols)
            and (leaf.evidence_id not in self.replaced or days & self.replaced[leaf.evidence_id])
        ]

    def misdated(self, placed: Sequence[Placed], evidence: Sequence[Evidence]) -> list[str]:
        """Dates that stand beside numbers none of which is of that day, nor the day of the whole."""
        by_id = {item.id: item for item in evidence}
        latest = max((item.known_at.date() for item in evidence), default=None)
        wrong = []
        for item in self.said:
            span = self._span(item.start)
            tokens = [one.token for one in placed if self._span(one.token.start) == span]
            backing = {leaf.evidence_id for token in tokens for leaf in self.fitting(token)}
            days = dates(by_id[key] for key in backing) | {latest}
            if tokens and item.day is not None and item.day not in days:
                wrong.append(item.text)
        return wrong

    def _span(self, at: int) -> tuple[int, int]:
        return next((span for span in reversed(self.spans) if span[0] <= at), (0, 0))

    def _beside(self, at: int) -> list[_Said]:
        return [item for item in self.said if self._span(item.start) == self._span(at)]

    def _about(self, at: int) -> str | None:
        """The symbol that a place speaks of: the last one named before it in its sentence, else the first one in it."""
        begin, end = self._span(at)
        inside = [name for name in self.spoken if begin <= name.start < end]
        before = [name for name in inside if name.start < at]
        return before[-1].symbol if before else inside[0].symbol if inside else None


_FACTORS: dict[tuple[Shown, Unit], Decimal] = {
    ("percent", "fraction"): Decimal(100), ("percent", "percent"): Decimal(1),
    ("bps", "fraction"): Decimal(10000), ("bps", "percent"): Decimal(100),
    ("money", "money"): Decimal(1), ("quantity", "quantity"): Decimal(1), ("sessions", "sessions"): Decimal(1),
    ("hours", "hours"): Decimal(1), ("count", "count"): Decimal(1),
    ("none", "fraction"): Decimal(1), ("none", "money"): Decimal(1), ("none", "quantity"): Decimal(1),
    ("none", "sessions"): Decimal(1), ("none", "hours"): Decimal(1), ("none", "count"): Decimal(1),
    ("none", "plain"): Decimal(1),
}  # fmt: skip


_LOSSES = frozenset({"drawdown", "daily_loss"})
"""Stored as what was lost, above zero: a word for less is right, a minus sign is not."""


def _named_in(text: str, leaf: Leaf) -> int:
    """How many parts of a leaf's pointer the text names: among equal values the one it speaks of is meant."""
    said = text.lower()
    windows = {window_of(found[1]) for found in _SPAN.finditer(said)}
    named = sum(part.replace("_", " ") in said for part in leaf.pointer.split("/")[1:])
    return named + (leaf.key.rpartition("_")[2] in windows)


def matches(token: Token, leaf: Leaf) -> bool:
    """True when the leaf, brought into the unit shown and rounded to the precision shown, is the token."""
    factor = _FACTORS.get((token.shown, leaf.unit))
    if factor is None or token.value is None:
        return False
    value = leaf.value * factor / token.scale
    if token.sign < 0 and value > 0 and not (token.worded and _LOSSES & set(leaf.pointer.split("/"))):
        return False
    step = Decimal(1).scaleb(-token.decimals)
    rounded = {abs(value).quantize(step, rounding=mode) for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN)}
    if token.sign >= 0 and value < 0 and 0 not in rounded:
        return False
    return token.value in rounded


def _shown(token: Token, leaf: Leaf) -> Decimal:
    """The size of a number that matches a leaf, as shown, in the unit of the leaf and with its sign."""
    size = (token.value or Decimal(0)) * token.scale / _FACTORS[token.shown, leaf.unit]
    return -size if leaf.value < 0 else size


def _quotations(masked: Masked, evidence: tuple[Evidence, ...]) -> None:
    texts = [text for _, _, text in strings(evidence)]
    for found in _QUOTED.finditer(masked.text):
        quoted = found[1] or found[2]
        if any(quoted in text for text in texts):
            masked.blank(*found.span())


def _series(masked: Masked, evidence: tuple[Evidence, ...]) -> None:
    """Blank the names of series, which may hold digits: a name is no figure."""
    for item in evidence:
        name = item.payload.get("series")
        if isinstance(name, str) and any(c.isalpha() for c in name):
            for written in {name, name.replace("_", " ")}:
                masked.blank_all(re.compile(rf"(?<![\w.]){re.escape(written)}(?!\w)"))


def _ids(masked: Masked, evidence: tuple[Evidence, ...], known: frozenset[str]) -> list[str]:
    allowed = known | {item.id for item in evidence}
    allowed |= {found for _, _, text in strings(evidence) for found in ID.findall(text)}
    wrong = []
    for found in ID.finditer(masked.text):
        if found[0] not in allowed:
            wrong.append(found[0])
        masked.blank(*found.span())
    return wrong


def _dates(masked: Masked, evidence: tuple[Evidence, ...]) -> tuple[list[_Said], list[str]]:
    """Blank every date and time; returns those found in evidence and the texts of those that are not."""
    known, moments = dates(evidence), times(evidence)
    right: list[_Said] = []
    wrong: list[str] = []

    def settle(found: re.Match[str], days: Collection[date], *, whole: bool = True, group: int = 0) -> None:
        weekday = _WEEKDAY.search(masked.text[: found.start()]) if whole else None
        if weekday is not None:
            days = [day for day in days if f"{day:%A}".lower() == weekday[1].lower()]
        if days:
            right.append(_Said(found.start(), found[group], next(iter(days)) if whole and len(days) == 1 else None))
        else:
            wrong.append(found[group])
        masked.blank(*found.span(group))

    for found in _ISO.finditer(masked.text):
        settle(found, known & {_day(int(found[1]), int(found[2]), int(found[3]))})
    for found in _DAY_MONTH.finditer(masked.text):
        settle(found, _named(found[3], found[2], found[1], known))
    for found in _MONTH_DAY.finditer(masked.text):
        settle(found, _named(found[3], found[1], found[2], known))
    for found in _MONTH_YEAR.finditer(masked.text):
        in_month = [day for day in known if day.year == int(found[2]) and day.month == _month(found[1])]
        settle(found, in_month, whole=False)
    for found in _SLASHED.finditer(masked.text):
        settle(found, ())
    for found in _TIME.finditer(masked.text):
        moment = (int(found[1]), int(found[2])) in moments
        settle(found, known if moment else (), whole=False)
    for found in _YEAR.finditer(masked.text):
        settle(found, [day for day in known if day.year == int(found[1])], whole=False, group=1)
    return right, wrong


def _named(year: str | None, month: str, day: str, known: frozenset[date]) -> list[date]:
    return [
        one
        for one in known
        if one.month == _month(month) and one.day == int(day) and (year is None or one.year == int(year))
    ]


def _month(name: str) -> int:
    return next(i for i, full in enumerate(_NAMES, start=1) if full.startswith(name.lower().rstrip(".")[:3]))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
