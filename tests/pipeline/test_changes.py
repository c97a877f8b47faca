"""New limits and a new policy wait in the queue like any case, and are put in force once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import col, select

from memory.tables import ActivationRow, ApprovalRow, CaseRow, EvidenceRow, ExplanationRow, GrantRow, LedgerRow
from pipeline import applying, attention, changes, halt, halt_release, queue_time
from pipeline.activation import activate, at_start, in_force, look_again
from pipeline.book import portfolio_view
from pipeline.changes import Proposed, propose
from pipeline.policy import default_policy_text
from pipeline.store import Principal, Store, active_run, now
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, STAND_IN, Question, code_of, say
from tools.errors import ApprovalError
from tools.risk.limits import default_limits_text
from tools.types import LawKind

LIMITS: LawKind = "limits.activation"
POLICY: LawKind = "policy.activation"
TIGHTER = (
    default_limits_text().replace('version: "1"', 'version: "2"').replace('max_drawdown: "0.15"', 'max_drawdown: "0.1"')
)
LOOSER = (
    default_limits_text().replace('version: "1"', 'version: "2"').replace('max_drawdown: "0.15"', 'max_drawdown: "0.2"')
)
DESK_POLICY = default_policy_text().replace("profile: single_operator", "profile: desk")
NO_EVIDENCE = DESK_POLICY.replace("    evidence_required: true\n", "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = life.new_store(tmp_path / "home")
    life.seed_run(made)
    in_force(made)
    yield made
    made.db.dispose()


def put_policy(store: Store, text: str) -> None:
    path = store.home.config / "policy.yaml"
    path.write_text(text)
    activate(store, "policy", principal=ANN, reason="test")


@pytest.fixture
def desk(store: Store) -> Store:
    """The profile with real four eyes, without the need to open evidence."""
    put_policy(store, NO_EVIDENCE)
    return store


def ask(store: Store, text: str = TIGHTER, kind: LawKind = LIMITS, who: Principal = ANN) -> Question:
    return question(store, propose(store, kind, principal=who, reason="calmer weeks", text=text))


def question(store: Store, made: Proposed) -> Question:
    with store.db.read() as session:
        return Question(made.case_id, made.approval_id, session.get_one(ApprovalRow, made.approval_id).digest)


def case_of(store: Store, asked: Question | Proposed) -> CaseRow:
    with store.db.read() as session:
        return session.get_one(CaseRow, asked.case_id)


def in_force_version(store: Store) -> str:
    return in_force(store).limits.version


def activations(store: Store) -> int:
    with store.db.read() as session:
        return len(session.exec(select(ActivationRow).where(ActivationRow.kind == "limits")).all())


def test_a_proposed_change_is_a_case_that_waits_and_changes_nothing(store: Store) -> None:
    before = in_force(store)
    asked = ask(store)
    case = case_of(store, asked)
    assert in_force(store) == before
    assert (case.state, case.kind, case.strategy, case.symbol, case.side) == (
        "awaiting", "limits.activation", "desk", "LIMITS", "",
    )  # fmt: skip
    assert [(d.field, d.before, d.after, d.effect) for d in case.change.differences] == [
        ("max_drawdown", "0.15", "0.1", "tighter"), ("version", "1", "2", "neutral"),
    ]  # fmt: skip
    assert case.risk_effect == case.change.risk_effect == "reduces"
    assert case.change.proposer == "ann"


def test_who_must_answer_is_the_policys_word_and_single_operators_cool_off(store: Store) -> None:
    asked = ask(store, LOOSER)
    with store.db.read() as session:
        row = session.get_one(ApprovalRow, asked.approval_id)
    assert (row.rule, row.tier, row.roles, row.required) == ("limits_change", "high", ["risk_officer"], 1)
    assert (row.cooling_off_seconds, row.separate, row.evidence_required) == (300, [], True)
    assert row.expires_wall is not None
    assert row.expires_wall - row.asked_wall == timedelta(minutes=1440)


def test_the_explanation_says_every_difference_from_evidence(store: Store) -> None:
    asked = ask(store)
    with store.db.read() as session:
        told = session.get_one(ExplanationRow, asked.case_id)
        evidence = session.get_one(EvidenceRow, case_of(store, asked).change.evidence_ids[0])
    assert "max_drawdown goes from 0.15 to 0.1: tighter" in told.body["prose"]
    assert "proposed by ann" in told.body["prose"]
    assert (told.unresolved, told.dropped) == (0, 0)
    assert evidence.body.payload["differences"] == {
        "max_drawdown": {"before": "0.15", "after": "0.1"}, "version": {"before": "1", "after": "2"},
    }  # fmt: skip


def test_an_approved_change_is_in_force_at_once_with_a_spent_grant_and_a_record(desk: Store) -> None:
    asked = ask(desk)
    assert say(desk, asked, BOB).status == "approved"
    assert in_force_version(desk) == "2"
    assert case_of(desk, asked).state == "done"
    with desk.db.read() as session:
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == asked.case_id)).one()
        newest = session.exec(select(ActivationRow).order_by(col(ActivationRow.id).desc())).first()
        record = session.exec(select(LedgerRow).where(LedgerRow.kind == "limits.activated")).all()[-1]
    assert (grant.status, grant.quantity_budget, grant.body["principals"]) == ("consumed", 1, ["bob"])
    assert newest is not None
    assert (newest.principal, newest.body) == ("bob", TIGHTER)
    for word in ('"proposer":"ann"', '"principals":["bob"]', asked.case_id, "calmer weeks"):
        assert word in record.content
    assert desk.verify_ledger().verified


def test_applying_again_changes_nothing(desk: Store) -> None:
    asked = ask(desk)
    say(desk, asked, BOB)
    before = life.everything(desk)
    assert applying.apply_due(desk) == ()
    assert say(desk, asked, BOB).repeated
    assert life.everything(desk) == before
    assert activations(desk) == 2


def test_a_cooling_off_is_waited_for_and_then_the_watch_loop_applies(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(store)
    attention.record_view(store, asked.approval_id, ANN, 0, True)
    assert say(store, asked).not_before is not None
    assert (applying.apply_due(store), in_force_version(store)) == ((), "1")
    monkeypatch.setattr(applying, "now", lambda: now() + timedelta(seconds=301))
    assert applying.apply_due(store) == (asked.case_id,)
    assert in_force_version(store) == "2"


def test_a_cooling_off_that_is_taken_away_in_the_database_is_tampering(store: Store) -> None:
    asked = ask(store)
    attention.record_view(store, asked.approval_id, ANN, 0, True)
    say(store, asked)
    life.tamper(store, "UPDATE approvals SET not_before_wall = NULL")
    applying.apply_due(store)
    assert (case_of(store, asked).state, in_force_version(store)) == ("voided", "1")
    assert life.findings(store) == ["tampered"]


def test_the_evidence_must_be_opened_first(store: Store) -> None:
    asked = ask(store)
    assert code_of(lambda: say(store, asked)) == "evidence_unopened"


def test_the_proposer_cannot_sign_but_may_withdraw_by_rejecting(desk: Store) -> None:
    asked = ask(desk)
    assert code_of(lambda: say(desk, asked, ANN)) == "separation"
    assert say(desk, asked, ANN, "reject").status == "rejected"
    assert in_force_version(desk) == "1"


def test_a_stand_in_answers_no_change(desk: Store) -> None:
    asked = ask(desk)
    assert code_of(lambda: say(desk, asked, STAND_IN)) == "forbidden"


def test_a_rejected_change_is_never_applied_and_can_be_proposed_again(desk: Store) -> None:
    first = ask(desk)
    say(desk, first, BOB, "reject")
    applying.apply_due(desk)
    assert (case_of(desk, first).state, in_force_version(desk)) == ("rejected", "1")
    second = ask(desk)
    assert second.case_id != first.case_id
    say(desk, second, BOB)
    assert in_force_version(desk) == "2"


def test_one_open_change_per_subject(desk: Store) -> None:
    asked = ask(desk)
    with pytest.raises(ApprovalError, match="is open: decide it first") as caught:
        ask(desk, LOOSER, who=BOB)
    assert (caught.value.code, caught.value.detail) == ("exists", {"case_id": asked.case_id})
    policy = ask(desk, DESK_POLICY.replace("capacity: 5", "capacity: 3"), POLICY)
    assert case_of(desk, policy).symbol == "POLICY"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (default_limits_text(), "in force already"), ("nonsense", "holds str"), ("a: [", "not YAML"),
        (TIGHTER + "\nsurprise: 1\n", "surprise"), (TIGHTER.replace('"0.1"', '"7"'), "max_drawdown"),
        ("#" * (changes.MAX_TEXT + 1), "characters"),
    ],
)  # fmt: skip
def test_what_is_no_limits_file_or_changes_nothing_is_invalid_and_leaves_everything(
    store: Store, text: str, match: str
) -> None:
    before = life.everything(store)
    with pytest.raises(ApprovalError, match=match) as caught:
        ask(store, text)
    assert caught.value.code == "invalid"
    assert life.everything(store) == before


def test_a_policy_whose_own_test_fails_is_not_asked(store: Store) -> None:
    wrong = default_policy_text().replace("    approvers: 0\n    tier: low", "    approvers: 1\n    tier: low")
    with pytest.raises(ApprovalError, match="its own test fails"):
        ask(store, wrong, POLICY)


def test_no_reason_no_case(store: Store) -> None:
    with pytest.raises(ApprovalError, match="reason"):
        propose(store, LIMITS, principal=ANN, reason=" ", text=TIGHTER)


def test_without_a_text_it_is_the_file_of_the_home(store: Store) -> None:
    (store.home.config / "limits.yaml").write_text(TIGHTER)
    made = propose(store, LIMITS, principal=ANN, reason="calmer weeks")
    assert case_of(store, made).change.text == TIGHTER
    assert in_force_version(store) == "1", "a file that is edited under a running desk changes nothing"


def test_a_change_beside_what_was_activated_meanwhile_is_void(desk: Store) -> None:
    asked = ask(desk)
    (desk.home.config / "limits.yaml").write_text(LOOSER)
    activate(desk, "limits", principal=BOB, reason="by hand")
    say(desk, asked, BOB)
    case = case_of(desk, asked)
    assert (case.state, case.reason) == ("voided", "the limits in force changed since it was asked")
    assert in_force(desk).limits.max_drawdown == Decimal("0.2")


def test_a_halt_blocks_the_approval_of_what_loosens_and_not_of_what_tightens(desk: Store) -> None:
    loose = ask(desk, LOOSER)
    halt.engage(desk, action="no_new", reason="drill", principal=ANN)
    assert code_of(lambda: say(desk, loose, BOB)) == "forbidden"
    say(desk, loose, BOB, "reject")
    assert say(desk, ask(desk), BOB).status == "approved"
    assert in_force_version(desk) == "2"


def test_a_halt_during_the_cooling_off_voids_what_loosens(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(store, LOOSER)
    attention.record_view(store, asked.approval_id, ANN, 0, True)
    say(store, asked)
    halt.engage(store, action="no_new", reason="drill", principal=ANN)
    monkeypatch.setattr(applying, "now", lambda: now() + timedelta(seconds=301))
    applying.apply_due(store)
    assert (case_of(store, asked).state, case_of(store, asked).reason) == ("voided", "a halt is in force")


def test_releasing_a_halt_voids_a_waiting_change_that_loosens(desk: Store) -> None:
    asked = ask(desk, LOOSER)
    halt.engage(desk, action="no_new", reason="drill", principal=ANN)
    halt_release.release(desk, reason="over", principal=BOB)
    assert case_of(desk, asked).state == "voided"
    assert code_of(lambda: say(desk, asked, BOB)) == "expired"


def test_a_change_that_only_tightens_outlives_a_halt(desk: Store) -> None:
    asked = ask(desk)
    halt.engage(desk, action="no_new", reason="drill", principal=ANN)
    halt_release.release(desk, reason="over", principal=BOB)
    assert case_of(desk, asked).state == "awaiting"


def test_nobody_answers_for_a_day_and_it_expires_whatever_the_sessions_say(
    desk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(desk)
    assert life.expire(desk, 300) == [], "sessions do not count"
    later = now() + timedelta(minutes=1441)
    monkeypatch.setattr(queue_time, "wall", lambda _session: later)
    queue_time.attend(desk, life.RUN)
    assert case_of(desk, asked).state == "expired"
    assert code_of(lambda: say(desk, asked, BOB)) == "expired"


def test_a_changed_text_in_the_database_is_not_signed(desk: Store) -> None:
    asked = ask(desk)
    life.tamper(desk, "UPDATE cases SET body = replace(body, 'max_drawdown: \\\"0.1\\\"', 'max_drawdown: \\\"0.9\\\"')")
    assert case_of(desk, asked).change.text != TIGHTER
    assert code_of(lambda: say(desk, asked, BOB)) == "stale_digest"
    assert in_force_version(desk) == "1"


def test_a_question_of_a_closed_run_takes_no_answer(desk: Store) -> None:
    asked = ask(desk)
    life.tamper(desk, "UPDATE runs SET active = 0")
    assert code_of(lambda: say(desk, asked, BOB)) == "expired"
    assert code_of(lambda: say(desk, asked, BOB, "reject")) == "expired"
    assert code_of(lambda: queue_time.acknowledge(desk, asked.approval_id, principal=BOB)) == "expired"


def test_a_policy_from_before_there_were_changes_asks_the_right_people(store: Store) -> None:
    put_policy(store, NO_EVIDENCE[: NO_EVIDENCE.index("  - name: limits_change")])
    rows = {}
    for kind, candidate in ((LIMITS, TIGHTER), (POLICY, DESK_POLICY)):
        asked = ask(store, candidate, kind)
        with store.db.read() as session:
            rows[kind] = session.get_one(ApprovalRow, asked.approval_id)
    assert {kind: (row.rule, row.roles, row.separate, row.required) for kind, row in rows.items()} == {
        LIMITS: ("default", ["risk_officer"], ["proposer"], 1), POLICY: ("default", ["admin"], ["proposer"], 1),
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["observe", "advise", "autonomous"])
def test_in_every_mode_a_change_takes_a_person_and_can_end_the_mode(store: Store, mode: str) -> None:
    untested = NO_EVIDENCE[: NO_EVIDENCE.index("tests:")]
    put_policy(store, untested.replace("mode: supervise", f"mode: {mode}"))
    asked = ask(store, NO_EVIDENCE, POLICY)
    assert case_of(store, asked).state == "awaiting"
    say(store, asked, BOB)
    assert in_force(store).policy.mode == "supervise"


def test_a_file_changed_before_a_start_runs_reduce_only_and_becomes_a_case_once(desk: Store) -> None:
    (desk.home.config / "limits.yaml").write_text(TIGHTER)
    at_start(desk, attended=True)
    assert "limits.yaml differs" in desk.reduce_only[0]
    (made,) = changes.propose_files(desk)
    assert case_of(desk, made).change.proposer == "file"
    assert changes.propose_files(desk) == (), "a second start asks nothing again"
    say(desk, question(desk, made), BOB)
    assert look_again(desk)
    assert desk.reduce_only == []
    assert in_force_version(desk) == "2"


def test_a_file_changed_again_replaces_its_own_case_and_one_put_back_withdraws_it(desk: Store) -> None:
    path = desk.home.config / "limits.yaml"
    path.write_text(TIGHTER)
    (first,) = changes.propose_files(desk)
    path.write_text(LOOSER)
    (second,) = changes.propose_files(desk)
    assert case_of(desk, first).state == "superseded"
    path.write_text(default_limits_text())
    assert changes.propose_files(desk) == ()
    assert (case_of(desk, second).state, case_of(desk, second).reason) == (
        "voided", "the file of the home was put back",
    )  # fmt: skip


def test_what_a_person_proposed_is_left_to_people(desk: Store) -> None:
    asked = ask(desk, LOOSER)
    (desk.home.config / "limits.yaml").write_text(TIGHTER)
    assert changes.propose_files(desk) == ()
    assert case_of(desk, asked).state == "awaiting"


def test_a_headless_start_with_a_changed_file_still_refuses(desk: Store) -> None:
    (desk.home.config / "limits.yaml").write_text(TIGHTER)
    assert code_of(lambda: at_start(desk)) == "limits_not_activated"


def test_a_change_is_no_pending_order_and_counts_in_nobodys_day_limit(desk: Store) -> None:
    ask(desk, LOOSER)
    life.tamper(desk, "UPDATE cases SET state = 'approved'")
    with desk.db.read() as session:
        run = active_run(session)
        assert run is not None
        assert portfolio_view(session, run, life.MARKET).pending == ()
