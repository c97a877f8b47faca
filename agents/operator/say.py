"""Build an answer line by line: a figure or the words of a record carry the place they stand in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from agents.operator.facts import Figure
from agents.operator.output import Action, Ref, Span, Unit

NOT_IN_EVIDENCE = "Not in evidence"
LEFT_OUT = f"{NOT_IN_EVIDENCE}: a line was left out because a figure in it stands in no record."
_FIGURE = re.compile(r"\d")
Line = tuple[Span, ...]


@dataclass
class Told:
    """Lines of an answer, and what it is about."""

    lines: list[Line] = field(default_factory=list)
    action: Action | None = None
    symbol: str | None = None
    case_id: str | None = None
    strategy: str | None = None
    sector: str | None = None

    def line(self, *parts: str | Span) -> Told:
        """Add a line; plain text in it may hold no figure."""
        self.lines.append(tuple(Span(text=part) if isinstance(part, str) else part for part in parts))
        return self

    def missing(self, what: str, *parts: str | Span) -> Told:
        """Say what nothing in evidence tells."""
        return self.line(f"{NOT_IN_EVIDENCE}: {what}", *parts)


def sealed(lines: Sequence[Line]) -> tuple[list[Line], int]:
    """Lines whose figures all stand in a record; a line with another is left out and its place says so.

    A value shown must be the value held: a span with a value whose text is not its rendering is a figure of nobody.
    """
    kept: list[Line] = []
    dropped = 0
    for line in lines:
        if all(_holds(span) for span in line):
            kept.append(line)
            continue
        dropped += 1
        if (Span(text=LEFT_OUT),) not in kept:
            kept.append((Span(text=LEFT_OUT),))
    return kept, dropped


def _holds(span: Span) -> bool:
    if span.ref is None:
        return _FIGURE.search(span.text) is None
    return span.value is None or span.text in (shown(span.value, span.unit), shown(span.value, span.unit, signed=True))


def shown(value: Decimal, unit: Unit, *, signed: bool = False) -> str:
    """A value as people read it."""
    sign = "+" if signed else ""
    match unit:
        case "share":
            return f"{value * 100:{sign},.2f} %"
        case "money" | "price":
            return f"{value:{sign},.2f}"
        case "ratio":
            return f"{value:{sign},.2f}"
        case "seconds":
            return f"{value / 60:{sign},.1f} minutes"
        case _:
            return f"{value:{sign},.0f}"


def figure(value: Decimal | int, unit: Unit, record: str, pointer: str, *, signed: bool = False) -> Span:
    """A figure with the place it stands in."""
    number = Decimal(value)
    return Span(
        text=shown(number, unit, signed=signed), ref=Ref(record=record, pointer=pointer), value=number, unit=unit
    )


def measured(item: Figure, *, signed: bool = False) -> Span:
    return Span(text=shown(item.value, item.unit, signed=signed), ref=item.ref, value=item.value, unit=item.unit)


def bound(item: Figure) -> Span | None:
    """The limit of a figure, as a figure."""
    if item.limit is None or item.limit_ref is None:
        return None
    return Span(text=shown(item.limit, item.unit), ref=item.limit_ref, value=item.limit, unit=item.unit)


def words(text: object, record: str, pointer: str = "") -> Span:
    """Words of a record: an id, a date, a name, a sentence that somebody or a tool wrote."""
    return Span(text=str(text), ref=Ref(record=record, pointer=pointer))


def heading(name: str) -> str:
    """A name at the head of a line."""
    return name[:1].upper() + name[1:]


def case_link(case_id: str) -> Span:
    return words(case_id, f"/cases/{case_id}", "/id")
