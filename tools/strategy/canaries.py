"""Obviously bad entries, on purpose: planted among real ones to see whether people read before they approve.

Each passes the controls and looks like any other in a list; each is wrong on its face to whoever reads it:

    against_trend     a trend entry whose thesis says that price and momentum are falling
    against_dip       a dip entry whose thesis says that the price is far above its average
    other_company     an entry whose thesis and evidence are about another company

What is planted can never be sent; that is the pipeline's business, not this tool's.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from tools.risk.protection import ProtectionState
from tools.risk.types import Limits, PortfolioView
from tools.strategy.drafting import draft
from tools.strategy.evidence import entry, percent, shown
from tools.strategy.generators import reversion, trend
from tools.strategy.sizing_types import Edge
from tools.strategy.types import Candidate, Features
from tools.types import Evidence, Proposal

Flaw = Literal["against_trend", "against_dip", "other_company"]
FLAWS: tuple[Flaw, ...] = get_args(Flaw)
CLEARLY = 0.98
"""Part of both averages below which a close is visibly below them."""
FAR_ABOVE = 1.5
"""A z-score from which on nobody could call it a dip."""


class Flawed(NamedTuple):
    """A bad proposal and the evidence it cites."""

    proposal: Proposal
    evidence: tuple[Evidence, ...]


def flawed(
    flaw: Flaw,
    pick: int,
    *,
    features: Mapping[str, Features],
    taken: AbstractSet[str],
    portfolio: PortfolioView,
    limits: Limits,
    run_id: str,
    cycle_id: str,
    as_of: datetime,
    edges: Mapping[str, Edge] | None = None,
    protection: ProtectionState | None = None,
) -> Flawed | None:
    """Make the bad entry that `flaw` and `pick` name; None when no free symbol lends itself to it.

    `taken` are symbols that already have a candidate, a position or an open case. The symbol is the one at `pick`
    (modulo their number) among those that fit, in alphabetical order; the next one where sizing leaves nothing.
    """
    fitting = sorted(symbol for symbol, item in features.items() if symbol not in taken and _fits(flaw, item))
    if flaw == "other_company" and len(fitting) < 2:
        return None
    for step in range(len(fitting)):
        symbol = fitting[(pick + step) % len(fitting)]
        other = fitting[(pick + step + 1) % len(fitting)]
        wish = _wish(flaw, features[symbol], features[other], pick, as_of)
        if wish is None:
            continue
        drafted = draft(
            (wish,), portfolio=portfolio, limits=limits, run_id=run_id, cycle_id=cycle_id, as_of=as_of, edges=edges,
            protection=protection,
        )  # fmt: skip
        if drafted:
            made, sized = drafted[0]
            return Flawed(made, (*wish.evidence, *sized))
    return None


def _fits(flaw: Flaw, item: Features) -> bool:
    match flaw:
        case "against_trend":
            return item.close < CLEARLY * min(item.sma_20, item.sma_50) and item.momentum_60 < 0
        case "against_dip":
            return item.zscore_20 >= FAR_ABOVE
        case "other_company":
            return item.close > item.sma_50


def _wish(flaw: Flaw, item: Features, other: Features, pick: int, as_of: datetime) -> Candidate | None:
    dip = flaw == "against_dip"
    wish = entry(
        reversion.STRATEGY if dip else trend.STRATEGY, item, strength=0.4 + (pick % 40) / 100,
        confidence=reversion.DEFAULT.confidence if dip else trend.DEFAULT.confidence,
        horizon_sessions=reversion.DEFAULT.horizon_sessions if dip else trend.DEFAULT.horizon_sessions,
        as_of=as_of, reason=_thesis(flaw, item),
    )  # fmt: skip
    if wish is None or flaw != "other_company":
        return wish
    told = entry(
        trend.STRATEGY, other, strength=wish.strength, confidence=wish.confidence,
        horizon_sessions=wish.horizon_sessions, as_of=as_of, reason=_thesis(flaw, other),
    )  # fmt: skip
    if told is None:
        return None
    return wish.model_copy(update={"reason": told.reason, "evidence": told.evidence, "signal": told.signal})


def _thesis(flaw: Flaw, item: Features) -> str:
    closed = f"{item.symbol} closed at {shown(item.close)}"
    momentum = f"momentum over sixty sessions of {percent(item.momentum_60)}"
    match flaw:
        case "against_trend":
            return (
                f"{closed}, below both its fifty-session average of {shown(item.sma_50)} and its twenty-session "
                f"average of {shown(item.sma_20)}; it keeps falling, with {momentum}."
            )
        case "against_dip":
            return (
                f"{closed}, a z-score of {shown(item.zscore_20)} against its twenty-session average of "
                f"{shown(item.sma_20)}: it stands far above that average and has not dipped."
            )
        case "other_company":
            return (
                f"{closed}, above its fifty-session average of {shown(item.sma_50)}; it keeps its momentum, with "
                f"{momentum}."
            )
