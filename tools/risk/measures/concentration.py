"""How few names, and how few sectors, carry a book."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from tools.risk.measures.types import Book, Concentration, figure


def concentration(book: Book) -> Concentration:
    """Measure the absolute values of the holdings as shares a_i of the gross value.

    Herfindahl's index H = sum a_i^2 (Herfindahl 1950), effective number of names 1 / H; both 0 for an empty book.
    """
    gross = sum((abs(item.value) for item in book.holdings), Decimal(0))
    if gross == 0:
        return Concentration(
            herfindahl=0.0, effective_names=0.0, largest_share=0.0, largest_symbol=None, sectors={},
            sector_herfindahl=0.0,
        )  # fmt: skip
    shares = {item.symbol: float(abs(item.value) / gross) for item in book.holdings}
    sectors: dict[str, float] = defaultdict(float)
    for item in book.holdings:
        sectors[item.sector] += shares[item.symbol]
    largest = max(shares, key=lambda symbol: (shares[symbol], symbol))
    index = sum(share * share for share in shares.values())
    return Concentration(
        herfindahl=figure(index), effective_names=figure(1 / index), largest_share=figure(shares[largest]),
        largest_symbol=largest, sectors={name: figure(sectors[name]) for name in sorted(sectors)},
        sector_herfindahl=figure(sum(share * share for share in sectors.values())),
    )  # fmt: skip
