"""Names that move together: who is in whose group, and what has none."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.data.types import Panel
from tools.risk.groups import WINDOW, correlated, within


def panel(columns: dict[str, np.ndarray]) -> Panel:
    close = np.column_stack(list(columns.values()))
    days = tuple(date(2009, 1, 1) + timedelta(days=n) for n in range(close.shape[0]))
    return Panel(
        sessions=days,
        symbols=tuple(columns),
        open=close,
        high=close,
        low=close,
        close=close,
        volume=np.ones_like(close),
    )


def walk(seed: int, sessions: int = WINDOW + 1) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, sessions)))


def test_names_that_move_as_one_are_a_group_and_others_stand_alone() -> None:
    twin = walk(1)
    found = correlated(panel({"A": twin, "B": twin * 3, "C": walk(2)}), 0.8)
    assert found == {"A": frozenset("AB"), "B": frozenset("AB"), "C": frozenset("C")}


def test_a_group_is_not_inherited() -> None:
    one, two = np.diff(np.log(walk(3))), np.diff(np.log(walk(4)))
    series = [np.concatenate([[100], 100 * np.exp(np.cumsum(item))]) for item in (one, one + two, two)]
    found = correlated(panel(dict(zip("ABC", series, strict=True))), 0.6)
    assert found["A"] == frozenset("AB")
    assert found["B"] == frozenset("ABC")
    assert found["C"] == frozenset("BC")


def test_a_threshold_of_one_still_holds_a_name_with_itself() -> None:
    assert correlated(panel({"A": walk(5)}), 1.0) == {"A": frozenset("A")}


def test_a_price_that_stands_still_or_is_missing_has_no_group() -> None:
    gap = walk(6)
    gap[-3] = np.nan
    found = correlated(panel({"A": walk(7), "STILL": np.full(WINDOW + 1, 5.0), "GAP": gap}), 0.1)
    assert set(found) == {"A"}


def test_too_short_a_history_gives_no_group_at_all() -> None:
    assert correlated(panel({"A": walk(8, WINDOW)}), 0.5) == {}


def test_what_is_within_the_book_is_named_in_order_and_an_unknown_name_has_none() -> None:
    groups = {"A": frozenset("ACD")}
    assert within(groups, "A", {"D", "Z"}) == ("A", "D")
    assert within(groups, "Z", {"A"}) is None
    assert within(None, "A", set()) is None


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=6, unique=True), st.floats(0.05, 0.99))
def test_membership_is_mutual_and_everybody_is_in_their_own(seeds: list[int], threshold: float) -> None:
    found = correlated(panel({f"S{seed}": walk(seed) for seed in seeds}), threshold)
    for symbol, group in found.items():
        assert symbol in group
        assert all(symbol in found[other] for other in group)
