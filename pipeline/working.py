"""Planning a worked order: one child at each of the next opens, from what is known when the plan is made.

A desk of daily sessions has no part of a session to plan for: a window is a whole session, its child is written at the
open of that session, in a replay as at a real venue. The volume that the participation cap counts on is the mean of
past sessions, up to the last one that closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import numpy as np

from tools.data.types import MarketData
from tools.errors import ExecutionError
from tools.execution.algorithms.twap import Twap
from tools.execution.algorithms.types import Algorithm, Context, Parent, Plan, SessionVolume, Window
from tools.execution.algorithms.vwap import Vwap
from tools.types import Proposal, Working

ALGORITHMS: Final[Mapping[str, Algorithm]] = {"twap": Twap(), "vwap": Vwap()}
VOLUME_SESSIONS = 60


def plan_of(
    market: MarketData, order: Proposal, how: Working, case_id: str, first: date, *, as_of: datetime,
    arrival_price: Decimal | None = None,
) -> Plan:  # fmt: skip
    """Plan the order of a case over the sessions from `first` on, knowing what is known at `as_of`.

    Raises ExecutionError `too_few_sessions` where the market ends before, and what the planners raise.
    """
    parent = Parent(parent_id=case_id, symbol=order.symbol, side=order.side, quantity=order.quantity)
    made = ALGORITHMS[how.algorithm].plan(parent, context_of(market, order.symbol, how, first, as_of))
    return made.model_copy(update={"arrival_price": arrival_price})


def context_of(market: MarketData, symbol: str, how: Working, first: date, as_of: datetime) -> Context:
    """The next sessions as windows, and the volumes of past ones."""
    start = market.sessions.index(first)
    days = market.sessions[start : start + how.sessions]
    if len(days) < how.sessions:
        raise ExecutionError(
            f"this market has {len(days)} sessions from {first} on, not the {how.sessions} it is to be worked over: "
            "take fewer",
            code="too_few_sessions",
        )
    windows = tuple(
        Window(session=day, start=market.tick(day, "open").as_of, end=market.tick(day, "close").as_of) for day in days
    )
    panel = market.panel(as_of, VOLUME_SESSIONS, [symbol])
    volumes = panel.volume[:, 0]
    daily = tuple(
        SessionVolume(session=day, volume=int(volume))
        for day, volume in zip(panel.sessions, volumes, strict=True)
        if np.isfinite(volume)
    )
    return Context(windows=windows, daily=daily, participation=how.participation)
