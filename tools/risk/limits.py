"""Read a limits file. A name nobody knows or a value nobody could mean stops here, with the field and value."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tools.closed_yaml import read_closed
from tools.errors import ConfigError
from tools.risk.types import Limits
from tools.strategy.generators import reversion, trend

SHARE_DECIMALS = 6
SIZED_STRATEGIES = frozenset({reversion.STRATEGY, trend.STRATEGY})
"""Strategies that open positions: the names that `sizing.by_strategy` may have."""

_ORDERED = (
    ("min_order_notional", "max_order_notional"),
    ("risk_per_trade", "max_total_open_risk"),
    ("max_trade_share", "max_position_share"),
    ("max_position_share", "max_sector_share"),
    ("max_sector_share", "max_gross_share"),
    ("max_position_share", "max_group_share"),
    ("max_net_share", "max_gross_share"),
    ("max_gross_share", "max_leverage"),
)
_SHARES = (
    "max_trade_share", "max_position_share", "max_sector_share", "max_gross_share", "max_adv_share",
    "max_total_open_risk", "max_daily_loss", "max_drawdown", "risk_per_trade", "max_net_share", "max_leverage",
    "max_group_share",
)  # fmt: skip


def default_limits_text() -> str:
    """The limits file that ships with the desk, meant for an equity near 1,000,000."""
    return Path(__file__).with_name("limits.yaml").read_text(encoding="utf-8")


def load_limits(text: str) -> Limits:
    """Parse YAML into limits.

    Raises ConfigError: `limits_unreadable` (not YAML, not a mapping), `limits_duplicate`, `limits_invalid`
    (unknown, missing or impossible field) or `limits_inconsistent` (fields that contradict each other).
    """
    limits = read_closed(text, Limits, "limits")
    _refuse_contradictions(limits)
    return limits


def _refuse_contradictions(limits: Limits) -> None:
    for name in _SHARES:
        value: Decimal = getattr(limits, name)
        if value != round(value, SHARE_DECIMALS):
            raise ConfigError(
                f"limits file: {name} = {value} has more than {SHARE_DECIMALS} decimals; round it",
                code="limits_invalid",
            )
    unknown = sorted(set(limits.sizing.by_strategy) - SIZED_STRATEGIES)
    if unknown:
        raise ConfigError(
            f"limits file: sizing.by_strategy names {unknown[0]}; strategies are {', '.join(sorted(SIZED_STRATEGIES))}",
            code="limits_invalid",
        )
    for smaller, larger in _ORDERED:
        low, high = getattr(limits, smaller), getattr(limits, larger)
        if low > high:
            raise ConfigError(
                f"limits file: {smaller} = {low} is above {larger} = {high}; lower the one or raise the other",
                code="limits_inconsistent",
            )
