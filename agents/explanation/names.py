"""Who a text speaks of: tickers, company names and strategies, those that evidence knows and those that it does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agents.explanation.figures import strings
from agents.explanation.tokens import Masked
from tools.types import Evidence

_FORM = re.compile(
    r"(?:,|\s&)?\s(?:Inc|Corp|Co|Cos|Corporation|Company|Companies|Ltd|PLC|plc|Group|Holdings|Holding|A|B)\.?$"
)
_COMMON_FIRST = frozenset({
    "advanced", "air", "allied", "american", "applied", "bank", "best", "big", "eastern", "first", "general", "home",
    "international", "national", "new", "northern", "public", "royal", "southern", "standard", "the", "united",
    "western",
})  # fmt: skip
_WORD = re.compile(r"(?<!\w)[A-Za-z]+(?:[&'’-][A-Za-z]+)*(?!\w)")
_CAPITAL = re.compile(r"\b[A-Z][A-Za-z]*(?:[&-][A-Za-z]+)*(?:\.[A-Z]\b)?")
_TICKER = re.compile(r"[A-Z]{2,5}(?:\.[A-Z])?")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"“(]?[A-Z\d])|(?<=;)\s+|\n+")
_OPENING = re.compile(r"(?:^|[.!?:;]\s+|\n\s*)[\"“(\-*•\s]*$")
_STRATEGY = re.compile(r"\b([a-z]+) strategy\b")
_NO_STRATEGY = frozenset({
    "the", "this", "that", "a", "its", "our", "their", "same", "other", "which", "every", "one", "proposing",
    "trading", "any", "no",
})  # fmt: skip
_NO_NAME = frozenset({
    "a", "all", "an", "and", "any", "as", "at", "because", "both", "but", "buying", "by", "each", "every",
    "everybody", "everything", "for", "from", "given", "he", "her", "here", "how", "i", "if", "in", "it", "its",
    "neither", "no", "nobody", "none", "not", "nothing", "of", "on", "one", "only", "or", "others", "our", "people",
    "selling", "shares", "she", "since", "so", "some", "that", "the", "their", "there", "these", "they", "this",
    "those", "though", "to", "two", "under", "until", "value", "we", "what", "when", "where", "whether", "which",
    "while", "who", "with", "without", "you", "your",
})  # fmt: skip
_CAPITALS = frozenset({
    "I", "UTC", "S&P", "SP", "ATR", "RSI", "SMA", "VAR", "VaR", "CVaR", "ADV", "EUR", "USD", "US", "USA", "UK", "EU",
    "NYSE", "NASDAQ", "ETF", "CEO", "CPI", "GDP", "YOY", "UST", "WTI", "AAA", "BAA", "OK", "Treasury", "Treasuries",
    "Fed", "Kelly", "Sharpe", "English", "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December", "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept",
    "Oct", "Nov", "Dec", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
})  # fmt: skip
_ACTS = re.compile(
    r"(?:['’]s\b|\s(?:closed?|closes|fell|rose|gained|lost|traded?|trades|opened|dropped|climbed|jumped|slid|reported|"
    r"reports|announced|beat|grew|stands|stood|returned|(?:is|was|would be) (?:proposed|bought|sold|held|traded))\b)"
)


class Mention(NamedTuple):
    """A name in a text and the symbol that it stands for."""

    start: int
    end: int
    symbol: str


class Spoken(NamedTuple):
    """The names of a text: those that evidence knows, and the texts of those that it does not."""

    known: tuple[Mention, ...]
    unknown: tuple[str, ...]


def aliases(evidence: Iterable[Evidence]) -> dict[str, str]:
    """Ways to say a name, each with its symbol: tickers, and company names with and without their legal form."""
    found: dict[str, str] = {}
    for item in evidence:
        listed = item.payload.get("symbols")
        for symbol in (item.symbol, *(listed if isinstance(listed, list) else ()), *_symbols_inside(item)):
            if isinstance(symbol, str) and symbol:
                found[symbol] = symbol
        name = item.payload.get("name")
        if item.symbol is not None and isinstance(name, str) and item.kind == "proposal":
            found |= dict.fromkeys(_said(name), item.symbol)
    return found


def _symbols_inside(item: Evidence) -> Iterator[str]:
    rows = item.payload.get("items")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("symbol"), str):
            yield str(row["symbol"])


def _said(name: str) -> Iterator[str]:
    yield name
    short = name
    while _FORM.search(short):
        short = _FORM.sub("", short)
        yield short
    first = short.split()[0].rstrip(",") if short.split() else ""
    if len(first) >= 5 and first.lower() not in _COMMON_FIRST:
        yield first


def sentences(text: str, known: Sequence[Mention]) -> list[tuple[int, int]]:
    """Spans of sentences, parted at semicolons too, of a text with names blanked, so that their dots end nothing."""
    for name in known:
        text = text[: name.start] + "N" * (name.end - name.start) + text[name.end :]
    spans, start = [], 0
    for found in _SENTENCE.finditer(text):
        spans.append((start, found.start()))
        start = found.end()
    return [*spans, (start, len(text))]


def find(masked: Masked, evidence: Sequence[Evidence]) -> Spoken:
    """Find every name and blank it.

    A capitalised word inside a sentence is a name unless evidence uses it; at the start of one it is a name where it
    does something that only names do. A ticker is one anywhere. A line in title case is read for tickers only.
    """
    known = tuple(sorted(_known(masked, aliases(evidence))))
    spelled = {word for _, _, text in strings(evidence) for word in _WORD.findall(text.replace("_", " "))}
    fields = {part.lower() for item in evidence for key in _keys(item.payload) for part in key.split("_")}
    words = {word.lower() for word in spelled} | fields
    unknown = [
        found[0]
        for line in re.finditer(r"[^\n]+", masked.text)
        for found in _CAPITAL.finditer(masked.text, *line.span())
        if _is_name(masked.text, found, titled=_is_titled(line[0]))
        and not (found[0] in spelled or found[0].lower() in fields if _is_ticker(found) else _is_used(found[0], words))
        and found[0] not in _CAPITALS
    ]
    unknown += [
        found[0] for found in _STRATEGY.finditer(masked.text) if found[1] not in _NO_STRATEGY and found[1] not in words
    ]
    return Spoken(known, tuple(unknown))


def _known(masked: Masked, said: Mapping[str, str]) -> Iterator[Mention]:
    for alias in sorted(said, key=lambda one: (-len(one), one)):
        before = r"(?<=shares of )" if len(alias) == 1 else r"(?<![\w.])"
        for found in re.finditer(rf"{before}{re.escape(alias)}(?![\w])", masked.text):
            masked.blank(*found.span())
            yield Mention(found.start(), found.end(), said[alias])


def _keys(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from _keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from _keys(value)


def _is_titled(line: str) -> bool:
    """A headline in title case: hardly a word without a capital, and no full stop."""
    words = _WORD.findall(line)
    return len(words) > 2 and not line.rstrip().endswith(".") and sum(w[0].isupper() for w in words) > 0.6 * len(words)


def _is_ticker(found: re.Match[str]) -> bool:
    return bool(_TICKER.fullmatch(found[0]))


def _is_used(word: str, words: set[str]) -> bool:
    return all(part.lower() in words for part in re.split(r"[&.-]", word) if part)


def _is_name(text: str, found: re.Match[str], *, titled: bool) -> bool:
    if _is_ticker(found):
        return True
    if titled or len(found[0]) == 1:
        return False
    if not _OPENING.search(text[: found.start()]):
        return True
    if found[0].lower() in _NO_NAME:
        return False
    after = text[found.end() :]
    return bool(_ACTS.match(after) or re.match(r" [A-Z][a-z]", after))
