"""New limits and policies through the API: proposed, shown beside the orders, decided, in force."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from memory.tables import RunRow
from pipeline.activation import activate, in_force
from pipeline.policy import default_policy_text
from pipeline.store import Principal
from tests.api.conftest import Seeded
from tests.people_help import add, key_of, make_passwords_cheap
from tools.risk.limits import default_limits_text

API = "/api/v1"
TIGHTER = (
    default_limits_text().replace('version: "1"', 'version: "2"').replace('max_drawdown: "0.15"', 'max_drawdown: "0.1"')
)
DESK_POLICY = default_policy_text().replace("profile: single_operator", "profile: desk")


@pytest.fixture(autouse=True)
def _desk(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four eyes, and an admin so that everybody has to log in."""
    make_passwords_cheap(monkeypatch)
    store = seeded.store
    in_force(store)
    (store.home.config / "policy.yaml").write_text(DESK_POLICY)
    activate(store, "policy", principal=Principal("setup", "control"), reason="test")


@pytest.fixture
def key(seeded: Seeded) -> Any:
    made = {role: key_of(add(seeded.store, role.replace("_", "-"), role)) for role in
            ("admin", "viewer", "operator", "approver", "risk_officer")}  # fmt: skip
    return lambda role: {"authorization": f"Bearer {made[role]}"}


def propose(client: TestClient, headers: Any, **changes: Any) -> Any:
    body = {"kind": "limits.activation", "reason": "calmer", "text": TIGHTER, **changes}
    return client.post(f"{API}/changes", json=body, headers=headers)


def decide(client: TestClient, headers: Any, asked: dict[str, Any], **changes: Any) -> Any:
    body = {"decision": "approve", "digest": asked["digest"], "reason": "agreed", **changes}
    return client.post(f"{API}/approvals/{asked['id']}/decision", json=body, headers=headers)


@pytest.fixture
def asked(app_client: TestClient, key: Any) -> dict[str, Any]:
    made = propose(app_client, key("operator"))
    assert made.status_code == 201
    found: dict[str, Any] = app_client.get(
        f"{API}/approvals/{made.json()['approval_id']}", headers=key("viewer")
    ).json()
    return found


def test_a_change_stands_in_the_queue_and_among_the_cases(
    app_client: TestClient, key: Any, asked: dict[str, Any]
) -> None:
    case = asked["case"]
    assert (asked["band"], asked["sessions_left"], case["proposal"], case["damaged"]) == (None, None, None, False)
    assert (case["kind"], case["symbol"], case["change"]["proposer"]) == ("limits.activation", "LIMITS", "operator")
    assert case["change"]["differences"][0] == {
        "field": "max_drawdown", "before": "0.15", "after": "0.1", "effect": "tighter",
    }  # fmt: skip
    assert "max_drawdown goes from 0.15 to 0.1" in asked["explanation"]["prose"]
    pending = app_client.get(f"{API}/approvals", headers=key("viewer")).json()
    assert {item["case"]["kind"] for item in pending["items"]} == {"limits.activation", "order.entry"}
    detail = app_client.get(f"{API}/cases/{asked['case_id']}", headers=key("viewer")).json()
    assert detail["evidence"][0]["payload"]["subject"] == "limits"
    assert [record["kind"] for record in detail["history"]] == ["case.drafted", "case.awaiting"]
    told = app_client.get(f"{API}/explanations/{asked['case_id']}", headers=key("viewer"))
    assert told.status_code == 200


def test_law_shows_what_is_in_force_and_what_waits(app_client: TestClient, key: Any, asked: dict[str, Any]) -> None:
    limits, policy = app_client.get(f"{API}/law", headers=key("viewer")).json()["items"]
    assert (limits["kind"], limits["version"], limits["pending_case"]) == ("limits", "1", asked["case_id"])
    assert limits["pending_approval"] == asked["id"]
    assert limits["file"] == {"state": "same", "message": None}
    assert (policy["kind"], policy["pending_case"], policy["activated_by"]) == ("policy", None, "setup")


def test_a_file_edited_under_the_desk_shows_as_a_candidate_and_changes_nothing(
    app_client: TestClient, key: Any, seeded: Seeded
) -> None:
    (seeded.store.home.config / "limits.yaml").write_text(TIGHTER)
    limits = app_client.get(f"{API}/law", headers=key("viewer")).json()["items"][0]
    assert (limits["file"]["state"], limits["version"]) == ("differs", "1")
    assert app_client.get(f"{API}/policy", headers=key("viewer")).status_code == 200
    (seeded.store.home.config / "limits.yaml").write_text("a: [")
    assert app_client.get(f"{API}/law", headers=key("viewer")).json()["items"][0]["file"]["state"] == "unusable"
    answer = propose(app_client, key("operator"), text=None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


def test_the_right_person_approves_after_reading_and_it_is_in_force(
    app_client: TestClient, key: Any, asked: dict[str, Any], seeded: Seeded
) -> None:
    assert decide(app_client, key("approver"), asked).json()["error"]["code"] == "role"
    officer = key("risk_officer")
    assert decide(app_client, officer, asked).json()["error"]["code"] == "evidence_unopened"
    looked = {"seconds": 0, "evidence_opened": True}
    assert app_client.post(f"{API}/approvals/{asked['id']}/views", json=looked, headers=officer).status_code == 200
    assert decide(app_client, officer, asked).json()["status"] == "approved"
    assert in_force(seeded.store).limits.version == "2"
    limits = app_client.get(f"{API}/law", headers=officer).json()["items"][0]
    assert (limits["version"], limits["activated_by"], limits["pending_case"]) == ("2", "risk-officer", None)
    assert app_client.get(f"{API}/cases/{asked['case_id']}", headers=officer).json()["state"] == "done"


def test_reject_needs_a_reason_code_and_respond_answers_from_the_explanation(
    app_client: TestClient, key: Any, asked: dict[str, Any], seeded: Seeded
) -> None:
    officer = key("risk_officer")
    said = decide(app_client, officer, asked, decision="respond", reason="why?").json()
    assert "max_drawdown goes from 0.15 to 0.1: tighter" in said["answer"]
    assert "calmer" in said["answer"]
    done = decide(app_client, officer, asked, decision="reject", reason_code="risk_too_high", reason="no")
    assert done.json()["status"] == "rejected"
    assert in_force(seeded.store).limits.version == "1"


def test_a_change_cannot_be_edited(app_client: TestClient, key: Any, asked: dict[str, Any]) -> None:
    answer = decide(app_client, key("risk_officer"), asked, decision="edit", reason_code="other", edit={"quantity": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert "propose another text" in answer.json()["error"]["message"]


def test_one_answer_never_covers_a_change_and_an_order(
    app_client: TestClient, key: Any, asked: dict[str, Any], seeded: Seeded
) -> None:
    items = [{"id": asked["id"], "digest": asked["digest"]}, {"id": seeded.approval_id, "digest": seeded.digest}]
    answer = app_client.post(
        f"{API}/approvals/decisions", json={"decision": "approve", "reason": "r", "items": items},
        headers=key("admin"),
    )  # fmt: skip
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "mixed_bulk")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"kind": "limits"}, 422, "invalid"), ({"kind": "lesson.promotion"}, 422, "invalid"),
        ({"reason": " "}, 422, "invalid"), ({"text": "nonsense"}, 422, "invalid"), ({"text": ""}, 422, "invalid"),
        ({"text": default_limits_text()}, 422, "invalid"), ({"text": "x" * 50_001}, 422, "invalid"),
        ({"proposer": "somebody"}, 422, "invalid"), ({"kind": "policy.activation", "text": TIGHTER}, 422, "invalid"),
    ],
)  # fmt: skip
def test_a_bad_proposal_is_refused_and_saves_nothing(
    app_client: TestClient, key: Any, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = propose(app_client, key("operator"), **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert app_client.get(f"{API}/law", headers=key("viewer")).json()["items"][0]["pending_case"] is None


def test_who_may_propose(app_client: TestClient, key: Any) -> None:
    assert propose(app_client, {}).status_code == 401
    assert propose(app_client, key("viewer")).status_code == 403
    assert propose(app_client, key("operator")).status_code == 201
    again = propose(app_client, key("admin"))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "exists")
    assert again.json()["error"]["detail"]["case_id"].startswith("case_")


def test_a_question_of_a_closed_run_is_gone(
    app_client: TestClient, key: Any, asked: dict[str, Any], seeded: Seeded
) -> None:
    with seeded.store.db.write() as session:
        session.get_one(RunRow, asked["case"]["run_id"]).active = False
    answer = decide(app_client, key("risk_officer"), asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "expired")


def test_a_damaged_case_is_shown_as_damaged_and_the_others_as_they_are(client: TestClient, seeded: Seeded) -> None:
    with seeded.store.db.write() as session:
        session.connection().exec_driver_sql("UPDATE cases SET body = '{' WHERE id = 'case_0'")
    page = client.get(f"{API}/cases").json()
    damaged = [item for item in page["items"] if item["damaged"]]
    assert [item["id"] for item in damaged] == ["case_0"]
    assert damaged[0]["proposal"] is None
    assert client.get(f"{API}/cases/case_0").status_code == 200
    assert client.get(f"{API}/approvals").status_code == 200
    answer = client.post(
        f"{API}/approvals/{seeded.approval_id}/decision",
        json={"decision": "approve", "digest": seeded.digest, "reason": "x"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_digest")
