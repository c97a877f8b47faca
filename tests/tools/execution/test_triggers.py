"""Where in a bar an order meets its price, to the cent, and never on the trader's favourite path."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tools.data.types import Bar
from tools.execution.triggers import Touch, stop_limited, trailed
from tools.types import Side

D = Decimal


def bar(prices: str) -> Bar:
    opened, high, low, close = (D(price) for price in prices.split())
    at = datetime(2009, 11, 17, 21, tzinfo=UTC)
    return Bar(
        symbol="IBM", session=date(2009, 11, 17), open=opened, high=high, low=low, close=close, volume=1_000_000,
        event_time=at, known_at=at,
    )  # fmt: skip


def trail(side: Side, level: str | None, prices: str, price: str | None = "2", percent: str | None = None) -> Touch:
    return trailed(
        side, D(level) if level else None, bar(prices), trail_price=D(price) if price else None,
        trail_percent=D(percent) if percent else None,
    )  # fmt: skip


def test_a_trail_starts_at_the_first_open_and_follows_the_high() -> None:
    assert trail("sell", None, "100 104 99 103") == Touch(None, stop_price=D(102))
    assert trail("buy", None, "100 101 97 98") == Touch(None, stop_price=D(99))


def test_the_low_of_a_bar_is_held_against_the_level_from_before_its_high() -> None:
    assert trail("sell", "97", "100 110 98.50 109") == Touch(None, stop_price=D(108))
    assert trail("sell", "97", "100 110 98 109") == Touch(D(98), True, D(98))


def test_a_close_below_the_level_of_the_high_has_triggered_on_its_way_down() -> None:
    assert trail("sell", "90", "100 110 99 107.99") == Touch(D(108), True, D(108))
    assert trail("buy", "110", "100 101 90 92.01") == Touch(D(92), True, D(92))


def test_a_gap_through_the_level_fills_at_the_open() -> None:
    assert trail("sell", "98", "91 95 90 94") == Touch(D(91), True, D(98))
    assert trail("buy", "102", "109 110 108 109") == Touch(D(109), True, D(102))


def test_a_trail_never_moves_back() -> None:
    assert trail("sell", "98.50", "99 100 98.60 99").stop_price == D("98.50")
    assert trail("buy", "101.50", "101 101.40 100 100").stop_price == D("101.50")


def test_a_trail_in_percent_is_rounded_away_from_the_price() -> None:
    assert trail("sell", None, "33.33 33.33 33.33 33.33", None, "5").stop_price == D("31.66")
    assert trail("buy", None, "33.33 33.33 33.33 33.33", None, "5").stop_price == D("35.00")
    assert trail("sell", None, "1 1 1 1").stop_price == D("0.01")


@pytest.mark.parametrize(
    ("side", "stop", "limit", "prices", "reference", "triggered"),
    [
        ("sell", "95", "94", "100 101 94.50 99", "95", True),
        ("sell", "95", "94", "100 101 95.01 99", None, False),
        ("sell", "95", "94", "93 93.99 90 93.50", None, True),
        ("sell", "95", "94", "93 94.20 90 91", "94", True),
        ("sell", "95", "97", "100 101 94 96", None, True),
        ("sell", "95", "97", "100 101 94 97.10", "97", True),
        ("buy", "105", "106", "100 105.50 99 100", "105", True),
        ("buy", "105", "106", "107 108 106.10 107", None, True),
        ("buy", "105", "106", "107 108 105.90 107", "106", True),
        ("buy", "105", "103", "100 106 99 104", None, True),
    ],
)
def test_a_stop_limit_triggers_and_then_waits_for_what_is_sure_to_come_later(
    side: Side, stop: str, limit: str, prices: str, reference: str | None, triggered: bool
) -> None:
    found = stop_limited(side, D(stop), D(limit), bar(prices))
    assert found == Touch(D(reference) if reference else None, triggered, D(stop))
