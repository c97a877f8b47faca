"""Which names a run looks at: the choice a person types, and the errors that help to type it right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

from tools.errors import DataError

_SYMBOL = re.compile(r"^[A-Z][A-Z0-9.\-]{0,9}$")


def parse_symbols(choice: str | None) -> tuple[str, ...] | None:
    """Read `A,B` or `all`. Returns sorted distinct upper-case symbols, or None for all.

    DataError with code `invalid_symbols` for an empty choice or something that cannot be a symbol.
    """
    if choice is None or choice.strip().lower() == "all":
        return None
    names = [part.strip().upper() for part in choice.split(",") if part.strip()]
    if not names:
        raise DataError(f"no symbol in {choice!r}; write symbols as IBM,GE or the word all", code="invalid_symbols")
    for name in names:
        if not _SYMBOL.match(name):
            raise DataError(
                f"{name!r} cannot be a symbol; write symbols separated by commas, as in IBM,GE, or the word all",
                code="invalid_symbols",
            )
    return tuple(sorted(set(names)))


def choose(symbols: Sequence[str] | None, known: Collection[str], incomplete: Mapping[str, str]) -> tuple[str, ...]:
    """Resolve a choice against what the data hold. `incomplete` maps a symbol to the reason it is left out.

    DataError with code `unknown_symbol` naming the nearest matches, or `incomplete_symbol` with the reason.
    """
    if symbols is None:
        return tuple(sorted(known))
    if not symbols:
        raise DataError("the list of symbols is empty; name at least one, or choose all", code="invalid_symbols")
    for symbol in symbols:
        if symbol in known:
            continue
        if symbol in incomplete:
            raise DataError(f"{symbol} cannot be traded here: {incomplete[symbol]}; choose another name",
                            code="incomplete_symbol")  # fmt: skip
        raise unknown_symbol(symbol, known)
    return tuple(sorted(set(symbols)))


def unknown_symbol(symbol: str, known: Collection[str]) -> DataError:
    """The error for a symbol the data do not hold, naming the nearest that they do."""
    near = difflib.get_close_matches(symbol.upper(), sorted(known), n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "no symbol in the data resembles it"
    return DataError(f"unknown symbol {symbol!r} among {len(known)} names: {hint}", code="unknown_symbol")
