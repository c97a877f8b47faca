from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.node import learn
from agents.learning.rules import sample
from agents.opinion import LearningBrief
from tests.agents.builders import AS_OF, rules_context
from tools.types import Evidence, Outcome


def outcome(number: int, excess: float | None, *, strategy: str = "trend", disposition: Any = "filled") -> Outcome:
    return Outcome(
        id=f"out_{number:03}", proposal_id="p", case_id=f"case_{number:03}", strategy=strategy, symbol="IBM",
        side="buy",
        disposition=disposition, opened=date(2009, 11, 13), due=date(2009, 12, 14), horizon_sessions=20,
        entry_price=Decimal(100), excess_return=excess, settled=excess is not None,
    )  # fmt: skip


def brief(
    *outcomes: Outcome, evidence: tuple[Evidence, ...] = (), reasons: dict[str, str] | None = None
) -> LearningBrief:
    return LearningBrief(
        run_id="run_1", cycle_id="cyc_1", as_of=AS_OF, outcomes=outcomes, evidence=evidence, reasons=reasons or {}
    )


def test_the_interval_is_students() -> None:
    """Mean 3, s = sqrt(2.5), n = 5, t(0.975, 4) = 2.776445: half width 1.963243."""
    found = sample([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.low == pytest.approx(3 - 1.963243, abs=1e-5)
    assert found.high == pytest.approx(3 + 1.963243, abs=1e-5)
    assert found.reading == "not_enough_data"


async def test_below_twenty_outcomes_nothing_is_claimed() -> None:
    (lesson,) = await learn(brief(*(outcome(i, -0.05 + i / 1000) for i in range(19))), rules_context())
    assert not lesson.enough_data
    assert "not enough data" in lesson.claim
    assert (lesson.sample_size, lesson.state) == (19, "quarantined")


@pytest.mark.parametrize(
    ("centre", "said"), [(-0.05, "worse than the index"), (0.05, "better than the index"), (0.0, "not significant")]
)
async def test_with_twenty_the_reading_follows_the_interval(centre: float, said: str) -> None:
    outcomes = [outcome(i, centre + (0.01 if i % 2 else -0.01)) for i in range(20)]
    (lesson,) = await learn(brief(*outcomes), rules_context())
    assert lesson.enough_data
    assert said in lesson.claim
    assert lesson.interval_low is not None
    assert lesson.interval_high is not None
    assert lesson.interval_low < (lesson.mean_excess_return or 0) < lesson.interval_high


async def test_strategies_and_dispositions_are_learnt_apart_and_unsettled_ones_not_at_all() -> None:
    lessons = await learn(
        brief(
            outcome(1, 0.01), outcome(2, 0.02, disposition="refused"), outcome(3, 0.03, strategy="reversion"),
            outcome(4, None, strategy="other"),
        ),
        rules_context(),
    )  # fmt: skip
    assert [lesson.scope for lesson in lessons] == [
        "strategy:reversion/disposition:filled", "strategy:trend/disposition:filled",
        "strategy:trend/disposition:refused",
    ]  # fmt: skip


async def test_a_lesson_cites_the_evidence_of_its_outcomes_and_counts_peoples_reasons() -> None:
    held = Evidence.of("outcome", "test", {"id": "out_001"}, event_time=AS_OF, known_at=AS_OF)
    (lesson,) = await learn(
        brief(outcome(1, 0.01), outcome(2, 0.02), evidence=(held,), reasons={"case_001": "too early"}), rules_context()
    )
    assert lesson.evidence_ids == (held.id, "out_002")
    assert "People gave a reason in 1 of these cases." in lesson.claim
    assert "too early" not in lesson.claim


async def test_nothing_new_settled_is_the_same_lesson() -> None:
    first, second = outcome(1, 0.01), outcome(2, 0.02)
    (before,) = await learn(brief(first, second), rules_context())
    (again,) = await learn(brief(second, first), rules_context())
    (more,) = await learn(brief(first, second, outcome(3, 0.0)), rules_context())
    assert before.id == again.id != more.id


@given(st.lists(st.floats(-0.5, 0.5), max_size=40))
def test_the_mean_lies_in_its_interval_and_little_data_is_never_enough(returns: list[float]) -> None:
    found = sample(returns)
    if found.low is not None and found.high is not None and found.mean is not None:
        assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    if len(returns) < 20:
        assert found.reading == "not_enough_data"
