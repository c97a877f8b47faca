"""A lesson moves by cases: what may become what, who agrees, and what is refused, voided or found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memory.tables import ApprovalRow, ExplanationRow, LessonRow
from pipeline import applying, lesson_use, queue_time
from pipeline.activation import activate, in_force
from pipeline.damage import mend_lessons
from pipeline.lesson_state import shadow_result
from pipeline.lessons import propose
from pipeline.policy import Facts, default_policy_text, load_policy
from pipeline.store import Store, now
from tests.pipeline import life, taught
from tests.pipeline.life import ANN, BOB, CARL, RUN, code_of
from tools.errors import ApprovalError, ConfigError
from tools.types import LESSON_KINDS, LessonState


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with real four eyes over an open run, which every test copies."""
    home = tmp_path_factory.mktemp("lessons") / "home"
    made = life.new_store(home)
    life.seed_run(made)
    in_force(made)
    text = default_policy_text().replace("profile: single_operator", "profile: desk")
    (made.home.config / "policy.yaml").write_text(text)
    activate(made, "policy", principal=ANN, reason="test")
    made.db.dispose()
    return home


@pytest.fixture
def desk(base: Path, tmp_path: Path) -> Iterator[Store]:
    made = life.new_store(shutil.copytree(base, tmp_path / "home"))
    yield made
    made.db.dispose()


def refusal(store: Store, lesson_id: str, to: LessonState) -> str:
    with pytest.raises(ApprovalError) as raised:
        propose(store, lesson_id, to, principal=ANN, reason="because")
    assert raised.value.code == "invalid"
    return raised.value.message


def test_the_whole_way_is_three_cases_each_with_its_record_and_another_persons_word(desk: Store) -> None:
    lesson_id = taught.promoted(desk)
    taught.move(desk, lesson_id, "retired")
    assert taught.kinds(desk) == ["lesson.quarantined", "lesson.shadow", "lesson.promoted", "lesson.retired"]
    assert taught.row_of(desk, lesson_id).revision == 3
    assert taught.trouble_of(desk, lesson_id) is None
    assert desk.verify_ledger().verified


def test_a_proposed_move_is_a_case_that_says_what_was_found_and_changes_nothing(desk: Store) -> None:
    lesson_id = taught.write(desk)
    asked = taught.ask(desk, lesson_id, "shadow")
    case = taught.case_of(desk, asked)
    assert (case.kind, case.state, case.symbol, case.strategy) == (
        "lesson.shadow", "awaiting", lesson_id.upper(), "desk",
    )  # fmt: skip
    assert case.change.title == "Try the lesson on trend in shadow"
    assert [(d.field, d.before, d.after, d.effect) for d in case.change.differences] == [
        ("state", "quarantined", "shadow", "neutral")
    ]
    with desk.db.read() as session:
        told = session.get_one(ExplanationRow, asked.case_id)
        row = session.get_one(ApprovalRow, asked.approval_id)
    assert "40 settled outcomes" in told.body["prose"]
    assert "-3.00 %" in told.body["prose"]
    assert (told.unresolved, told.dropped) == (0, 0)
    assert (row.roles, row.tier, row.separate, row.evidence_required) == (["risk_officer"], "high", ["proposer"], True)
    assert taught.row_of(desk, lesson_id).state == "quarantined"


def test_a_promotion_says_what_its_time_in_shadow_showed(desk: Store) -> None:
    lesson_id = taught.write(desk)
    taught.move(desk, lesson_id, "shadow")
    taught.try_out(desk, lesson_id)
    asked = taught.ask(desk, lesson_id, "promoted")
    with desk.db.read() as session:
        told = session.get_one(ExplanationRow, asked.case_id)
    assert "In shadow 20 outcomes of its scope settled, on average -2.00 %" in told.body["prose"]
    assert "would have changed 15 of 20 reviews" in told.body["prose"]
    assert "leaves 50 % of an entry" in told.body["prose"]
    assert (told.unresolved, told.dropped) == (0, 0)
    assert taught.case_of(desk, asked).change.differences[0].effect == "tighter"
    assert taught.case_of(desk, asked).risk_effect == "reduces"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"enough_data": False, "reading": "not_enough_data"}, "not enough data"), ({"taint": True}, "tainted"),
        ({"reading": "better"}, "found better"), ({"reading": "not_distinguishable"}, "found not distinguishable"),
        ({"scope": "strategy:trend/disposition:refused"}, "no candidate can be in the scope"),
        ({"reading": None}, "written by an earlier version"),
    ],
)  # fmt: skip
def test_what_is_unfit_stays_in_quarantine_and_may_be_retired(desk: Store, changes: dict[str, Any], said: str) -> None:
    lesson_id = taught.write(desk, **changes)
    assert said in refusal(desk, lesson_id, "shadow")
    taught.move(desk, lesson_id, "retired")


def test_no_step_is_left_out_and_nothing_comes_back_from_retirement(desk: Store) -> None:
    lesson_id = taught.write(desk)
    assert "only what is shadow can become promoted" in refusal(desk, lesson_id, "promoted")
    assert "can become quarantined" in refusal(desk, lesson_id, "quarantined")
    taught.move(desk, lesson_id, "retired")
    for to in ("shadow", "promoted", "retired"):
        assert "is retired" in refusal(desk, lesson_id, to)


def test_shadow_must_bear_it_out_on_outcomes_that_came_after_it(desk: Store) -> None:
    lesson_id = taught.write(desk)
    taught.settle(desk, first=10, count=30, excess=-0.05)
    taught.move(desk, lesson_id, "shadow")
    assert "has 0 settled outcomes, it takes 20" in refusal(desk, lesson_id, "promoted")
    taught.try_out(desk, lesson_id, count=19)
    assert "has 19 settled outcomes" in refusal(desk, lesson_id, "promoted")
    taught.try_out(desk, lesson_id, first=100, count=30, excess=0.05)
    assert "does not bear it out" in refusal(desk, lesson_id, "promoted")


def test_a_newer_lesson_of_the_scope_that_says_otherwise_stands_in_the_way(desk: Store) -> None:
    lesson_id = taught.write(desk)
    taught.write(desk, excess=0.0, as_of=life.AS_OF + timedelta(days=1))
    assert "of the same scope found not distinguishable" in refusal(desk, lesson_id, "shadow")


def test_one_open_question_per_lesson_and_an_unknown_one_is_unknown(desk: Store) -> None:
    lesson_id = taught.write(desk)
    taught.ask(desk, lesson_id, "shadow")
    assert code_of(lambda: taught.ask(desk, lesson_id, "retired")) == "exists"
    assert code_of(lambda: taught.ask(desk, "les_gone", "shadow")) == "unknown"


def test_the_proposer_may_not_agree_and_evidence_must_be_opened(desk: Store) -> None:
    asked = taught.ask(desk, taught.write(desk), "shadow")
    assert code_of(lambda: life.say(desk, asked, BOB)) == "evidence_unopened"
    assert code_of(lambda: taught.agree(desk, asked, ANN)) == "separation"


def test_a_refused_move_can_be_asked_again(desk: Store) -> None:
    lesson_id = taught.write(desk)
    asked = taught.ask(desk, lesson_id, "shadow")
    life.say(desk, asked, BOB, "reject")
    again = taught.ask(desk, lesson_id, "shadow")
    assert again.case_id != asked.case_id
    assert taught.agree(desk, again) == "approved"
    assert taught.row_of(desk, lesson_id).state == "shadow"


def test_two_approvers_at_once_move_it_once(desk: Store) -> None:
    lesson_id = taught.write(desk)
    asked = taught.ask(desk, lesson_id, "shadow")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda who: code_of(lambda: taught.agree(desk, asked, who)), (BOB, CARL, BOB, CARL)))
        list(pool.map(lambda _: applying.apply_due(desk), range(4)))
    assert taught.kinds(desk) == ["lesson.quarantined", "lesson.shadow"]
    assert taught.row_of(desk, lesson_id).revision == 1


def test_nobody_answers_and_it_stays_where_it_is(desk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson_id = taught.write(desk)
    asked = taught.ask(desk, lesson_id, "shadow")
    later = now() + timedelta(minutes=1_441)
    monkeypatch.setattr(queue_time, "wall", lambda _session: later)
    queue_time.attend(desk, RUN)
    assert taught.case_of(desk, asked).state == "expired"
    assert taught.row_of(desk, lesson_id).state == "quarantined"


def stop_before_it_is_applied(desk: Store, lesson_id: str, monkeypatch: pytest.MonkeyPatch) -> life.Question:
    """Approve, and die before the move is made."""
    asked = taught.ask(desk, lesson_id, "shadow")
    with monkeypatch.context() as patch:
        patch.setattr(applying, "_apply", lambda *_: False)
        taught.agree(desk, asked)
    assert taught.case_of(desk, asked).state == "approved"
    return asked


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE lessons SET body = replace(body, '\"sample_size\":4', '\"sample_size\":8')", "not what was approved"),
        ("UPDATE lessons SET state = 'promoted'", "moved since it was asked"),
        ("UPDATE lessons SET revision = 5", "moved since it was asked"), ("DELETE FROM lessons", "gone"),
        ("UPDATE runs SET active = 0", "was closed"),
    ],
)  # fmt: skip
def test_what_changed_after_the_approval_voids_it(
    desk: Store, monkeypatch: pytest.MonkeyPatch, statement: str, said: str
) -> None:
    lesson_id = taught.write(desk)
    asked = stop_before_it_is_applied(desk, lesson_id, monkeypatch)
    life.tamper(desk, statement)
    applying.apply_due(desk)
    case = taught.case_of(desk, asked)
    assert case.state == "voided"
    assert said in (case.reason or "")
    assert "lesson.shadow" not in taught.kinds(desk)


def test_a_lesson_that_was_contradicted_after_the_approval_is_not_moved(
    desk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson_id = taught.write(desk)
    asked = stop_before_it_is_applied(desk, lesson_id, monkeypatch)
    taught.write(desk, excess=0.03, as_of=life.AS_OF + timedelta(days=1))
    applying.apply_due(desk)
    assert "found better" in (taught.case_of(desk, asked).reason or "")


def test_a_newer_lesson_takes_the_place_of_the_promoted_one_of_its_scope(desk: Store) -> None:
    older = taught.promoted(desk)
    newer = taught.write(desk, excess=-0.05, as_of=life.AS_OF + timedelta(days=1))
    taught.move(desk, newer, "shadow")
    taught.try_out(desk, newer, first=90)
    taught.move(desk, newer, "promoted")
    assert (taught.row_of(desk, older).state, taught.row_of(desk, newer).state) == ("retired", "promoted")
    assert (taught.trouble_of(desk, older), taught.trouble_of(desk, newer)) == (None, None)
    with desk.db.read() as session:
        assert [item.id for item in lesson_use.promoted(desk, session, RUN)] == [newer]


@pytest.mark.parametrize(
    ("statement", "in_use"),
    [
        ("UPDATE lessons SET state = 'quarantined', revision = 0", True),
        ("UPDATE lessons SET body = replace(body, '\"interval_high\":-0.0', '\"interval_high\":0.0')", True),
        ("UPDATE lessons SET since_index = -500", True), ("UPDATE lessons SET confirmed_index = -500", True),
        ("UPDATE grants SET signature = '00'", False), ("DELETE FROM grants", False),
    ],
)  # fmt: skip
def test_a_row_that_was_written_over_is_found_and_loosens_nothing_by_itself(
    desk: Store, statement: str, in_use: bool
) -> None:
    lesson_id = taught.promoted(desk)
    life.tamper(desk, statement)
    with desk.db.write() as session:
        assert bool(lesson_use.promoted(desk, session, RUN)) is in_use
        lesson_use.decay(desk, session, taught.run_of(session), 61, life.AS_OF)
    assert "tampered" in life.findings(desk)
    assert "verify the ledger" in refusal(desk, lesson_id, "retired")


@pytest.mark.parametrize("statement", ["DELETE FROM lessons", "UPDATE lessons SET run_id = 'run_9'"])
def test_a_row_that_is_gone_is_found_and_its_lesson_stays_in_force(desk: Store, statement: str) -> None:
    lesson_id = taught.promoted(desk)
    life.tamper(desk, statement)
    with desk.db.write() as session:
        lesson_use.decay(desk, session, taught.run_of(session), 61, life.AS_OF)
        assert [item.id for item in lesson_use.promoted(desk, session, RUN)] == [lesson_id]
    assert life.findings(desk) == ["tampered"]


def test_a_newer_row_that_no_record_knows_contradicts_nothing(desk: Store) -> None:
    lesson_id = taught.promoted(desk)
    row = taught.row_of(desk, lesson_id)
    body = row.body.model_copy(update={"id": "les_0", "mean_excess_return": 0.05, "reading": "better"})
    with desk.db.write() as session:
        session.add(
            LessonRow(
                id="les_0", run_id=RUN, state="quarantined", scope=row.scope, as_of=row.as_of + timedelta(1), body=body
            )
        )
    with desk.db.write() as session:
        lesson_use.decay(desk, session, taught.run_of(session), 90, life.AS_OF)
        assert [item.id for item in lesson_use.promoted(desk, session, RUN)] == [lesson_id]


def test_a_lesson_that_cannot_be_read_is_put_back_from_its_record(desk: Store) -> None:
    lesson_id = taught.promoted(desk)
    body = taught.row_of(desk, lesson_id).body
    life.tamper(desk, "UPDATE lessons SET body = '{}'")
    assert mend_lessons(desk, RUN, life.AS_OF) == (lesson_id,)
    assert taught.row_of(desk, lesson_id).body == body
    assert taught.trouble_of(desk, lesson_id) is None
    assert life.findings(desk) == ["tampered"]
    assert mend_lessons(desk, RUN, life.AS_OF) == ()


def test_a_row_that_only_says_promoted_is_in_no_brief(desk: Store) -> None:
    taught.write(desk)
    life.tamper(desk, "UPDATE lessons SET state = 'promoted', revision = 2")
    with desk.db.write() as session:
        assert lesson_use.promoted(desk, session, RUN) == ()
        lesson_use.decay(desk, session, taught.run_of(session), 61, life.AS_OF)
    assert life.findings(desk) == ["tampered"]


def test_newer_outcomes_confirm_or_send_it_back_into_shadow(desk: Store) -> None:
    lesson_id = taught.promoted(desk)

    def look(index: int) -> tuple[str, int | None]:
        with desk.db.write() as session:
            lesson_use.decay(desk, session, taught.run_of(session), index, life.AS_OF)
        row = taught.row_of(desk, lesson_id)
        return row.state, row.confirmed_index

    assert look(75) == ("promoted", None)
    taught.settle(desk, first=200, count=20, excess=-0.01)
    assert look(230) == ("promoted", 230)
    assert look(231) == ("promoted", 230)
    taught.settle(desk, first=240, count=20, excess=0.03)
    assert look(270)[0] == "shadow"
    assert "lesson_decayed" in life.findings(desk)
    assert taught.kinds(desk)[-2:] == ["lesson.confirmed", "lesson.decayed"]
    with desk.db.read() as session:
        assert lesson_use.promoted(desk, session, RUN) == ()
    assert taught.trouble_of(desk, lesson_id) is None
    assert "has 0 settled outcomes" in refusal(desk, lesson_id, "promoted")


def test_without_confirmation_it_falls_back_after_a_hundred_and_twenty_sessions(desk: Store) -> None:
    lesson_id = taught.promoted(desk)
    life.tamper(desk, "DELETE FROM outcomes")
    for index, state in ((179, "promoted"), (180, "shadow")):
        with desk.db.write() as session:
            lesson_use.decay(desk, session, taught.run_of(session), index, life.AS_OF)
        assert taught.row_of(desk, lesson_id).state == state


def test_the_shadow_result_counts_only_its_own_time(desk: Store) -> None:
    lesson_id = taught.write(desk)
    taught.settle(desk, first=10, count=30, excess=0.5)
    taught.move(desk, lesson_id, "shadow")
    taught.try_out(desk, lesson_id, count=8, excess=-0.02)
    with desk.db.read() as session:
        found = shadow_result(session, taught.row_of(desk, lesson_id))
    assert found is not None
    assert (found.since_index, found.reviews, found.changed, found.agreement, found.enough) == (60, 8, 6, 0.25, False)
    assert (found.outcomes.size, found.outcomes.mean) == (8, -0.02)


def test_a_policy_without_a_word_on_lessons_takes_a_risk_officer_and_an_unknown_kind_is_refused() -> None:
    policy = load_policy(default_policy_text())
    for kind in LESSON_KINDS:
        ruling = policy.rule_on(Facts(kind=kind, risk_effect="reduces"))
        assert (ruling.required, ruling.roles, ruling.disposition) == (1, ("risk_officer",), "ask")
    with pytest.raises(ConfigError):
        policy.rule_on(Facts(kind="lesson.oblivion", risk_effect="reduces"))
    silent = default_policy_text().replace("kinds: [limits.activation]", "kinds: [lesson.promotion]")
    assert load_policy(silent.split("tests:")[0]).rules[-2].name == "limits_change"
