"""Amounts and days in a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from agents.operator.slots import Universe
from agents.operator.words import FACTORS, MONTHS, NUMBERS, WEEKDAYS

_NUMBER = re.compile(r"(\$?)(\d[\d,]*(?:\.\d+)?)(%?)")
_UNITS: dict[str, str] = {
    "%": "percent", "percent": "percent", "pct": "percent", "percents": "percent", "bps": "bps", "bp": "bps",
    "shares": "shares", "share": "shares", "dollars": "money", "usd": "money", "points": "percent",
}  # fmt: skip
_SCALES: dict[str, int] = {"k": 1_000, "thousand": 1_000, "hundred": 100, "m": 1_000_000, "million": 1_000_000}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_AGO = {"week": 7, "month": 30, "fortnight": 14}


class Amount(NamedTuple):
    """A number with its unit; a percentage is a fraction already. `factor` is a multiple of what there is."""

    value: Decimal
    unit: Literal["share", "money", "shares", "factor", "number"]
    length: int


class Day(NamedTuple):
    day: date
    length: int


def amount_at(lows: Sequence[str]) -> Amount | None:
    """The amount that begins with the first word: `5 %`, `50 bps`, `$40k`, `two hundred shares`, `doubled`."""
    if lows[0] in FACTORS and not (lows[0] == "half" and len(lows) > 1 and lows[1] in ("a", "of")):
        return Amount(Decimal(FACTORS[lows[0]]), "factor", 1)
    found = _NUMBER.fullmatch(lows[0])
    if found:
        value, length = Decimal(found[2].replace(",", "")), 1
        kind = "percent" if found[3] else "money" if found[1] else "number"
    elif lows[0] in NUMBERS and (lows[0] != "one" or (len(lows) > 1 and lows[1] in _UNITS)):
        value, length, kind = Decimal(NUMBERS[lows[0]]), 1, "number"
    else:
        return None
    if length < len(lows) and lows[length] in _SCALES:
        value, length = value * _SCALES[lows[length]], length + 1
    rest = tuple(lows[length : length + 2])
    if rest in (("basis", "points"), ("basis", "point")):
        kind, length = "bps", length + 2
    elif rest == ("per", "cent"):
        kind, length = "percent", length + 2
    elif rest and rest[0] in _UNITS:
        kind, length = _UNITS[rest[0]], length + 1
    if kind == "percent":
        return Amount(value / 100, "share", length)
    if kind == "bps":
        return Amount(value / 10_000, "share", length)
    return Amount(value, "money" if kind == "money" else "shares" if kind == "shares" else "number", length)


def day_at(lows: Sequence[str], universe: Universe) -> Day | None:
    """The day that begins with the first word; days of words count from the last closed session."""
    if _ISO.fullmatch(lows[0]):
        return _made(lows[0], 1)
    if written := _written(lows, universe):
        return written
    last = universe.session
    if last is None:
        return None
    two = tuple(lows[:2])
    if lows[0] == "yesterday" or two in (("last", "session"), ("previous", "session"), ("last", "close")):
        return Day(universe.previous or last, 1 if lows[0] == "yesterday" else 2)
    if lows[0] in ("last", "past", "this") and len(lows) > 1 and lows[1] in _AGO:
        return Day(last - timedelta(days=_AGO[lows[1]]), 2)
    if lows[0] in WEEKDAYS:
        back = (last.weekday() - WEEKDAYS.index(lows[0])) % 7 or 7
        return Day(last - timedelta(days=back), 1)
    return None


def _written(lows: Sequence[str], universe: Universe) -> Day | None:
    """`13 november 2009` or `nov 13`; without a year that of the desk's clock, or the one before."""
    for day_index, month_index in ((0, 1), (1, 0)):
        part = list(lows[:2])
        if len(part) < 2 or not re.fullmatch(r"\d{1,2}", part[day_index]) or len(part[month_index]) < 3:
            continue
        month = next((i for i, name in enumerate(MONTHS, 1) if name.startswith(part[month_index])), None)
        if month is None:
            continue
        year = int(lows[2]) if len(lows) > 2 and re.fullmatch(r"(?:19|20)\d{2}", lows[2]) else None
        last = universe.session
        if year is None and last is None:
            continue
        assumed = year or (last.year if last and (month, int(part[day_index])) <= (last.month, last.day) else 0)
        assumed = assumed or (last.year - 1 if last else 0)
        return _made(f"{assumed:04d}-{month:02d}-{int(part[day_index]):02d}", 3 if year else 2)
    return None


def _made(text: str, length: int) -> Day | None:
    try:
        return Day(date.fromisoformat(text), length)
    except ValueError:
        return None
