"""Respond: a question is answered and kept, and decides nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import QuestionRow
from pipeline import delegation, people
from pipeline.approvals import DecisionResult
from pipeline.questions import questions_of, respond
from pipeline.store import Principal, Store
from tests.people_help import ROOT, records
from tests.pipeline import life
from tests.pipeline.life import ANN, Question, code_of, say, truth
from tests.pipeline.test_delegation import lend, person


def put(store: Store, asked: Question, who: Principal = ANN, **changes: Any) -> DecisionResult:
    given: dict[str, Any] = {"digest": asked.digest, "question": "What is waiting?", **changes}
    return asyncio.run(respond(store, asked.approval_id, principal=who, **given))


@pytest.fixture
def asked(store: Store) -> Question:
    return life.ask(store)


def test_the_answer_joins_the_case_and_nothing_is_decided(store: Store, asked: Question) -> None:
    before = truth(store, asked)
    told = put(store, asked, question="  What is waiting?  ")
    assert told.answer
    assert (told.status, told.given, told.digest) == ("pending", 0, asked.digest)
    assert truth(store, asked) == before
    with store.db.read() as session:
        (kept,) = questions_of(session, asked.approval_id)
        assert session.exec(select(QuestionRow)).one() == kept
    assert (kept.number, kept.principal, kept.question, kept.answer) == (1, "ann", "What is waiting?", told.answer)
    ((content, envelope),) = records(store, "approval.question")
    assert (content["principal"], content["question"], content["answer"]) == ("ann", kept.question, kept.answer)
    assert "decided_wall" in envelope


def test_questions_are_numbered_in_the_order_asked_and_may_repeat(store: Store, asked: Question) -> None:
    for _ in range(3):
        put(store, asked)
    with store.db.read() as session:
        assert [row.number for row in questions_of(session, asked.approval_id)] == [1, 2, 3]


def test_who_asked_may_decide_afterwards(store: Store, asked: Question) -> None:
    put(store, asked)
    assert say(store, asked).status == "approved"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"question": " "}, "invalid"), ({"question": "x" * 2_001}, "invalid"), ({"digest": "0" * 64}, "stale_digest")],
)
def test_a_bad_question_is_refused_and_not_kept(
    store: Store, asked: Question, changes: dict[str, Any], code: str
) -> None:
    assert code_of(lambda: put(store, asked, **changes)) == code
    assert life.count(store, QuestionRow) == 0


def test_what_is_no_longer_asked_takes_no_question(store: Store, asked: Question) -> None:
    assert code_of(lambda: put(store, asked._replace(approval_id="appr_none"))) == "unknown"
    say(store, asked, decision="reject")
    assert code_of(lambda: put(store, asked)) == "decided"
    late = life.ask(store, life.proposal(1))
    life.expire(store, 61)
    assert code_of(lambda: put(store, late)) == "expired"
    assert life.count(store, QuestionRow) == 0


def test_only_who_may_answer_may_ask_and_a_lent_role_will_do(store: Store, asked: Question) -> None:
    abe, cora = person(store, "abe", "approver"), person(store, "cora", "operator")
    assert code_of(lambda: put(store, asked, cora)) == "role"
    row = lend(store, abe, giver="abe", to="cora")
    assert put(store, asked, cora).decided_by == "cora"
    ((content, _),) = records(store, "approval.question")
    assert content["on_behalf_of"] == "abe"
    delegation.end(store, row.id, principal=abe)
    assert code_of(lambda: put(store, asked, cora)) == "role"
    people.disable(store, "abe", by=ROOT)
    assert code_of(lambda: put(store, asked, abe)) == "unauthorized"
