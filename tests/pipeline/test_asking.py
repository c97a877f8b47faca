"""Asking: what each mode does with a case, and what a lone operator's second signature turns into."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, ExplanationRow, GrantRow, LedgerRow
from pipeline import asking
from pipeline.activation import InForce, in_force
from pipeline.policy import Ruling
from pipeline.store import Store, now
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, ONE, TWO, Question, say, submit, truth

OBSERVED = ONE.model_copy(update={"disposition": "observe"})
ADVISED = ONE.model_copy(update={"disposition": "advise"})


def law_of(store: Store, **policy: Any) -> InForce:
    law = in_force(store)
    return replace(law, policy=law.policy.model_copy(update=policy))


def request(store: Store, ruling: Ruling, law: InForce) -> tuple[str, ApprovalRow | None]:
    """Put one drafted entry to people under `law`."""
    case_id = life.draft(store, life.proposal())
    with store.db.write() as session:
        bound = asking.Asked(
            explanation_hash=session.get_one(ExplanationRow, case_id).sha256, portfolio_hash="0" * 64, exposure=0,
            data_sha256="0" * 64, checks={}, expires=life.OPEN_TICK.session, desk_time=life.AS_OF,
        )  # fmt: skip
        return case_id, asking.request(store, session, session.get_one(CaseRow, case_id), ruling, bound, law)


def ask(store: Store, ruling: Ruling, **policy: Any) -> Question:
    case_id, row = request(store, ruling, law_of(store, **policy))
    assert row is not None
    return Question(case_id, row.id, row.digest)


def asked_row(store: Store, question: Question) -> ApprovalRow:
    with store.db.read() as session:
        return session.get_one(ApprovalRow, question.approval_id)


def test_observe_mode_blocks_the_case_and_asks_nobody(store: Store) -> None:
    case_id, row = request(store, OBSERVED, law_of(store, mode="observe"))
    assert row is None
    assert (life.count(store, ApprovalRow), life.count(store, GrantRow)) == (0, 0)
    with store.db.read() as session:
        assert session.get_one(CaseRow, case_id).state == "blocked"


@pytest.mark.parametrize("required", [1, 2])
def test_advice_that_was_approved_ends_cancelled_without_grant_or_order(store: Store, required: int) -> None:
    asked = ask(store, ADVISED.model_copy(update={"required": required}), mode="advise", profile="desk")
    for person in (ANN, BOB)[:required]:
        found = say(store, asked, person)
    assert (found.status, found.given) == ("approved", required)
    assert truth(store, asked) == life.Truth("cancelled", "approved", (), 0, 0, required)
    assert submit(store, asked).value == "cancelled"
    assert truth(store, asked).orders == 0


def test_advice_passes_through_approved_on_the_record(store: Store) -> None:
    asked = ask(store, ADVISED, mode="advise")
    say(store, asked)
    with store.db.read() as session:
        rows = session.exec(select(LedgerRow.kind).where(LedgerRow.case_id == asked.case_id)).all()
    assert list(rows)[-2:] == ["case.approved", "case.cancelled"]


def test_advice_that_was_refused_is_a_refusal(store: Store) -> None:
    asked = ask(store, ADVISED, mode="advise")
    say(store, asked, decision="reject")
    assert truth(store, asked) == life.Truth("rejected", "rejected", (), 0, 0, 1)


def test_a_lone_operator_signs_once_and_the_second_signature_is_a_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(store, TWO, profile="single_operator", cooling_off_seconds=300)
    row = asked_row(store, asked)
    assert (row.required, row.cooling_off_seconds, row.not_before_wall) == (1, 300, None)
    found = say(store, asked)
    row = asked_row(store, asked)
    assert row.decided_wall is not None
    assert row.not_before_wall == row.decided_wall + timedelta(seconds=300)
    assert found.not_before == row.not_before_wall
    before = life.everything(store)
    assert submit(store, asked).value == "approved"
    assert life.everything(store) == before
    later = row.not_before_wall
    travel(monkeypatch, later - timedelta(seconds=1))
    assert submit(store, asked).value == "approved"
    travel(monkeypatch, later)
    assert submit(store, asked).value == "submitted"
    assert truth(store, asked) == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)


def travel(monkeypatch: pytest.MonkeyPatch, to: datetime) -> None:
    monkeypatch.setattr("pipeline.submission.now", lambda: to)


def test_a_lone_operator_may_still_refuse_while_the_wait_runs(store: Store) -> None:
    asked = ask(store, TWO, profile="single_operator", cooling_off_seconds=300)
    say(store, asked)
    assert say(store, asked, BOB, "reject").status == "rejected"
    assert truth(store, asked).grants == ("voided",)


def test_one_signature_needs_no_wait(store: Store) -> None:
    asked = ask(store, ONE, profile="single_operator", cooling_off_seconds=300)
    assert say(store, asked).not_before is None
    assert submit(store, asked).value == "submitted"


def test_under_the_desk_profile_two_people_sign_and_nothing_waits(store: Store) -> None:
    asked = ask(store, TWO, profile="desk", cooling_off_seconds=300)
    row = asked_row(store, asked)
    assert (row.required, row.cooling_off_seconds) == (2, 0)
    assert say(store, asked).status == "pending"
    assert say(store, asked, BOB).not_before is None
    assert submit(store, asked).value == "submitted"


def test_minutes_run_from_the_asking(store: Store) -> None:
    asked = ask(store, ONE.model_copy(update={"ttl_minutes": 30}))
    row = asked_row(store, asked)
    assert row.expires_wall == row.asked_wall + timedelta(minutes=30)
    assert row.asked_wall <= now()
    assert asked_row(store, asked).extensions == 0
