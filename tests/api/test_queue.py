"""The queue's other answers over HTTP: ask, edit, bulk, acknowledge, extend, policy, delegations."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import select

from memory.tables import ApprovalRow, LedgerRow, QuestionRow

from .conftest import Seeded

API = "/api/v1"


def answer(client: TestClient, seeded: Seeded, **body: Any) -> Any:
    given = {"digest": seeded.digest, "reason": "why?", **body}
    return client.post(f"{API}/approvals/{seeded.approval_id}/decision", json=given)


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_question_is_answered_kept_with_the_case_and_decides_nothing(client: TestClient, seeded: Seeded) -> None:
    told = answer(client, seeded, decision="respond")
    assert told.status_code == 200
    assert told.json()["answer"]
    asked = client.get(f"{API}/approvals/{seeded.approval_id}").json()
    assert (asked["status"], asked["given"]) == ("pending", 0)
    assert [q["question"] for q in asked["questions"]] == ["why?"]
    with seeded.store.db.read() as session:
        assert session.exec(select(QuestionRow)).one().answer == told.json()["answer"]
        assert session.exec(select(LedgerRow).where(LedgerRow.kind == "approval.question")).one()


def test_an_edit_needs_a_reason_code_and_a_change_that_lowers_risk(client: TestClient, seeded: Seeded) -> None:
    assert error_of(answer(client, seeded, decision="edit", edit={"quantity": 1})) == (422, "invalid")
    more = {"quantity": 1_000_000}
    assert error_of(answer(client, seeded, decision="edit", reason_code="other", edit=more)) == (422, "invalid")
    assert error_of(answer(client, seeded, decision="edit", reason_code="other", edit={})) == (422, "invalid")
    assert client.get(f"{API}/approvals/{seeded.approval_id}").json()["digest"] == seeded.digest


def test_a_reason_code_of_an_edit_is_no_reason_to_reject(client: TestClient, seeded: Seeded) -> None:
    assert error_of(answer(client, seeded, decision="reject", reason_code="tighter_stop")) == (422, "invalid")
    assert answer(client, seeded, decision="reject", reason_code="news").json()["status"] == "rejected"


def test_who_decided_first_stands_in_the_refusal(client: TestClient, seeded: Seeded) -> None:
    answer(client, seeded, decision="reject")
    refused = answer(client, seeded, decision="approve")
    assert error_of(refused) == (409, "decided")
    detail = refused.json()["error"]["detail"]
    assert (detail["decided_by"], detail["decision"], detail["status"]) == ("local operator", "reject", "rejected")


def test_a_bulk_answer_tells_what_became_of_each(client: TestClient, seeded: Seeded) -> None:
    items = [{"id": seeded.approval_id, "digest": seeded.digest}, {"id": "nope", "digest": seeded.digest}]
    body = {"decision": "reject", "reason": "not today", "items": items}
    results = client.post(f"{API}/approvals/decisions", json=body).json()["results"]
    assert [item["ok"] for item in results] == [True, False]
    assert results[0]["result"]["status"] == "rejected"
    assert results[1]["error"]["code"] == "unknown"


def test_a_question_on_sessions_cannot_be_extended_but_acknowledged(client: TestClient, seeded: Seeded) -> None:
    path = f"{API}/approvals/{seeded.approval_id}"
    assert error_of(client.post(f"{path}/extend", json={"reason": "more time"})) == (422, "invalid")
    assert client.post(f"{path}/acknowledge").json()["acknowledged_by"] == "local operator"
    with seeded.store.db.read() as session:
        assert session.get_one(ApprovalRow, seeded.approval_id).acknowledged_by == "local operator"


def test_a_view_is_counted_for_who_looked(client: TestClient, seeded: Seeded) -> None:
    path = f"{API}/approvals/{seeded.approval_id}/views"
    told = client.post(path, json={"seconds": 0, "evidence_opened": True}).json()
    assert (told["principal"], told["evidence_opened"]) == ("local operator", True)


def test_the_policy_in_force_is_shown_with_its_hash_and_delegations_are_listed(client: TestClient) -> None:
    law = client.get(f"{API}/policy").json()
    assert (law["profile"], len(law["sha256"])) == ("single_operator", 64)
    assert {"tainted", "exit", "entry"} <= {rule["name"] for rule in law["rules"]}
    assert client.get(f"{API}/delegations").json() == {"items": [], "next": None, "total": 0}
