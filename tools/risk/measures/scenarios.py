"""The two historical scenarios, as the desk's clock allows: its names' own moves only once they were known."""

from __future__ import annotations

from datetime import datetime

from tools.data.collectors.crises import FUNDS_SOURCE, Crises
from tools.data.types import MarketData
from tools.risk.measures.types import Scenario, figure

SEPTEMBER_2008 = "2008-09"
FLASH_CRASH = "2010-05-06"
BROKEN = -0.6
"""Exchanges cancelled trades of that afternoon more than 60 % away from the last print before it: no low counts for
more."""


def scenarios(market: MarketData, crises: Crises, as_of: datetime) -> tuple[Scenario, ...]:
    """September 2008 and the flash crash, both always, the latter in `hindsight` before its close.

    In hindsight only the index's move is used, times today's betas: no name's future enters. Afterwards every name of
    the market takes its own intraday low against its previous close, adjusted for corporate actions.
    """
    september, crash = crises.september, crises.flash_crash
    known = crash.known_at <= as_of
    return (
        Scenario(
            id=SEPTEMBER_2008, name="September 2008", first=september.first, last=september.last,
            known_at=september.known_at, market_move=figure(september.value),
            sector_moves={name: figure(move.value) for name, move in crises.september_sectors.items()},
            market_source=f"{september.source}, last close of August to the lowest of September, times beta",
            sector_source=f"{FUNDS_SOURCE}, sector fund between the same closes",
        ),
        Scenario(
            id=FLASH_CRASH, name="flash crash of 6 May 2010", first=crash.first, last=crash.last,
            known_at=crash.known_at, hindsight=not known, market_move=figure(crash.value),
            symbol_moves=_lows(market, crises) if known else {},
            market_source=f"{crash.source}, low of the day against the close before, times beta",
            symbol_source="the name's low of the day against its close before",
        ),
    )  # fmt: skip


def _lows(market: MarketData, crises: Crises) -> dict[str, float]:
    """Moves of the market's own names; none for a market of other days, which takes the index's times beta."""
    if crises.flash_crash.last not in market.sessions:
        return {}
    panel = market.panel(market.tick(crises.flash_crash.last, "close").as_of, 2)
    if panel.sessions != (crises.flash_crash.first, crises.flash_crash.last):
        return {}
    moves = panel.low[-1] / panel.close[-2] - 1.0
    return {symbol: figure(max(BROKEN, move)) for symbol, move in zip(panel.symbols, moves, strict=True)}
