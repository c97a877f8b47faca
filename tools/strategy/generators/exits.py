"""Exits from closed bars: first-class proposals that only ever reduce a position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from tools.data.types import Panel
from tools.risk.exit_policy import ExitPolicy, Reduction
from tools.risk.types import PositionView
from tools.strategy.evidence import candidate, features_evidence, shown
from tools.strategy.generators import reversion, trend
from tools.strategy.types import Candidate, Features
from tools.types import Evidence

EXIT_HORIZON = 1
"""An exit's view is judged over the next session."""


class Cause(NamedTuple):
    """Why a position is to be left."""

    code: Reduction
    text: str
    strength: float


def candidates(
    panel: Panel,
    features: Mapping[str, Features],
    positions: Sequence[PositionView],
    session_index: int,
    as_of: datetime,
    policy: ExitPolicy,
) -> list[Candidate]:
    """Propose to close every long position whose strategy says so, in the order of `positions`.

    trend: close strictly below sma_20. reversion: z-score at or above 0. Both: held for the time stop
    of the policy or longer.
    At most one exit for a position; the strategy's own rule is named before the time rule. A position without
    features at this close is left to its protective stop.
    """
    found: list[Candidate] = []
    for position in positions:
        item = features.get(position.symbol)
        if item is None or position.symbol not in panel.symbols or position.quantity <= 0:
            continue
        held = session_index - position.opened_session_index
        cause = cause_of(position.strategy, item, held, policy)
        if cause is None:
            continue
        exit_wish = wish(position, item, cause, held, policy, as_of)
        if exit_wish is not None:
            found.append(exit_wish)
    return found


def wish(
    position: PositionView,
    item: Features,
    cause: Cause,
    held: int,
    policy: ExitPolicy,
    as_of: datetime,
    *more: Evidence,
) -> Candidate | None:
    """The candidate that leaves a long position for a cause, with the position and `more` as its evidence."""
    return candidate(
        "order.exit", position.strategy, item, side="sell", direction="down", strength=cause.strength,
        confidence=0.5, horizon_sessions=EXIT_HORIZON, as_of=as_of, reason=cause.text,
        evidence=(features_evidence(item, as_of), _position_evidence(position, held, cause, policy, as_of), *more),
    )  # fmt: skip


def cause_of(strategy: str, item: Features, held: int, policy: ExitPolicy) -> Cause | None:
    """Why a position held for `held` sessions is to be left at this close; None when it stays."""
    if strategy == trend.STRATEGY and item.close < item.sma_20:
        return Cause(
            "exit_signal",
            f"{item.symbol} closed at {shown(item.close)}, below its twenty-session average of {shown(item.sma_20)}: "
            "the trend it was bought for has ended.",
            1.0,
        )
    if strategy == reversion.STRATEGY and item.zscore_20 >= 0:
        return Cause(
            "exit_signal",
            f"{item.symbol} closed at {shown(item.close)}, back at or above its twenty-session average of "
            f"{shown(item.sma_20)}: the dip it was bought for has been made good.",
            1.0,
        )
    horizon = policy.time_stop_sessions.get(strategy)
    if horizon is not None and held >= horizon:
        text = f"{item.symbol} has been held for {held} sessions and its horizon is {horizon}: its time is up."
        return Cause("time_stop", text, 0.5)
    return None


def _position_evidence(
    position: PositionView, held: int, cause: Cause, policy: ExitPolicy, as_of: datetime
) -> Evidence:
    payload = {
        "symbol": position.symbol, "strategy": position.strategy, "quantity": position.quantity,
        "average_price": position.average_price, "mark": position.mark, "stop_price": position.stop_price,
        "opened_session_index": position.opened_session_index, "held_sessions": held,
        "horizon_sessions": policy.time_stop_sessions.get(position.strategy), "cause": cause.code,
    }  # fmt: skip
    return Evidence.of(
        "portfolio", "tools.strategy.exits", payload, event_time=as_of, known_at=as_of, symbol=position.symbol
    )
