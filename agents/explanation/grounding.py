"""P10: every number of a text must stand in evidence, to the precision shown, in the right unit and sign."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from agents.explanation.figures import Leaf, dates, leaves, strings, times
from agents.explanation.output import NumberRef, Unit
from agents.explanation.tokens import ID, Masked, Shown, Token, mask_structure, numbers
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
_QUOTED = re.compile(r"“([^”]{3,})”|\"([^\"]{3,})\"")


class GroundingReport(Frozen):
    """What became of the numbers of a text. `unresolved` holds numbers, dates and ids nothing in evidence says."""

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
) -> GroundingReport:
    """Hold every number, date and id of a text against evidence.

    A percentage resolves to a fraction times 100 or to a value stored in percent, never to a bare number; bps
    likewise; money signs only to money; "shares", "sessions", "hours" only to such. Signs must agree, "fell 3 %"
    being negative. `only` narrows the values that may be used to (evidence id, pointer) pairs.
    """
    held = tuple(evidence)
    masked = Masked(text)
    _quotations(masked, held)
    unresolved = [c for c in masked.text if not c.isascii() and c.isnumeric()]
    unresolved += _ids(masked, held, known_ids)
    found_dates, wrong_dates = _dates(masked, held)
    unresolved += wrong_dates
    _series(masked, held)
    fields = frozenset(part for leaf in leaves(held) for part in leaf.pointer.split("/"))
    mask_structure(masked, fields)
    usable = [leaf for leaf in leaves(held) if only is None or (leaf.evidence_id, leaf.pointer) in only]
    resolved: list[NumberRef] = []
    for token in numbers(masked):
        leaf = max((one for one in usable if matches(token, one)), key=lambda one: _named_in(text, one), default=None)
        if leaf is None:
            unresolved.append(token.text)
        else:
            resolved.append(
                NumberRef(
                    text=token.text,
                    value=leaf.value,
                    unit=leaf.unit,
                    evidence_id=leaf.evidence_id,
                    pointer=leaf.pointer,
                )
            )
    return GroundingReport(resolved=tuple(resolved), unresolved=tuple(unresolved), dates=tuple(found_dates))


_FACTORS: dict[tuple[Shown, Unit], Decimal] = {
    ("percent", "fraction"): Decimal(100), ("percent", "percent"): Decimal(1),
    ("bps", "fraction"): Decimal(10000), ("bps", "percent"): Decimal(100),
    ("money", "money"): Decimal(1), ("quantity", "quantity"): Decimal(1), ("sessions", "sessions"): Decimal(1),
    ("hours", "hours"): Decimal(1), ("count", "count"): Decimal(1),
    ("none", "fraction"): Decimal(1), ("none", "money"): Decimal(1), ("none", "quantity"): Decimal(1),
    ("none", "sessions"): Decimal(1), ("none", "hours"): Decimal(1), ("none", "count"): Decimal(1),
    ("none", "plain"): Decimal(1),
}  # fmt: skip


def _named_in(text: str, leaf: Leaf) -> int:
    """How many parts of a leaf's pointer the text names: among equal values the one it speaks of is meant."""
    said = text.lower()
    return sum(part.replace("_", " ") in said for part in leaf.pointer.split("/")[1:])


def matches(token: Token, leaf: Leaf) -> bool:
    """True when the leaf, brought into the unit shown and rounded to the precision shown, is the token."""
    factor = _FACTORS.get((token.shown, leaf.unit))
    if factor is None or token.value is None:
        return False
    value = leaf.value * factor / token.scale
    if token.sign < 0 and value > 0:
        return False
    step = Decimal(1).scaleb(-token.decimals)
    rounded = {abs(value).quantize(step, rounding=mode) for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN)}
    if token.sign >= 0 and value < 0 and 0 not in rounded:
        return False
    return token.value in rounded


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


def _dates(masked: Masked, evidence: tuple[Evidence, ...]) -> tuple[list[str], list[str]]:
    """Blank every date and time; returns those found in evidence and those that are not."""
    known, moments = dates(evidence), times(evidence)
    right: list[str] = []
    wrong: list[str] = []

    def settle(found: re.Match[str], holds: bool, group: int = 0) -> None:
        (right if holds else wrong).append(found[group])
        masked.blank(*found.span(group))

    for found in _ISO.finditer(masked.text):
        settle(found, _day(int(found[1]), int(found[2]), int(found[3])) in known)
    for found in _DAY_MONTH.finditer(masked.text):
        settle(found, _named(found[3], found[2], found[1], known))
    for found in _MONTH_DAY.finditer(masked.text):
        settle(found, _named(found[3], found[1], found[2], known))
    for found in _MONTH_YEAR.finditer(masked.text):
        settle(found, any(day.year == int(found[2]) and day.month == _month(found[1]) for day in known))
    for found in _SLASHED.finditer(masked.text):
        settle(found, False)
    for found in _TIME.finditer(masked.text):
        settle(found, (int(found[1]), int(found[2])) in moments)
    for found in _YEAR.finditer(masked.text):
        settle(found, any(day.year == int(found[1]) for day in known), 1)
    return right, wrong


def _named(year: str | None, month: str, day: str, known: frozenset[date]) -> bool:
    return any(
        one.month == _month(month) and one.day == int(day) and (year is None or one.year == int(year)) for one in known
    )


def _month(name: str) -> int:
    return next(i for i, full in enumerate(_NAMES, start=1) if full.startswith(name.lower().rstrip(".")[:3]))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
