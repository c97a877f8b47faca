"""The queue: who may say what, until when, and what a second word is worth."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from memory.ledger import Stage
from memory.tables import ApprovalRow, CaseRow, DecisionRow, GrantRow, LedgerRow, RunRow
from pipeline import approvals, halt
from pipeline.store import Principal, Store
from pipeline.voiding import void_case
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, CARL, NOBODY, STAND_IN, TWO, Question, code_of, say, truth
from tools.errors import ApprovalError


@pytest.fixture
def asked(store: Store) -> Question:
    """One entry that waits for one person."""
    return life.ask(store)


def test_one_approval_releases_the_case_and_mints_one_grant(store: Store, asked: Question) -> None:
    found = say(store, asked)
    assert (found.status, found.given, found.required, found.decided_by, found.repeated) == (
        "approved", 1, 1, "ann", False,
    )  # fmt: skip
    assert truth(store, asked) == life.Truth("approved", "approved", ("minted",), 0, 0, 1)


def test_a_refusal_closes_the_case_and_mints_nothing(store: Store, asked: Question) -> None:
    assert say(store, asked, decision="reject").status == "rejected"
    assert truth(store, asked) == life.Truth("rejected", "rejected", (), 0, 0, 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"decision": "edit"}, "invalid"),
        ({"decision": ""}, "invalid"),
        ({"reason": ""}, "invalid"),
        ({"reason": "  \n\t "}, "invalid"),
        ({"reason": "x" * 2_001}, "invalid"),
        ({"digest": "0" * 64}, "stale_digest"),
        ({"digest": ""}, "stale_digest"),
    ],
)
def test_a_malformed_answer_is_refused_by_code_and_nothing_is_saved(
    store: Store, asked: Question, changes: dict[str, Any], code: str
) -> None:
    before = life.everything(store)
    assert code_of(lambda: say(store, asked, **changes)) == code
    assert life.everything(store) == before
    assert truth(store, asked).state == "awaiting"


def test_an_answer_to_a_question_nobody_asked_is_unknown(store: Store, asked: Question) -> None:
    stranger = asked._replace(approval_id="appr_none")
    assert code_of(lambda: say(store, stranger)) == "unknown"


def test_a_reason_of_exactly_the_longest_length_is_taken(store: Store, asked: Question) -> None:
    assert say(store, asked, reason="x" * 2_000).status == "approved"


def test_a_proposal_changed_after_it_was_asked_cannot_be_approved(store: Store, asked: Question) -> None:
    life.tamper(store, """UPDATE cases SET body = replace(body, '"quantity":100', '"quantity":900')""")
    assert code_of(lambda: say(store, asked)) == "stale_digest"
    assert truth(store, asked).grants == ()


def test_the_same_answer_again_gives_the_same_result_and_writes_nothing(store: Store, asked: Question) -> None:
    first = say(store, asked)
    before = life.everything(store)
    again = say(store, asked, reason="said differently")
    assert again == first.model_copy(update={"repeated": True})
    assert life.everything(store) == before


def test_the_same_answer_is_repeated_even_after_its_time_has_run_out(store: Store, asked: Question) -> None:
    say(store, asked)
    life.move_clock(store, 61)
    assert say(store, asked).repeated


@pytest.mark.parametrize(("first", "second"), [("approve", "reject"), ("reject", "approve")])
def test_a_different_second_answer_of_the_same_person_is_refused_naming_the_first(
    store: Store, asked: Question, first: approvals.Answer, second: approvals.Answer
) -> None:
    say(store, asked, decision=first)
    before = truth(store, asked)
    with pytest.raises(ApprovalError, match=f"ann said {first}") as caught:
        say(store, asked, decision=second)
    assert caught.value.code == "decided"
    assert truth(store, asked) == before


@pytest.mark.parametrize("second", ["approve", "reject"])
def test_after_a_refusal_nobody_else_can_decide(
    store: Store, asked: Question, second: approvals.Answer
) -> None:  # fmt: skip
    say(store, asked, decision="reject")
    with pytest.raises(ApprovalError, match="ann said reject") as caught:
        say(store, asked, BOB, second)
    assert caught.value.code == "decided"


def test_a_second_approval_of_a_decided_question_is_refused(store: Store, asked: Question) -> None:
    say(store, asked)
    assert code_of(lambda: say(store, asked, BOB)) == "decided"
    assert truth(store, asked).grants == ("minted",)


def test_one_refusal_by_another_person_beats_the_approval_until_it_is_submitted(store: Store, asked: Question) -> None:
    say(store, asked)
    assert say(store, asked, BOB, "reject").status == "rejected"
    assert truth(store, asked) == life.Truth("rejected", "rejected", ("voided",), 0, 0, 2)
    assert life.submit(store, asked).value == "rejected"


def test_a_refusal_still_beats_an_approval_in_the_session_that_would_submit_it(store: Store, asked: Question) -> None:
    say(store, asked)
    assert life.expire(store, 61) == []
    assert say(store, asked, BOB, "reject").status == "rejected"


def test_a_refusal_after_the_grant_was_consumed_comes_too_late(store: Store, asked: Question) -> None:
    say(store, asked)
    assert life.submit(store, asked).value == "submitted"
    assert code_of(lambda: say(store, asked, BOB, "reject")) == "decided"
    assert truth(store, asked) == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)


def test_a_question_for_two_people_needs_two_different_ones(store: Store) -> None:
    asked = life.ask(store, ruling=TWO)
    assert (say(store, asked).status, say(store, asked).repeated) == ("pending", True)
    assert truth(store, asked) == life.Truth("awaiting", "pending", (), 0, 0, 1)
    found = say(store, asked, BOB)
    assert (found.status, found.given) == ("approved", 2)
    with store.db.read() as session:
        grant = session.get_one(GrantRow, session.exec(_grants(asked)).one().id)
    assert grant.body["principals"] == ["ann", "bob"]
    assert code_of(lambda: say(store, asked, CARL)) == "decided"


def _grants(asked: Question) -> Any:
    return select(GrantRow).where(GrantRow.case_id == asked.case_id)


def test_of_two_people_one_refusal_is_enough(store: Store) -> None:
    asked = life.ask(store, ruling=TWO)
    say(store, asked)
    assert say(store, asked, BOB, "reject").status == "rejected"
    assert truth(store, asked).grants == ()


def test_a_question_expires_when_its_session_begins_and_not_before(store: Store, asked: Question) -> None:
    assert life.expire(store, 60) == []
    assert life.expire(store, 61) == [asked.case_id]
    assert truth(store, asked) == life.Truth("expired", "expired", (), 0, 0, 0)
    for decision in ("approve", "reject"):
        assert code_of(lambda d=decision: say(store, asked, decision=d)) == "expired"  # type: ignore[misc]
    assert truth(store, asked).decisions == 0


def test_a_question_is_closed_by_the_clock_even_before_anybody_expired_it(store: Store, asked: Question) -> None:
    life.move_clock(store, 61)
    assert code_of(lambda: say(store, asked)) == "expired"


def test_a_question_with_a_longer_life_is_open_until_its_last_session(store: Store) -> None:
    asked = life.ask(store, ruling=life.ONE.model_copy(update={"ttl_sessions": 3}))
    assert life.expire(store, 62) == []
    assert say(store, asked).status == "approved"
    assert life.expire(store, 63) == [], "an approved case does not expire; submission judges its age"


def test_a_voided_question_cannot_be_answered(store: Store, asked: Question) -> None:
    with store.db.write() as session:
        case = session.get_one(CaseRow, asked.case_id)
        void_case(session, case, why="test", desk_time=life.AS_OF, stage=Stage.SUBMIT, detail={})
    assert code_of(lambda: say(store, asked)) == "expired"


def test_under_a_halt_nothing_that_increases_risk_is_approved_but_it_may_be_refused(
    store: Store, asked: Question
) -> None:
    halt.engage(store, action="no_new", reason="drill", principal=BOB)
    assert code_of(lambda: say(store, asked)) == "forbidden"
    assert say(store, asked, decision="reject").status == "rejected"


def test_under_a_halt_a_reduction_may_be_approved(store: Store) -> None:
    life.hold(store)
    asked = life.ask(store, life.exit_proposal(taint=True), exposure=100)
    halt.engage(store, action="no_new", reason="drill", principal=BOB)
    assert say(store, asked).status == "approved"


@pytest.mark.parametrize("run", [{"mode": "paper"}, {"mode": "live"}, {"config": {"broker": "alpaca"}}, {"config": {}}])
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_stand_in_is_refused_outside_replay_on_the_simulation_broker(
    store: Store, asked: Question, run: dict[str, Any], decision: approvals.Answer
) -> None:
    with store.db.write() as session:
        row = session.get_one(RunRow, life.RUN)
        for name, value in run.items():
            setattr(row, name, value)
        session.add(row)
    assert code_of(lambda: say(store, asked, STAND_IN, decision)) == "forbidden"
    assert say(store, asked, ANN, decision).decided_by == "ann"


@pytest.mark.parametrize("run", [{"mode": "paper"}, {"config": {"broker": "alpaca"}}])
def test_what_a_stand_in_approved_is_not_submitted_where_it_may_not_act(
    store: Store, asked: Question, run: dict[str, Any]
) -> None:
    assert say(store, asked, STAND_IN).status == "approved"
    with store.db.write() as session:
        row = session.get_one(RunRow, life.RUN)
        for name, value in run.items():
            setattr(row, name, value)
        session.add(row)
    assert life.submit(store, asked).value == "voided"
    assert truth(store, asked) == life.Truth("voided", "voided", ("voided",), 0, 0, 1)


def test_a_stand_in_must_say_that_it_is_one_in_its_name(store: Store, asked: Question) -> None:
    """At submission only the recorded name tells a stand-in from a person."""
    assert code_of(lambda: say(store, asked, Principal("ann", "stand_in"))) == "forbidden"
    assert code_of(lambda: say(store, asked, Principal("stand-in:1", "person"))) == "forbidden"


@pytest.mark.parametrize("kind", ["policy", "control"])
def test_neither_policy_nor_control_can_answer_in_place_of_a_person(store: Store, asked: Question, kind: Any) -> None:
    assert code_of(lambda: say(store, asked, Principal("policy:1", kind))) == "forbidden"
    assert truth(store, asked).decisions == 0


def test_a_rule_that_asks_nobody_releases_at_once_under_the_name_of_the_policy(store: Store) -> None:
    life.hold(store)
    asked = life.ask(store, life.exit_proposal(), NOBODY, exposure=100)
    assert truth(store, asked) == life.Truth("approved", "approved", ("minted",), 0, 0, 1)
    with store.db.read() as session:
        said = session.exec(select(DecisionRow)).one()
        row = session.get_one(ApprovalRow, asked.approval_id)
    assert (said.principal, said.decision, row.required) == ("policy:1", "approve", 0)
    assert say(store, asked, ANN, "reject").status == "rejected", "a person may still refuse it"


def test_a_drafted_case_has_one_question_for_ever(store: Store, asked: Question) -> None:
    with store.db.read() as session:
        assert len(session.exec(select(ApprovalRow)).all()) == 1

    def attempt() -> None:
        with store.db.write() as session:
            row = session.get_one(ApprovalRow, asked.approval_id)
            session.add(ApprovalRow(**{**row.model_dump(), "id": "appr_second"}))

    with pytest.raises(Exception, match="UNIQUE"):
        attempt()


def test_every_decision_is_in_the_ledger_with_its_reason_and_a_signed_head(store: Store, asked: Question) -> None:
    say(store, asked, reason="I looked at the chart")
    with store.db.read() as session:
        rows = session.exec(select(LedgerRow).where(LedgerRow.case_id == asked.case_id)).all()
    assert [row.kind for row in rows] == ["case.awaiting", "case.approved"]
    assert '"reason_text":"I looked at the chart"' in rows[-1].content
    found = store.verify_ledger()
    assert found.verified
    assert store.heads_files[0].read_text().splitlines()[-1].count(found.head) == 1
