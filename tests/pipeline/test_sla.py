"""Service levels: pure sums over questions, and the same over the rows of a store."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.tables import ApprovalRow
from pipeline.attention import record_view
from pipeline.sla import Mark, Question, read_questions, service_levels, spread
from pipeline.store import Store, now
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, NOBODY, STAND_IN, TWO, ask, say

T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def question(
    status: str = "approved",
    closed: float | None = 100,
    views: dict[str, float] | None = None,
    answers: dict[str, float] | None = None,
    tier: str = "normal",
) -> Question:
    return Question(
        approval_id="a", tier=tier, rule=f"rule-{tier}", status=status, asked=T0,
        closed=None if closed is None else after(closed),
        views=tuple(Mark(who, after(at)) for who, at in (views or {}).items()),
        answers=tuple(Mark(who, after(at)) for who, at in (answers or {}).items()),
    )  # fmt: skip


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_values_that_occurred_at_their_nearest_rank(values: list[float]) -> None:
    found, ordered = spread(values), sorted(values)
    assert found.p50 == round(ordered[math.ceil(len(ordered) * 0.5) - 1], 3)
    assert found.p90 == round(ordered[math.ceil(len(ordered) * 0.9) - 1], 3)
    assert (found.count, found.longest) == (len(values), round(ordered[-1], 3))


def test_nothing_asked_has_no_figures() -> None:
    found = service_levels([])
    assert (found.total.questions, found.total.expired_share, found.tiers, found.people) == (0, None, (), ())


def test_tiers_rules_and_everything_together() -> None:
    found = service_levels(
        [
            question(closed=100, views={"ann": 10, "bob": 30}, answers={"ann": 100}),
            question(closed=300, views={"bob": 40}, answers={"bob": 300}),
            question("expired", 900, tier="high"),
            question("voided", 50, tier="high"),
            question("pending", None, views={"ann": 5}, tier="high"),
        ]
    )
    assert [(one.name, one.questions, one.expired_share) for one in found.tiers] == [
        ("high", 3, 1.0), ("normal", 2, 0.0),
    ]  # fmt: skip
    assert [one.name for one in found.rules] == ["rule-high", "rule-normal"]
    normal = found.tiers[1]
    assert (normal.median_seconds_to_acknowledge, normal.longest_seconds_to_acknowledge) == (10, 40)
    assert (normal.median_seconds_to_decide, normal.p90_seconds_to_decide) == (100, 300)
    assert (found.total.questions, found.total.pending, found.total.expired) == (5, 1, 1)
    assert found.total.expired_share == pytest.approx(1 / 3)


def test_a_person_is_measured_by_what_they_looked_at_or_answered() -> None:
    found = service_levels(
        [
            question(closed=100, views={"ann": 10}, answers={"ann": 100}),
            question("expired", 900, views={"ann": 20}),
            question(closed=50, answers={"bob": 50}),
        ]
    )
    ann, bob = found.people
    assert (ann.name, ann.questions, ann.decided, ann.expired, ann.expired_share) == ("ann", 2, 1, 1, 0.5)
    assert (ann.median_seconds_to_acknowledge, ann.median_seconds_to_decide) == (10, 100)
    assert (bob.questions, bob.median_seconds_to_acknowledge, bob.expired_share) == (1, 50, 0)


def test_a_time_that_ran_backwards_is_counted_and_not_averaged() -> None:
    found = service_levels([question(closed=-30, answers={"ann": -30}), question(closed=60, answers={"ann": 60})]).total
    assert (found.clock_faults, found.decided) == (2, 2)
    assert (found.median_seconds_to_decide, found.longest_seconds_to_decide) == (60, 60)


MOMENTS = st.dictionaries(st.sampled_from(["ann", "bob"]), st.floats(-1e4, 1e4), max_size=2)


@given(
    st.lists(
        st.builds(
            question, st.sampled_from(["pending", "approved", "rejected", "expired", "voided"]), st.floats(-1e4, 1e4),
            MOMENTS, MOMENTS, st.sampled_from(["low", "high"]),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_the_parts_add_up_and_no_figure_is_negative(asked: list[Question]) -> None:
    found = service_levels(asked)
    for groups in (found.tiers, found.rules):
        for name in ("questions", "pending", "expired", "decided", "acknowledged", "clock_faults"):
            assert sum(getattr(one, name) for one in groups) == getattr(found.total, name)
    for one in (found.total, *found.tiers, *found.people):
        assert one.expired_share is None or 0 <= one.expired_share <= 1
        assert all(value is None or value >= 0 for name, value in one if "seconds" in name)


def test_rows_become_questions_and_those_of_machines_are_left_out(any_store: Store) -> None:
    answered = ask(any_store, life.proposal(1), TWO)
    say(any_store, answered, ANN)
    say(any_store, answered, BOB)
    record_view(any_store, answered.approval_id, BOB, 0, False)
    ask(any_store, life.exit_proposal(2), NOBODY)
    say(any_store, ask(any_store, life.proposal(3)), STAND_IN)
    waiting = ask(any_store, life.proposal(4))
    with any_store.db.read() as session:
        found = read_questions(session, run_id=life.RUN)
        assert read_questions(session, run_id="run_2") == ()
        assert read_questions(session, since=now() + timedelta(seconds=1)) == ()
    assert {one.approval_id for one in found} == {answered.approval_id, waiting.approval_id}
    first = next(one for one in found if one.approval_id == answered.approval_id)
    assert {mark.person for mark in first.answers} == {"ann", "bob"}
    assert [mark.person for mark in first.views] == ["bob"]
    assert first.rule == "large"
    assert first.closed is not None


def test_an_expired_question_counts_as_expired(store: Store) -> None:
    question = ask(store)
    life.expire(store, 61)
    with store.db.read() as session:
        assert session.get_one(ApprovalRow, question.approval_id).status == "expired"
        found = service_levels(read_questions(session))
    assert (found.total.expired, found.total.expired_share) == (1, 1.0)
