"""Books, histories and limits for tests of measures."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from tools.risk.limits import default_limits_text, load_limits
from tools.risk.measures.types import Array, Book, History, Holding
from tools.risk.types import PortfolioView, PositionView

LIMITS = load_limits(default_limits_text())
MILLION = Decimal(1_000_000)


def returns(sessions: int, names: int, seed: int = 7, scale: float = 0.01) -> Array:
    drawn = np.random.default_rng(seed).standard_t(5, size=(sessions, names)) * scale
    return np.asarray(drawn, dtype=np.float64)


def history(sessions: int = 80, symbols: tuple[str, ...] = ("AAA", "BBB", "CCC"), seed: int = 7) -> History:
    drawn = returns(sessions, len(symbols) + 1, seed)
    days = tuple(date(2009, 9, 1) + timedelta(days=i) for i in range(sessions))
    return History(days, symbols, drawn[:, 1:] + drawn[:, :1], drawn[:, 0])


def book(**values: int) -> Book:
    """A book of signed money by symbol, at a price of 10; every holding risks a tenth of its value."""
    holdings = tuple(
        Holding(
            symbol=symbol, sector="Energy" if symbol == "AAA" else "Utilities", value=Decimal(value),
            quantity=value // 10, open_risk=abs(Decimal(value)) / 10,
        )
        for symbol, value in sorted(values.items())
    )  # fmt: skip
    return Book(equity=MILLION, holdings=holdings)


def view(equity: Decimal = MILLION, peak: Decimal = MILLION, positions: tuple[PositionView, ...] = ()) -> PortfolioView:
    return PortfolioView(
        equity=equity, cash=equity, peak_equity=peak, day_start_equity=equity, positions=positions
    )  # fmt: skip


def position(symbol: str, quantity: int, mark: str = "10", stop: str | None = "9") -> PositionView:
    return PositionView(
        symbol=symbol, quantity=quantity, average_price=Decimal(10), mark=Decimal(mark), sector="Energy",
        strategy="trend", opened_session_index=60, stop_price=None if stop is None else Decimal(stop),
    )  # fmt: skip
