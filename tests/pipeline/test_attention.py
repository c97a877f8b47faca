"""Views and what gives a rubber stamp away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from memory.ledger import content_sha256
from memory.tables import CanaryRow, DecisionRow, FindingRow, LedgerRow, ViewRow
from pipeline import attention
from pipeline.attention import Answer, Measures, Thresholds, breaches, measure, record_view
from pipeline.store import Principal, Store, now
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, STAND_IN, Question, ask, say
from tools.errors import ApprovalError

T0 = datetime.fromisoformat("2026-11-21T10:00:00+00:00")
Clock = Callable[[datetime], None]


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set the wall clock of the attention module."""

    def at(moment: datetime) -> None:
        monkeypatch.setattr(attention, "now", lambda: moment)

    return at


def seen(store: Store, question: Question, who: Principal = ANN) -> ViewRow:
    with store.db.read() as session:
        found = attention.view_of(session, question.approval_id, who.name)
    assert found is not None
    return found


def test_looks_add_up_and_evidence_once_opened_stays_opened(any_store: Store, wall: Clock) -> None:
    question, start = ask(any_store), now()
    for after, seconds, opened in ((10, 0, False), (25, 15, True), (40, 15, False)):
        wall(start + timedelta(seconds=after))
        record_view(any_store, question.approval_id, ANN, seconds, opened)
    found = seen(any_store, question)
    assert (found.views, found.seconds, found.evidence_opened) == (3, 30, True)
    assert (found.first_wall, found.last_wall) == (start + timedelta(seconds=10), start + timedelta(seconds=40))
    with any_store.db.read() as session:
        assert attention.has_opened_evidence(session, question.approval_id, "ann")
        assert not attention.has_opened_evidence(session, question.approval_id, "bob")


def test_no_more_is_credited_than_could_have_passed(store: Store, wall: Clock) -> None:
    question, start = ask(store), now()
    wall(start + timedelta(seconds=5))
    first = record_view(store, question.approval_id, ANN, 3_600, False)
    assert 0 < first.seconds <= 5.5
    second = record_view(store, question.approval_id, ANN, 3_600, False)
    assert second.seconds == first.seconds


def test_a_clock_that_is_set_back_credits_nothing_and_takes_nothing(store: Store, wall: Clock) -> None:
    question, start = ask(store), now()
    wall(start + timedelta(seconds=20))
    record_view(store, question.approval_id, ANN, 20, False)
    before = seen(store, question).seconds
    wall(start - timedelta(hours=1))
    assert record_view(store, question.approval_id, ANN, 20, False).seconds == before


def test_looking_after_the_answer_does_not_count_as_looking_before(store: Store, wall: Clock) -> None:
    question, start = ask(store), now()
    say(store, question)
    wall(start + timedelta(minutes=5))
    found = record_view(store, question.approval_id, ANN, 300, True)
    assert (found.views, found.seconds) == (1, 0)


def test_every_look_is_recorded_and_no_run_changes_its_content(store: Store) -> None:
    question = ask(store)
    with store.db.read() as session:
        before = content_sha256(session, life.RUN)
    someone = Principal("ann", "person", "127.0.0.1", "key:7")
    record_view(store, question.approval_id, someone, 0, False)
    record_view(store, question.approval_id, someone, 0, True)
    with store.db.read() as session:
        entries = session.exec(select(LedgerRow).where(LedgerRow.kind == "approval.viewed")).all()
        assert content_sha256(session, life.RUN) == before
    assert [entry.case_id for entry in entries] == [question.case_id] * 2
    assert all('"principal":"ann"' in entry.content for entry in entries)
    assert {(entry.envelope["session"], entry.envelope["address"]) for entry in entries} == {("key:7", "127.0.0.1")}
    assert store.verify_ledger().verified


@pytest.mark.parametrize(
    ("who", "seconds", "code"),
    [
        (STAND_IN, 1, "forbidden"), (Principal("policy:1", "policy"), 1, "forbidden"),
        (Principal("stand-in:1", "person"), 1, "forbidden"), (ANN, -1, "invalid"), (ANN, float("nan"), "invalid"),
        (ANN, float("inf"), "invalid"), (ANN, 3_601, "invalid"),
    ],
)  # fmt: skip
def test_a_look_that_cannot_be_is_refused_and_leaves_nothing(
    store: Store, who: Principal, seconds: float, code: str
) -> None:
    question = ask(store)
    with pytest.raises(ApprovalError) as caught:
        record_view(store, question.approval_id, who, seconds, False)
    assert caught.value.code == code
    assert life.count(store, ViewRow) == 0


def test_a_look_at_nothing_is_unknown(store: Store) -> None:
    with pytest.raises(ApprovalError) as caught:
        record_view(store, "appr_none", ANN, 0, False)
    assert caught.value.code == "unknown"


def answer(
    decision: str = "approve", after: float = 60, view_at: float | None = 10, view_s: float = 50, person: str = "ann"
) -> Answer:
    first = None if view_at is None else T0 + timedelta(seconds=view_at)
    return Answer(person, decision, T0, T0 + timedelta(seconds=after), first, view_s)


CAREFUL = [answer("approve")] * 14 + [answer("reject")] * 6


def only(answers: list[Answer], canaries: tuple[tuple[str, bool], ...] = ()) -> Measures:
    (found,) = measure(answers, canaries, Thresholds())
    return found


def test_a_careful_person_breaks_no_threshold() -> None:
    found = only(CAREFUL)
    assert (found.answers, found.approved, found.approve_rate) == (20, 14, 0.7)
    assert (found.median_seconds_to_decide, found.median_seconds_viewed) == (60, 50)
    assert (found.fast_share, found.unseen_share) == (0, 0)
    assert found.breaches == ()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([answer()] * 20, "approves 100%"),
        (CAREFUL[:13] + [answer("reject", after=11)] * 7, "answers 35% within 5 s of opening"),
        ([answer("approve", view_s=1)] * 14 + [answer("reject", view_s=1)] * 6, "looks 1.0 s at the median"),
        (CAREFUL[:17] + [answer("reject", view_at=None)] * 3, "answers 15% without opening them"),
    ],
)
def test_each_habit_of_a_rubber_stamp_is_named(answers: list[Answer], words: str) -> None:
    assert words in only(answers).breaches


def test_few_answers_prove_nothing_but_one_planted_case_does() -> None:
    assert only([answer()] * 19).breaches == ()
    assert only([answer()] * 19, (("ann", True),)).breaches == ("approved 1 planted cases",)


def test_equality_passes() -> None:
    limits = Thresholds()
    found = only(CAREFUL).model_copy(
        update={
            "approve_rate": limits.max_approve_rate, "fast_share": limits.max_fast_share,
            "median_seconds_viewed": limits.min_median_view_s, "unseen_share": limits.max_unseen_share,
        }
    )  # fmt: skip
    assert breaches(found, limits) == ()


def test_machines_and_questions_back_are_no_answers() -> None:
    given = [answer(person="policy:1"), answer(person="stand-in:1"), answer("respond"), answer("extend")]
    assert measure(given, (), Thresholds()) == ()


@given(
    st.lists(
        st.builds(
            answer, st.sampled_from(["approve", "edit", "reject", "respond"]), st.floats(-1e6, 1e6),
            st.none() | st.floats(-1e6, 1e6), st.floats(0, 1e5), st.sampled_from(["ann", "bob", "policy:1"]),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_measures_are_fractions_and_no_time_is_negative_whatever_the_clock_did(answers: list[Answer]) -> None:
    for found in measure(answers, [("ann", True)], Thresholds()):
        assert found.person in ("ann", "bob")
        for share in (found.approve_rate, found.fast_share, found.unseen_share):
            assert share is None or 0 <= share <= 1
        assert (found.median_seconds_to_decide or 0) >= 0
        assert found.approved <= found.answers


def rush(store: Store, who: Principal, count: int) -> None:
    for number in range(count):
        say(store, ask(store, life.proposal(100 + number, symbol=f"S{number}")), who)


def test_a_rubber_stamp_is_one_finding_until_it_is_over(store: Store) -> None:
    rush(store, ANN, 20)
    say(store, ask(store, life.proposal(1, symbol="GE")), BOB)
    with store.db.write() as session:
        at = now()
        told = attention.raise_findings(session, at=at)
        assert attention.raise_findings(session, at=at) == ()
        assert attention.raise_findings(session, at=at + timedelta(days=1)) == ()
        attention.raise_findings(session, at=now() + timedelta(days=40))
        assert [found.person for found in attention.raise_findings(session, at=now() + timedelta(days=2))] == ["ann"]
    assert [found.person for found in told] == ["ann"]
    with store.db.read() as session:
        findings = session.exec(
            select(FindingRow).where(FindingRow.code == "rubber_stamp").order_by(col(FindingRow.first_as_of))
        ).all()
    assert [(found.times_seen, found.cleared_as_of is None) for found in findings] == [(2, False), (1, True)]
    assert {found.severity for found in findings} == {"warning"}
    assert all("without opening" in found.body.message for found in findings)


def test_what_lies_before_the_window_is_forgotten(store: Store) -> None:
    rush(store, ANN, 20)
    with store.db.write() as session:
        for row in session.exec(select(DecisionRow)).all():
            row.decided_wall -= timedelta(days=31)
            session.add(row)
    with store.db.read() as session:
        assert attention.read_measures(session) == ()


def test_a_look_after_the_decision_does_not_make_it_seen(store: Store) -> None:
    question = ask(store)
    say(store, question)
    record_view(store, question.approval_id, ANN, 0, True)
    with store.db.read() as session:
        (found,) = attention.read_measures(session)
    assert found.unseen_share == 1


def test_planted_cases_count_for_the_person_who_answered_them(store: Store) -> None:
    with store.db.write() as session:
        for index, (status, who) in enumerate((("passed", "ann"), ("caught", "ann"), ("unanswered", None))):
            session.add(
                CanaryRow(
                    id=f"canary_{index}", run_id=life.RUN, cycle_index=index, flaw="against_trend", pick=1, salt="s",
                    commitment="c", status=status, principal=who, committed_wall=now(), closed_wall=now(),
                )
            )  # fmt: skip
    with store.db.read() as session:
        (found,) = attention.read_measures(session, run_id=life.RUN)
        assert attention.read_measures(session, run_id="run_2") == ()
    assert (found.canaries_passed, found.canaries_caught, found.answers) == (1, 1, 0)
    assert found.breaches == ("approved 1 planted cases",)
