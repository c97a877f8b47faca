"""Weights are factors in (0, 1]: they order what is alike, and never look at what was won or lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from memory.weighing import HALF_LIFE, KINDS, OLD, SUPERSEDED, weigh

SIMILAR = st.floats(0.01, 1, allow_nan=False)
OUTCOMES = st.sampled_from([None, "filled", "refused", "blocked", "unfilled"])
REGIMES = st.sampled_from(["", "calm_rising", "turbulent_falling"])


@settings(max_examples=60)
@given(
    similar=SIMILAR, kind=st.sampled_from(KINDS), outcome=OUTCOMES, age=st.integers(-5, 5000), over=st.booleans(),
    then=REGIMES, now=REGIMES,
)  # fmt: skip
def test_no_factor_ever_raises_a_score_and_none_takes_all_of_it(
    similar: float, kind: str, outcome: str | None, age: int, over: bool, then: str, now: str
) -> None:
    found = weigh(
        similar, kind=kind, outcome=outcome, age=age, superseded=over, regime_then=then, regime_now=now,  # type: ignore[arg-type]
    )  # fmt: skip
    assert all(0 < factor <= 1 for factor in found[:3])
    assert found.recency >= OLD * SUPERSEDED
    assert found.score <= round(similar, 4)
    assert abs(found.score - similar * found.outcome * found.recency * found.regime) < 2e-4


@settings(max_examples=40)
@given(similar=SIMILAR, more=st.floats(0, 0.5), age=st.integers(0, 2000), older=st.integers(1, 2000))
def test_the_more_alike_and_the_younger_never_scores_less(similar: float, more: float, age: int, older: int) -> None:
    this = weigh(similar, kind="case", outcome="filled", age=age)
    assert weigh(min(1.0, similar + more), kind="case", outcome="filled", age=age).score >= this.score
    assert weigh(similar, kind="case", outcome="filled", age=age + older).score <= this.score


def test_the_half_life_halves_what_fades_and_the_floor_holds() -> None:
    assert weigh(1, kind="case", outcome="filled", age=HALF_LIFE).recency == OLD + (1 - OLD) / 2
    assert weigh(1, kind="case", outcome="filled", age=100 * HALF_LIFE).recency == OLD
    assert weigh(1, kind="runbook", age=100 * HALF_LIFE).recency == 1


def test_what_was_lived_tells_more_than_what_was_watched_and_that_more_than_what_is_open() -> None:
    scores = [weigh(0.8, kind="case", outcome=outcome).score for outcome in ("filled", "refused", None)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_a_matching_market_comes_before_an_unknown_and_that_before_another() -> None:
    pairs = [("calm_rising", "calm_rising"), ("", "calm_rising"), ("turbulent_rising", "calm_rising")]
    scores = [weigh(0.8, kind="case", regime_then=then, regime_now=now).score for then, now in pairs]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3
