"""Names, sectors, corporate actions and headlines: the facts that stand beside the prices."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar
from xml.etree import ElementTree

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from tools.canonical import stable_id
from tools.data.types import CorporateAction, Headline, Instrument
from tools.errors import ConfigError
from tools.types import Frozen, Instant, Symbol

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
ACTIONS_FILE = SAMPLE / "corporate_actions.yaml"
HEADLINES_FILE = SAMPLE / "headlines.yaml"
NAMES_FILE = SAMPLE / "names.yaml"
AFTER_CLOSE = time(21, 30)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Entry = TypeVar("Entry", bound=Frozen)


class NameEntry(Frozen):
    """A name that the sector file of the package lacks or describes as another company of later years."""

    symbol: Symbol
    name: str = Field(min_length=2)
    sector: str = Field(min_length=2)
    industry: str = Field(min_length=2)


class ActionEntry(Frozen):
    """One corporate action as written in the sample file; money and ratios are quoted strings."""

    symbol: Symbol
    kind: Literal["split", "distribution"]
    ex_date: date
    ratio: Decimal = Field(default=Decimal(1), gt=0)
    cash: Decimal = Field(default=Decimal(0), ge=0)
    known_at: Instant
    note: str = Field(min_length=10)


class HeadlineEntry(Frozen):
    """One headline as written in the sample file.

    `at` is a time in UTC. Left out when it is uncertain: the headline then counts as published at 21:30 UTC,
    after every close of the year, and can first be acted on in the next session.
    """

    day: date
    at: time | None = None
    text: str = Field(min_length=15, max_length=200)
    symbols: tuple[Symbol, ...] = ()
    source_kind: Literal["filing", "press_release", "exchange", "government", "newswire", "synthetic"]


def read_instruments(path: Path) -> dict[str, Instrument]:
    """Name, sector and industry by symbol: the package's XML, corrected and completed by our own list.

    The XML is of a later year than the prices, so a symbol may since have gone to another company.
    """
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - a pinned package's file, hash-checked at install
    except (OSError, ElementTree.ParseError) as error:
        raise _unusable(path, str(error)) from error
    found = {
        item.attrib["ticker"]: Instrument(
            symbol=item.attrib["ticker"], name=item.attrib["name"],
            sector=item.attrib["sector"], industry=item.attrib["industry"],
        )
        for item in root.iter("symbol")
    }  # fmt: skip
    for entry in read_entries(NAMES_FILE, NameEntry):
        found[entry.symbol] = Instrument(
            symbol=entry.symbol, name=entry.name, sector=entry.sector, industry=entry.industry
        )
    return found


def read_actions(path: Path = ACTIONS_FILE) -> tuple[CorporateAction, ...]:
    """Corporate actions in order of ex-date, then symbol. Each must be known by the time it takes effect."""
    actions = []
    for entry in read_entries(path, ActionEntry):
        if entry.ratio == 1 and entry.cash == 0:
            raise _unusable(path, f"{entry.symbol} on {entry.ex_date} has neither a ratio nor cash")
        actions.append(CorporateAction(**entry.model_dump()))
    return tuple(sorted(actions, key=lambda action: (action.ex_date, action.symbol)))


def read_headlines(path: Path = HEADLINES_FILE) -> tuple[Headline, ...]:
    """Headlines, oldest first by the moment they became known, ties by id."""
    items = []
    for entry in read_entries(path, HeadlineEntry):
        at = datetime.combine(entry.day, entry.at or AFTER_CLOSE, UTC)
        items.append(Headline(
            id=stable_id("hl", entry.day, entry.text), text=entry.text, symbols=entry.symbols,
            source_kind=entry.source_kind, event_time=at, known_at=at,
        ))  # fmt: skip
    return tuple(sorted(items, key=lambda item: (item.known_at, item.id)))


def read_entries(path: Path, model: type[Entry]) -> tuple[Entry, ...]:
    """Validate a YAML list of entries; ConfigError names the file, the entry and the field."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader either way
    except (OSError, yaml.YAMLError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(raw, list):
        raise _unusable(path, "it is not a list of entries")
    try:
        return tuple(TypeAdapter(list[model]).validate_python(raw))  # type: ignore[valid-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unusable(path, f"entry {where}: {first['msg']}, got {first['input']!r}") from error


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path.name} cannot be used: {why}; correct the entry or restore the shipped file", code="data_file_unusable"
    )
