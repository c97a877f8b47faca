"""Alpaca's words for bars, corporate actions, news, assets and clocks, turned into ours. Pure; nothing is repaired."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tools.canonical import stable_id
from tools.data.collectors.alpaca_client import garbled
from tools.data.types import Headline
from tools.types import Frozen, Symbol

NEW_YORK = ZoneInfo("America/New_York")
HEADLINE_LENGTH = 200
_SYMBOL = re.compile(r"^[A-Z][A-Z0-9.\-]{0,9}$")
_UNWRITTEN = re.compile(r"[\x00-\x1f\x7f]+")
W = TypeVar("W", bound=BaseModel)


class BarRow(NamedTuple):
    """One raw daily bar; `volume` in shares."""

    symbol: str
    day: date
    open: float
    high: float
    low: float
    close: float
    volume: float


class Unusable(NamedTuple):
    """A row that was not taken, and why."""

    symbol: str
    day: date | None
    why: str


class Told(Frozen):
    """A corporate action as Alpaca tells it: what it does is known, when it was announced is not.

    `spun` names the share that a spin-off hands out and `per_old` how many for one old share; its worth is not told.
    """

    id: str
    symbol: Symbol
    kind: str
    ex_date: date
    ratio: Decimal = Field(default=Decimal(1), gt=0)
    cash: Decimal = Field(default=Decimal(0), ge=0)
    spun: str | None = None
    per_old: Decimal = Decimal(0)


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Asset(_Wire):
    """A name as the venue lists it."""

    symbol: str
    name: str = ""
    status: str
    tradable: bool
    shortable: bool = False
    easy_to_borrow: bool = False


class VenueClock(_Wire):
    """The venue's own time."""

    timestamp: AwareDatetime


class _Split(_Wire):
    symbol: str
    old_rate: Decimal = Field(gt=0)
    new_rate: Decimal = Field(gt=0)
    ex_date: date


class _Rate(_Wire):
    symbol: str
    rate: Decimal = Field(ge=0)
    ex_date: date


class _SpinOff(_Wire):
    source_symbol: str
    source_rate: Decimal = Field(gt=0)
    new_symbol: str
    new_rate: Decimal = Field(gt=0)
    ex_date: date


class _Article(_Wire):
    id: int
    headline: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    symbols: tuple[str, ...] = ()


def bar_rows(page: Mapping[str, Any], path: str, days: Collection[date]) -> tuple[list[BarRow], list[Unusable]]:
    """The rows of one page, and those that were not taken; RetryableToolError `feed_garbled` without any `bars`."""
    bars = page.get("bars")
    if bars is None and "bars" in page:
        bars = {}
    if not isinstance(bars, dict):
        raise garbled(path, "no bars in it")
    rows: list[BarRow] = []
    troubles: list[Unusable] = []
    for symbol, items in bars.items():
        if not isinstance(items, list):
            raise garbled(path, f"the bars of {symbol[:10]} are no list")
        for item in items:
            found = _bar_row(symbol, item, days)
            if isinstance(found, BarRow):
                rows.append(found)
            else:
                troubles.append(found)
    return rows, troubles


def day_of(text: Any) -> date | None:
    """The New York date of a timestamp; None for what is none."""
    return _day(text) if isinstance(text, str) else None


def opening_of(snapshot: Any, day: date) -> Decimal | None:
    """The open of the daily bar in progress, when it is of `day` and a price; None otherwise."""
    bar = snapshot.get("dailyBar") if isinstance(snapshot, dict) else None
    if not isinstance(bar, dict) or day_of(bar.get("t")) != day:
        return None
    price = _number(bar.get("o"))
    return Decimal(str(price)) if price is not None and price > 0 else None


def traded_at(snapshot: Any) -> datetime | None:
    """When the latest trade of a snapshot was made."""
    trade = snapshot.get("latestTrade") if isinstance(snapshot, dict) else None
    try:
        at = datetime.fromisoformat(trade["t"]) if isinstance(trade, dict) else None
    except (KeyError, TypeError, ValueError):
        return None
    return at if at is not None and at.tzinfo is not None else None


def actions_of(page: Mapping[str, Any], path: str) -> tuple[list[Told], list[Unusable]]:
    """Splits, dividends and spin-offs of a page, and what else moves a name and has to be looked at by a person."""
    groups = page.get("corporate_actions")
    if not isinstance(groups, dict):
        raise garbled(path, "no corporate actions in it")
    told: list[Told] = []
    troubles: list[Unusable] = []
    for kind, items in groups.items():
        for item in items or ():
            raw = item if isinstance(item, dict) else {}
            try:
                found = _told(kind, raw)
            except (ValidationError, InvalidOperation):
                found = None
            if found is not None:
                told.append(found)
                continue
            name = raw.get("symbol") or raw.get("source_symbol") or raw.get("acquiree_symbol") or raw.get("old_symbol")
            day = _plain_day(raw.get("ex_date") or raw.get("effective_date") or raw.get("process_date"))
            troubles.append(Unusable(str(name)[:10], day, f"{kind.replace('_', ' ')} that the desk cannot book"))
    return told, troubles


def headline_of(raw: Any) -> Headline | None:
    """A tainted headline, known from its latest update because that is the text we have; None for an empty one."""
    try:
        article = _Article.model_validate(raw)
    except ValidationError:
        return None
    text = " ".join(_UNWRITTEN.sub(" ", html.unescape(article.headline)).split())[:HEADLINE_LENGTH]
    if not text:
        return None
    return Headline(
        id=stable_id("hl", "alpaca", article.id), text=text, source_kind="newswire", event_time=article.created_at,
        symbols=tuple(sorted({name for name in article.symbols if _SYMBOL.match(name)})),
        known_at=max(article.created_at, article.updated_at),
    )  # fmt: skip


def parsed(kind: type[W], raw: Any, path: str) -> W:
    """Read one object; RetryableToolError `feed_garbled` when it is not what the protocol says."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise garbled(path, ", ".join(str(item["loc"][0]) for item in error.errors() if item["loc"])) from None


def parsed_list(kind: type[W], raw: Any, path: str) -> list[W]:
    try:
        return TypeAdapter(list[kind]).validate_python(raw)  # type: ignore[valid-type]
    except ValidationError:
        raise garbled(path, "a list with entries of another form") from None


def _bar_row(symbol: str, raw: Any, days: Collection[date]) -> BarRow | Unusable:
    if not isinstance(raw, dict):
        return Unusable(symbol, None, "a bar is no object")
    day = day_of(raw.get("t"))
    if day is None or day not in days:
        return Unusable(symbol, day, f"a bar of {raw.get('t')!s:.30}, which is no session that was asked for")
    numbers = [_number(raw.get(key)) for key in ("o", "h", "l", "c", "v")]
    opened, high, low, close, volume = numbers
    if opened is None or high is None or low is None or close is None or volume is None:
        return Unusable(symbol, day, "a price or the volume is missing or no number")
    if low <= 0 or volume < 0:
        return Unusable(symbol, day, "a price or the volume is negative or zero")
    if not (low <= min(opened, close) and max(opened, close) <= high):
        return Unusable(symbol, day, "open or close lie outside high and low")
    return BarRow(symbol, day, opened, high, low, close, volume)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = float(value)
    return number if abs(number) < 1e15 else None


def _told(kind: str, raw: Mapping[str, Any]) -> Told | None:
    match kind:
        case "forward_splits" | "reverse_splits":
            split = _Split.model_validate(raw)
            effect: dict[str, Any] = {"symbol": split.symbol, "ratio": split.new_rate / split.old_rate}
            ex_date = split.ex_date
        case "stock_dividends":
            stock = _Rate.model_validate(raw)
            effect, ex_date = {"symbol": stock.symbol, "ratio": 1 + stock.rate}, stock.ex_date
        case "cash_dividends":
            cash = _Rate.model_validate(raw)
            effect, ex_date = {"symbol": cash.symbol, "cash": cash.rate}, cash.ex_date
        case "spin_offs":
            spin = _SpinOff.model_validate(raw)
            per_old = spin.new_rate / spin.source_rate
            effect = {"symbol": spin.source_symbol, "spun": spin.new_symbol, "per_old": per_old}
            ex_date = spin.ex_date
        case _:
            return None
    body = {**effect, "kind": kind, "ex_date": ex_date}
    return Told(id=str(raw.get("id") or stable_id("act", *(str(value) for value in body.values()))), **body)


@lru_cache(maxsize=2048)
def _day(text: str) -> date | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(NEW_YORK).date()


def _plain_day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None
