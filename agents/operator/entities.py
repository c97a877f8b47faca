"""What a question names: symbols and companies, sectors, strategies, cases, limits, amounts and days."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agents.operator.amounts import Amount, amount_at, day_at
from agents.operator.slots import Universe
from agents.operator.tokens import Word, words_of
from agents.operator.words import (
    KNOWN,
    LIMIT_AFTER,
    LIMIT_ALONE,
    LIMIT_BEFORE,
    LIMIT_JOIN,
    LIMIT_STEMS,
    SECTOR_WORDS,
)

MAX_CHOICES = 6
_CASE = re.compile(r"case_\w{1,64}", re.ASCII)
_TICKER = re.compile(r"[A-Z][A-Z0-9]{0,4}(?:[.\-][A-Z]{1,2})?")
_NO_TICKERS = """
VAR CVAR PNL NAV SLA ADV ATR VIX USD US EU AI API CLI ETF OK FYI ASAP P L SEC CEO GDP EPS PE CASE
"""
_ABBREVIATIONS = frozenset(_NO_TICKERS.split())
_LEADS_TO_NAME = """
buy buys buying bought sell sells selling sold hold holding own owning trade traded skip skipped in on of about for to
veto vetoed reject rejected block blocked propose proposed proposing explain
"""
_BEFORE_NAME = frozenset(_LEADS_TO_NAME.split())
_STEMS = sorted(
    ((tuple(stem.split()), name) for name, stems in LIMIT_STEMS.items() for stem in stems), key=lambda p: -len(p[0])
)


@dataclass
class Entities:
    """Everything found; `rest` are the words that are left, with an entity as one word `<kind>`."""

    symbols: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    sectors: list[str] = field(default_factory=list)
    strategies: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    amounts: list[Amount] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    choices: tuple[str, ...] = ()
    rest: list[Word] = field(default_factory=list)

    @property
    def none(self) -> bool:
        """True when nothing that an answer could be about was named."""
        return not (self.symbols or self.cases or self.sectors or self.strategies or self.limits)


def recognise(question: str, universe: Universe, *, supposing: bool = False) -> Entities:
    """Find the entities of a question. With `supposing` a limit may be named by its bare stem, e.g. `sector`."""
    forms = {form.lower(): symbol for form, symbol in universe.forms.items()}
    names = {part for form in forms for part in form.split()} | {name.lower() for name in universe.names}
    names |= {part for name in (*universe.sectors, *universe.strategies) for part in name.lower().split()}
    names |= set(SECTOR_WORDS) | {part for stem, _ in _STEMS for part in stem}
    names |= {word.lower() for name in universe.names.values() for word in re.findall(r"[A-Za-z]+", name)}
    words = words_of(question, names - KNOWN)
    shouted = question.isupper() and sum(word.low.isalpha() for word in words) > 2
    reader = _Reader(words, universe, forms, shouted, supposing)
    while reader.at < len(words):
        reader.step()
    return reader.found


class _Reader:
    """One pass over the words, longest match first."""

    def __init__(
        self, words: list[Word], universe: Universe, forms: dict[str, str], shouted: bool, supposing: bool
    ) -> None:
        self.words, self.universe, self.forms = words, universe, forms
        self.shouted, self.supposing = shouted, supposing
        self.found = Entities()
        self.at = 0

    def step(self) -> None:
        word = self.words[self.at]
        lows = [item.low for item in self.words[self.at :]]
        if _CASE.fullmatch(word.low) or word.low.startswith("appr_"):
            self._take("case", self.found.cases, word.text if _CASE.fullmatch(word.text) else word.text[5:], 1)
        elif (day := day_at(lows, self.universe)) is not None:
            self._take("day", self.found.days, day.day, day.length)
        elif (amount := amount_at(lows)) is not None:
            self._take("amount", self.found.amounts, amount, amount.length)
        elif (limit := _limit_at(lows, self.supposing)) is not None:
            self._take("limit", self.found.limits, limit[0], limit[1])
        elif (company := self._company(lows)) is not None:
            self._take("symbol", self.found.symbols, company[0], company[1])
        elif (sector := self._sector(lows)) is not None:
            self._take("sector", self.found.sectors, sector[0], sector[1])
        elif word.low in {name.lower() for name in self.universe.strategies}:
            self._take("strategy", self.found.strategies, word.low, 1)
        elif (symbol := self._symbol(word)) is not None:
            self._take("symbol", self.found.symbols, symbol, 1)
        else:
            self.found.rest.append(word)
            self.at += 1

    def _take(self, kind: str, kept: list[Any], value: Any, length: int) -> None:
        if value not in kept or kind == "amount":
            kept.append(value)
        self.found.rest.append(
            Word(" ".join(word.text for word in self.words[self.at : self.at + length]), f"<{kind}>")
        )
        self.at += length

    def _company(self, lows: Sequence[str]) -> tuple[str, int] | None:
        """The longest form of a company that begins here; one ordinary word is none unless typed as a ticker."""
        for length in range(min(6, len(lows)), 0, -1):
            symbol = self.forms.get(" ".join(lows[:length]))
            if symbol is None:
                continue
            alone = length == 1 and lows[0] in KNOWN
            if not alone or (self.words[self.at].text == symbol and not self.shouted):
                return symbol, length
        return None

    def _sector(self, lows: Sequence[str]) -> tuple[str, int] | None:
        for length in range(min(4, len(lows)), 0, -1):
            said = " ".join(lows[:length])
            meant = {name for name in self.universe.sectors if name.lower() == said}
            if length == 1 and not meant and not (said == "it" and self.words[self.at].text != "IT"):
                part = SECTOR_WORDS.get(said, said if len(said) > 4 and said not in KNOWN else "")
                meant = {name for name in self.universe.sectors if part and part in name.lower().split()}
            if len(meant) == 1:
                return meant.pop(), length
        return None

    def _symbol(self, word: Word) -> str | None:
        bare, marked = word.text.removeprefix("$"), word.text.startswith("$")
        upper, known = bare.upper(), word.low in KNOWN and not marked
        listed = upper in self.universe.names
        if word.is_mark or not bare[0].isalpha():
            return None
        if self.shouted or not bare.isupper():
            if listed and not known and len(bare) > 1:
                return upper
            return None if known else self._by_name(word)
        if listed and (marked or (len(bare) > 1 and upper not in _ABBREVIATIONS) or (len(bare) == 1 and not known)):
            return upper
        ticker = _TICKER.fullmatch(bare) and len(bare) > 1 and not known and upper not in _ABBREVIATIONS
        return upper if marked or ticker else None

    def _by_name(self, word: Word) -> str | None:
        """A company by the first word of its name or by one like it; several of them are choices to ask back."""
        low = word.low
        before = self.words[self.at - 1].low if self.at else ""
        if len(low) > 3 and low.isalpha():
            starting = [s for s, name in self.universe.names.items() if re.split(r"\W", name.lower())[0] == low]
            if len(starting) == 1:
                return starting[0]
            if starting:
                self.found.choices = tuple(sorted(starting)[:MAX_CHOICES])
                return None
            near = {self.forms[form] for form in difflib.get_close_matches(low, self.forms, n=3, cutoff=0.84)}
            if len(near) == 1 and len(low) > 4:
                return near.pop()
        if before in _BEFORE_NAME and _TICKER.fullmatch(low.upper()) and low.isalnum():
            return low.upper()
        return None


def _limit_at(lows: Sequence[str], supposing: bool) -> tuple[str, int] | None:
    """A limit of the file that is named from here on, and how many words name it."""
    for name in LIMIT_STEMS:
        if lows[0] in (name, name.removeprefix("max_").removeprefix("min_")) and "_" in lows[0]:
            return name, 1 + (len(lows) > 1 and lows[1] in LIMIT_AFTER)
    start = 1 if lows[0] in (*LIMIT_BEFORE, *LIMIT_AFTER) else 0
    joined = start
    while start and joined < len(lows) and lows[joined] in LIMIT_JOIN:
        joined += 1
    for stem, name in _STEMS:
        end = joined + len(stem)
        if tuple(lows[joined:end]) != stem:
            continue
        after = end < len(lows) and lows[end] in LIMIT_AFTER
        if start and joined == start and not after and lows[0] in ("limit", "limits", "cap", "caps"):
            continue
        if start or after or supposing or " ".join(stem) in LIMIT_ALONE:
            return name, end + after
    return None
