"""Limits files: the shipped one loads, and every mistake is named with its field and value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from tools.errors import ConfigError
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Limits


def with_line(old: str, new: str) -> str:
    text = default_limits_text()
    assert old in text
    return text.replace(old, new)


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        load_limits(text)
    return error.value


def test_the_shipped_file_loads_with_exact_decimals() -> None:
    limits = load_limits(default_limits_text())
    assert limits.max_trade_share == Decimal("0.02")
    assert limits.max_open_positions == 40
    assert limits.restricted == ()


def test_an_unquoted_share_is_as_exact_as_a_quoted_one() -> None:
    limits = load_limits(with_line('max_trade_share: "0.02"', "max_trade_share: 0.02"))
    assert limits.max_trade_share == Decimal("0.02")


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ('max_trade_share: "0.02"', 'max_trade_share: "two"', "limits_invalid", "max_trade_share = 'two'"),
        ('max_trade_share: "0.02"', 'max_trade_share: "1.5"', "limits_invalid", "max_trade_share = '1.5'"),
        ('max_trade_share: "0.02"', "max_trade_share: .nan", "limits_invalid", "max_trade_share = nan"),
        ('max_trade_share: "0.02"', 'max_trade_shares: "0.02"', "limits_invalid", "max_trade_share is missing"),
        ('max_trade_share: "0.02"', 'max_trade_share: "0.02000001"', "limits_invalid", "more than 6 decimals"),
        ('max_trade_share: "0.02"', 'max_trade_share: "0.05"', "limits_inconsistent", "max_position_share = 0.04"),
        ("restricted: []", "restricted: [ibm]", "limits_invalid", "restricted.0 = 'ibm'"),
        ("restricted: []", "max_open_positions: 50", "limits_duplicate", "max_open_positions is given twice"),
        ("restricted: []", "restricted: [", "limits_unreadable", "not YAML"),
        ("method: fixed_risk", "method: martingale", "limits_invalid", "sizing.method = 'martingale'"),
        ("by_strategy: {}", "by_strategy: {tend: kelly}", "limits_invalid", "sizing.by_strategy names tend"),
        ('kelly_fraction: "0.25"', 'kelly_fraction: "2"', "limits_invalid", "sizing.kelly_fraction = '2'"),
        ('"0.10", factor: "0.5"', '"0.04", factor: "0.5"', "limits_invalid", "drawdown 0.04 follows 0.05"),
        ('"0.15", factor: "0"', '"0.15", factor: "0.6"', "limits_invalid", "factor 0.6 follows 0.5"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, code: str, words: str) -> None:
    error = refused(with_line(old, new))
    assert error.code == code
    assert words in error.message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_what_is_not_a_set_of_fields_is_refused(text: str) -> None:
    assert refused(text).code == "limits_unreadable"


def test_an_unknown_name_is_refused_by_name() -> None:
    assert "max_leverage" in refused(default_limits_text() + "\nmax_leverage: 3\n").message


def test_the_tightest_values_of_every_limit_are_allowed() -> None:
    """Nothing stands between a firm and the smallest limit that has a meaning."""
    least = {
        "settlement_days": 0, "duplicate_window_seconds": 0, "max_clock_skew_seconds": 0, "cure_sessions": 0,
        "max_open_positions": 1, "max_order_quantity": 1, "max_trades_per_day": 1, "max_orders_per_minute": 1,
        "max_loss_streak": 1, "max_automatic_executions": 1, "max_data_age_hours": 1, "min_order_notional": 0,
    }  # fmt: skip
    shipped = load_limits(default_limits_text())
    assert Limits.model_validate({**shipped.model_dump(), **least}).max_open_positions == 1
    for name in least:
        with pytest.raises(ValidationError, match=name):
            Limits.model_validate({**shipped.model_dump(), name: -1})
