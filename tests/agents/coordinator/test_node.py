from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.coordinator.node import plan
from agents.coordinator.output import CoordinatorPlan
from tests.agents.builders import proposal
from tools.errors import ToolRejected
from tools.types import Proposal, Review, ReviewReason, Verdict


def review(item: Proposal, verdict: Verdict = "keep", factor: str = "1") -> Review:
    return Review(
        proposal_id=item.id, verdict=verdict, factor=Decimal(factor), reasons=(ReviewReason(code="x", text="x"),)
    )


def settle(items: list[Proposal], reviews: list[Review], capacity: int = 5, free: int | None = None) -> CoordinatorPlan:
    return plan(items, reviews, [item.id for item in items], capacity, free)


def test_rank_and_capacity_decide_who_is_asked_and_exits_take_no_slot() -> None:
    exit_ = proposal("XOM", kind="order.exit")
    first, second = proposal("IBM"), proposal("GE")
    settled = settle([exit_, first, second], [review(x) for x in (exit_, first, second)], capacity=1)
    assert settled.asked == (exit_.id, first.id)
    assert settled.not_selected == {second.id: "capacity"}


@pytest.mark.parametrize(
    ("capacity", "free", "left"),
    [
        (2, None, ["capacity"]),
        (2, 2, ["capacity"]),
        (3, 2, ["people_busy"]),
        (5, 0, ["people_busy"] * 3),
        (1, 2, ["capacity"] * 2),
    ],
)
def test_the_smaller_of_capacity_and_free_people_decides_and_gives_the_reason(
    capacity: int, free: int | None, left: list[str]
) -> None:
    exit_ = proposal("XOM", kind="order.exit")
    entries = [proposal(symbol) for symbol in ("IBM", "GE", "KO")]
    items = [*entries, exit_]
    settled = settle(items, [review(item) for item in items], capacity, free)
    asked = len(entries) - len(left)
    assert settled.asked == (*(item.id for item in entries[:asked]), exit_.id)
    assert settled.not_selected == {item.id: why for item, why in zip(entries[asked:], left, strict=True)}


@pytest.mark.parametrize(("capacity", "free"), [(-1, None), (5, -1)])
def test_places_are_never_negative(capacity: int, free: int | None) -> None:
    with pytest.raises(ToolRejected) as caught:
        settle([], [], capacity, free)
    assert caught.value.code == "bad_capacity"


@pytest.mark.parametrize(
    ("verdict", "factor", "reason"),
    [("veto", "0", "vetoed"), ("abstain", "1", "no_opinion"), ("scale", "0", "vetoed")],
)
def test_what_was_vetoed_or_got_no_opinion_is_blocked(verdict: Verdict, factor: str, reason: str) -> None:
    item = proposal()
    assert settle([item], [review(item, verdict, factor)]).blocked == {item.id: reason}


def test_a_candidate_nobody_reviewed_is_blocked() -> None:
    item = proposal()
    assert settle([item], []).blocked == {item.id: "no_review"}


def test_an_exit_is_asked_whatever_a_reviewer_says_of_it() -> None:
    item = proposal(kind="order.exit")
    for reviews in ([], [review(item, "veto", "0")], [review(item, "abstain")], [review(item, "scale", "0.25")]):
        settled = settle([item], reviews, capacity=0)
        assert settled.asked == (item.id,)
        assert settled.factors == {}


def test_of_two_reviews_the_tighter_wins_and_the_conflict_is_named() -> None:
    item = proposal()
    settled = settle([item], [review(item), review(item, "scale", "0.5"), review(item, "escalate", "0.75")])
    assert settled.factors == {item.id: Decimal("0.5")}
    assert settled.escalated == (item.id,)
    assert {c.rule for c in settled.conflicts} == {"tighter_review_wins"}
    assert settle([item], [review(item), review(item, "veto", "0")]).blocked == {item.id: "vetoed"}


def test_a_name_that_is_being_reduced_is_not_bought_in_the_same_cycle() -> None:
    entry, exit_ = proposal("IBM"), proposal("IBM", kind="order.exit", strategy="reversion")
    settled = settle([entry, exit_], [review(entry), review(exit_)])
    assert settled.asked == (exit_.id,)
    assert settled.not_selected == {entry.id: "opposite_reduction"}
    assert settled.conflicts[0].kept == exit_.id


def test_two_strategies_that_want_the_same_name_do_not_double_it() -> None:
    first, second = proposal("IBM"), proposal("IBM", strategy="reversion")
    settled = settle([first, second], [review(first), review(second)])
    assert settled.asked == (first.id,)
    assert settled.not_selected == {second.id: "same_symbol"}


def test_a_blocked_candidate_frees_its_slot() -> None:
    first, second = proposal("IBM"), proposal("GE")
    assert settle([first, second], [review(first, "veto", "0"), review(second)], capacity=1).asked == (second.id,)


def test_a_rank_that_leaves_one_out_is_refused() -> None:
    first, second = proposal("IBM"), proposal("GE")
    with pytest.raises(ToolRejected, match="every proposal exactly once"):
        plan([first, second], [], [first.id], 5)
    with pytest.raises(ToolRejected, match="negative"):
        plan([first], [], [first.id], -1)


FACTORS = st.sampled_from(["0", "0.5", "1"])
VERDICTS: list[Verdict] = ["keep", "veto", "scale", "escalate", "abstain"]


@given(
    said=st.lists(
        st.tuples(st.booleans(), st.lists(st.tuples(st.sampled_from(VERDICTS), FACTORS), max_size=3)),
        min_size=1, max_size=8,
    ),
    capacity=st.integers(0, 4),
)  # fmt: skip
def test_every_proposal_lands_exactly_once_and_nothing_is_ever_enlarged(
    said: list[tuple[bool, list[tuple[Verdict, str]]]], capacity: int
) -> None:
    items = [
        proposal(f"S{chr(65 + index)}", kind="order.exit" if reduces else "order.entry")
        for index, (reduces, _) in enumerate(said)
    ]
    reviews = [review(item, v, f) for item, (_, opinions) in zip(items, said, strict=True) for v, f in opinions]
    settled = settle(items, reviews, capacity)
    places = [*settled.asked, *settled.blocked, *settled.not_selected]
    assert sorted(places) == sorted(item.id for item in items)
    assert all(0 < factor < 1 for factor in settled.factors.values())
    increasing = [one for one in settled.asked if next(i for i in items if i.id == one).risk_effect == "increases"]
    assert len(increasing) <= capacity
    for item, (reduces, opinions) in zip(items, said, strict=True):
        if reduces:
            assert item.id in settled.asked
        elif not opinions or any(v in ("veto", "abstain") for v, _ in opinions):
            assert item.id in settled.blocked
