from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.explanation.grounding import check
from agents.learning.node import learn
from agents.learning.rules import MAX_CITED, figures_evidence, gather, is_due, sample
from agents.learning.scopes import Scope, scopes_of
from agents.opinion import LearningBrief, SettledView, Written
from tests.agents.builders import AS_OF, proposal, rules_context


def view(number: int, excess: float, **changes: Any) -> SettledView:
    """A settled entry of the trend strategy, opened `number` sessions after the first, with a horizon of five."""
    body: dict[str, Any] = {
        "id": f"out_{number:04}", "strategy": "trend", "kind": "order.entry", "disposition": "filled",
        "opened_index": number, "horizon_sessions": 5, "excess_return": excess, "confidence": 0.52,
    }  # fmt: skip
    return SettledView.model_validate({**body, **changes})


def views(count: int, centre: float, **changes: Any) -> tuple[SettledView, ...]:
    return tuple(view(i, centre + (0.01 if i % 2 else -0.01), **changes) for i in range(count))


def brief(*seen: SettledView, **changes: Any) -> LearningBrief:
    return LearningBrief(run_id="run_1", cycle_id="cyc_1", as_of=AS_OF, views=seen, **changes)


async def by_scope(*seen: SettledView, **changes: Any) -> dict[str, Any]:
    return {item.scope: item for item in await learn(brief(*seen, **changes), rules_context())}


async def test_a_view_is_learnt_of_in_every_scope_it_belongs_to() -> None:
    found = await by_scope(
        view(1, 0.01, regime="falling"), view(2, 0.02, disposition="refused", refused_for="news", confidence=0.56),
        view(3, 0.03, kind="order.exit"), view(4, 0.0, strategy="reversion", confidence=0.54),
    )  # fmt: skip
    assert list(found) == [
        "strategy:reversion", "strategy:reversion/confidence:middle", "strategy:reversion/disposition:filled",
        "strategy:trend", "strategy:trend/confidence:high", "strategy:trend/confidence:low",
        "strategy:trend/disposition:filled", "strategy:trend/disposition:refused", "strategy:trend/kind:exit",
        "strategy:trend/refused_for:news", "strategy:trend/regime:falling",
    ]  # fmt: skip
    assert found["strategy:trend"].sample_size == 2
    assert "refused by people for news" in found["strategy:trend/refused_for:news"].claim
    assert "People refused 1 of them with a reason." in found["strategy:trend"].claim


async def test_below_twenty_outcomes_nothing_is_claimed() -> None:
    lesson = (await by_scope(*views(19, -0.05, horizon_sessions=1)))["strategy:trend"]
    assert (lesson.sample_size, lesson.enough_data, lesson.reading) == (19, False, "not_enough_data")
    assert "not enough data" in lesson.claim


async def test_a_thousand_outcomes_of_one_horizon_are_not_enough_data() -> None:
    crowd = [view(i, -0.05 + i / 1e5, opened_index=i % 4, horizon_sessions=20) for i in range(1000)]
    lesson = (await by_scope(*crowd))["strategy:trend"]
    assert (lesson.sample_size, lesson.blocks, lesson.enough_data) == (1000, 1, False)
    assert len(lesson.evidence_ids) == MAX_CITED
    assert (lesson.effective_size or 1000) < 1000


@pytest.mark.parametrize(
    ("centre", "reading", "said"),
    [(-0.05, "worse", "worse than the index"), (0.05, "better", "better than the index"),
     (0.0, "not_distinguishable", "not significant")],
)  # fmt: skip
async def test_with_enough_the_reading_follows_the_interval(centre: float, reading: str, said: str) -> None:
    lesson = (await by_scope(*views(40, centre)))["strategy:trend"]
    assert (lesson.enough_data, lesson.reading, lesson.state) == (True, reading, "quarantined")
    assert said in lesson.claim


async def test_the_more_scopes_are_looked_at_the_wider_every_interval_and_it_is_said() -> None:
    alone = (await by_scope(*views(40, -0.01)))["strategy:trend"]
    many = [
        view(i + 100 * n, 0.0, opened_index=i, strategy=f"s{n}")
        for n in range(10) for i in range(30)
    ]  # fmt: skip
    among = (await by_scope(*views(40, -0.01), *many))["strategy:trend"]
    assert (alone.scopes_examined, among.scopes_examined) == (3, 33)
    assert (alone.interval_low, alone.interval_high) != (None, None)
    assert (among.interval_low or 0) < (alone.interval_low or 0)
    assert among.confidence == pytest.approx(1 - 0.05 / 33)
    assert "one of 33 scopes with enough data" in among.claim


async def test_every_number_of_every_claim_stands_in_its_figures() -> None:
    for count, centre in ((1, 0.01), (19, -0.03), (60, -0.0213), (60, 0.0)):
        for lesson in (await by_scope(*views(count, centre, regime="rising"))).values():
            held = figures_evidence(lesson, AS_OF, {"claim": lesson.claim})
            report = check(lesson.claim, (held,))
            assert report.ok, (lesson.claim, report.unresolved)


async def test_nothing_new_settled_is_no_new_lesson_and_the_same_again_is_the_same() -> None:
    seen = views(25, -0.02)
    first = await by_scope(*seen)
    assert await by_scope(*reversed(seen)) == first
    written = {name: Written(size=item.sample_size, blocks=item.blocks or 0) for name, item in first.items()}
    assert await by_scope(*seen, written=written) == {}


def test_a_scope_is_due_when_it_grew_enough_to_say_something_else() -> None:
    few, some = views(10, 0.0), views(24, 0.0)
    assert is_due(few, None)
    assert not is_due(views(11, 0.0), Written(size=10, blocks=2))
    assert is_due(views(20, 0.0), Written(size=19, blocks=4))
    assert not is_due(some, Written(size=20, blocks=5))
    assert is_due(views(26, 0.0), Written(size=24, blocks=4))
    assert is_due(views(60, 0.0), Written(size=30, blocks=12))


def test_only_what_is_known_before_anybody_answers_takes_a_candidate() -> None:
    entry = proposal()
    taken = {
        "strategy:trend": True, "strategy:trend/disposition:filled": True, "strategy:trend/disposition:refused": False,
        "strategy:trend/regime:falling": True, "strategy:trend/regime:rising": False,
        "strategy:trend/refused_for:news": False, "strategy:trend/kind:exit": False, "strategy:reversion": False,
    }  # fmt: skip
    for name, expected in taken.items():
        scope = Scope.parse(name)
        assert scope is not None
        assert scope.name == name
        assert scope.takes(entry, "falling") is expected, name
    assert Scope.parse("trend") is None
    assert Scope.parse("strategy:trend/weather:fine") is None


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.integers(0, 100)), max_size=40))
def test_the_mean_lies_in_its_interval_and_little_data_is_never_enough(raw: list[tuple[float, int]]) -> None:
    found = sample([view(i, value, opened_index=at) for i, (value, at) in enumerate(raw)])
    if found.low is not None and found.high is not None and found.mean is not None:
        assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    if len(raw) < 20:
        assert found.reading == "not_enough_data"


def test_gathering_loses_no_view() -> None:
    seen = [*views(7, 0.0), view(9, 0.1, kind="order.exit"), view(10, 0.1, disposition="refused", refused_for="news")]
    gathered = gather(seen)
    assert {item.id for members in gathered.values() for item in members} == {item.id for item in seen}
    assert all(scope in scopes_of(item) for scope, members in gathered.items() for item in members)
