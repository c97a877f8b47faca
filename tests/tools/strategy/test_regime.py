"""The regime label: backwards only, closed, and unknown where it cannot be known."""

from __future__ import annotations

from itertools import accumulate, cycle, islice

import pytest

from tools.strategy.regime import REGIMES, TREND, regime_of


def path(*daily: float, days: int = TREND + 10) -> list[float]:
    return list(accumulate(islice(cycle(daily), days), lambda level, r: level * (1 + r), initial=100.0))


@pytest.mark.parametrize(
    ("daily", "label"),
    [
        ((0.001, 0.002), "calm_rising"), ((-0.001, -0.002), "calm_falling"), ((0.03, -0.02), "turbulent_rising"),
        ((-0.03, 0.02), "turbulent_falling"),
    ],
)  # fmt: skip
def test_trend_and_volatility_name_the_market(daily: tuple[float, ...], label: str) -> None:
    assert label in REGIMES
    assert regime_of(path(*daily)) == label


def test_only_the_last_closes_count() -> None:
    calm = path(0.001)
    assert regime_of([1.0, 900.0, *calm[-TREND:]]) == regime_of(calm)


def test_too_few_closes_and_broken_ones_are_unknown() -> None:
    calm = path(0.001)
    assert regime_of(calm[-TREND + 1 :]) == ""
    assert regime_of([*calm, float("nan")]) == ""
    assert regime_of([*calm, 0.0]) == ""
