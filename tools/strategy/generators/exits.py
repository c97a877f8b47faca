"""Exits from closed bars: first-class proposals that only ever reduce a position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from tools.data.types import Panel
from tools.risk.types import PositionView
from tools.strategy.evidence import candidate, features_evidence, shown
from tools.strategy.generators import reversion, trend
from tools.strategy.types import Candidate, Features
from tools.types import Evidence

EXIT_HORIZON = 1
"""An exit's view is judged over the next session."""

HORIZONS = {
    trend.STRATEGY: trend.DEFAULT.horizon_sessions,
    reversion.STRATEGY: reversion.DEFAULT.horizon_sessions,
}
"""Sessions after which a position of a strategy is closed whatever the price does."""


class _Cause(NamedTuple):
    text: str
    strength: float


def candidates(
    panel: Panel,
    features: Mapping[str, Features],
    positions: Sequence[PositionView],
    session_index: int,
    as_of: datetime,
) -> list[Candidate]:
    """Propose to close every long position whose strategy says so, in the order of `positions`.

    trend: close strictly below sma_20. reversion: z-score at or above 0. Both: held for the horizon or longer.
    At most one exit for a position; the strategy's own rule is named before the time rule. A position without
    features at this close, or of a strategy unknown here, is left to its protective stop.
    """
    found: list[Candidate] = []
    for position in positions:
        item = features.get(position.symbol)
        if item is None or position.symbol not in panel.symbols or position.quantity <= 0:
            continue
        held = session_index - position.opened_session_index
        cause = _cause(position.strategy, item, held)
        if cause is None:
            continue
        exit_wish = candidate(
            "order.exit", position.strategy, item, side="sell", direction="down", strength=cause.strength,
            confidence=0.5, horizon_sessions=EXIT_HORIZON, as_of=as_of, reason=cause.text,
            evidence=(features_evidence(item, as_of), _position_evidence(position, held, as_of)),
        )  # fmt: skip
        if exit_wish is not None:
            found.append(exit_wish)
    return found


def _cause(strategy: str, item: Features, held: int) -> _Cause | None:
    horizon = HORIZONS.get(strategy)
    if horizon is None:
        return None
    if strategy == trend.STRATEGY and item.close < item.sma_20:
        return _Cause(
            f"{item.symbol} closed at {shown(item.close)}, below its twenty-session average of {shown(item.sma_20)}: "
            "the trend it was bought for has ended.",
            1.0,
        )
    if strategy == reversion.STRATEGY and item.zscore_20 >= 0:
        return _Cause(
            f"{item.symbol} closed at {shown(item.close)}, back at or above its twenty-session average of "
            f"{shown(item.sma_20)}: the dip it was bought for has been made good.",
            1.0,
        )
    if held >= horizon:
        return _Cause(
            f"{item.symbol} has been held for {held} sessions and its horizon is {horizon}: its time is up.", 0.5
        )
    return None


def _position_evidence(position: PositionView, held: int, as_of: datetime) -> Evidence:
    payload = {
        "symbol": position.symbol, "strategy": position.strategy, "quantity": position.quantity,
        "average_price": position.average_price, "mark": position.mark, "stop_price": position.stop_price,
        "opened_session_index": position.opened_session_index, "held_sessions": held,
        "horizon_sessions": HORIZONS.get(position.strategy),
    }  # fmt: skip
    return Evidence.of(
        "portfolio", "tools.strategy.exits", payload, event_time=as_of, known_at=as_of, symbol=position.symbol
    )
