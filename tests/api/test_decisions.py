from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, func, select

from memory.tables import ApprovalRow, CaseRow, DecisionRow, GrantRow, LedgerRow, RunRow

from .conftest import RUN, Seeded


def decide(client: TestClient, seeded: Seeded, **changes: Any) -> Any:
    body = {"decision": "approve", "digest": seeded.digest, "reason": "fits the plan", **changes}
    return client.post(f"/api/v1/approvals/{seeded.approval_id}/decision", json=body)


def saved(seeded: Seeded) -> tuple[int, int, int]:
    """Numbers of decisions, grants and ledger entries."""
    with seeded.store.db.read() as session:
        return tuple(  # type: ignore[return-value]
            session.exec(select(func.count()).select_from(table)).one() for table in (DecisionRow, GrantRow, LedgerRow)
        )


def test_an_approval_is_answered_once_and_leaves_grant_and_record(client: TestClient, seeded: Seeded) -> None:
    before = saved(seeded)
    answer = decide(client, seeded)
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == {
        "approval_id", "case_id", "status", "digest", "given", "required", "decided_by", "decided_at", "repeated",
        "not_before", "answer", "on_behalf_of",
    }  # fmt: skip
    assert (told["status"], told["given"], told["required"], told["repeated"]) == ("approved", 1, 1, False)
    assert told["decided_by"] == "local operator"
    after = saved(seeded)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    assert after[2] > before[2]
    assert client.get(f"/api/v1/cases/{seeded.case_id}").json()["state"] == "approved"


def test_the_same_answer_again_is_the_same_result(client: TestClient, seeded: Seeded) -> None:
    first = decide(client, seeded).json()
    after = saved(seeded)
    again = decide(client, seeded)
    assert again.status_code == 200
    assert again.json() == {**first, "repeated": True}
    assert saved(seeded) == after


def test_an_unknown_approval_is_404(client: TestClient, seeded: Seeded) -> None:
    body = {"decision": "approve", "digest": seeded.digest, "reason": "r"}
    answer = client.post("/api/v1/approvals/nope/decision", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown")


def test_a_decided_one_is_409(client: TestClient, seeded: Seeded) -> None:
    decide(client, seeded, decision="reject")
    answer = decide(client, seeded)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "decided")


def test_a_stale_digest_is_409_and_saves_nothing(client: TestClient, seeded: Seeded) -> None:
    before = saved(seeded)
    answer = decide(client, seeded, digest="f" * 64)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_digest")
    assert saved(seeded) == before


def test_an_expired_one_is_410(client: TestClient, seeded: Seeded) -> None:
    with seeded.store.db.write() as session:
        session.get_one(RunRow, RUN).session_index = 61
    answer = decide(client, seeded)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "expired")


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "maybe"}, {"decision": None}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 2001},
        {"digest": "short"}, {"digest": None}, {"quantity": 5}, {"principal": "somebody else"},
    ],
)  # fmt: skip
def test_an_invalid_answer_is_422_and_saves_nothing(
    client: TestClient, seeded: Seeded, changes: dict[str, Any]
) -> None:
    before = saved(seeded)
    answer = decide(client, seeded, **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert saved(seeded) == before


def test_an_approval_under_a_halt_is_403(client: TestClient, seeded: Seeded) -> None:
    assert client.post("/api/v1/halts", json={"action": "no_new", "reason": "storm"}).status_code == 201
    answer = decide(client, seeded)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_a_rejection_mints_nothing(client: TestClient, seeded: Seeded) -> None:
    assert decide(client, seeded, decision="reject").json()["status"] == "rejected"
    assert saved(seeded)[1] == 0
    with seeded.store.db.read() as session:
        assert session.get_one(CaseRow, seeded.case_id).state == "rejected"


def test_releasing_a_halt_voids_what_was_pending(client: TestClient, seeded: Seeded) -> None:
    halted = client.post("/api/v1/halts", json={"action": "no_new", "reason": "storm"}).json()
    assert client.get("/api/v1/halts").json()["items"] == [halted]
    released = client.post("/api/v1/halts/release", json={"reason": "over"})
    assert released.json() == {"released": [halted["id"]], "voided_cases": [seeded.case_id], "waiting": []}
    assert client.get("/api/v1/halts").json()["items"] == []
    assert client.get("/api/v1/halts?all=true").json()["items"][0]["released_by"] == "local operator"
    assert decide(client, seeded).status_code in {409, 410}
    with seeded.store.db.read() as session:
        statuses = session.exec(select(ApprovalRow.status).where(col(ApprovalRow.id) == seeded.approval_id))
        assert list(statuses) == ["voided"]
