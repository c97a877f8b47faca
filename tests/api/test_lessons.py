"""Lessons through the API: read, proposed, decided in the queue, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from pipeline.activation import activate, in_force
from pipeline.policy import default_policy_text
from pipeline.store import Principal
from tests.api.conftest import Seeded
from tests.people_help import add, key_of, make_passwords_cheap
from tests.pipeline import taught

API = "/api/v1"


@pytest.fixture(autouse=True)
def _desk(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)
    store = seeded.store
    in_force(store)
    text = default_policy_text().replace("profile: single_operator", "profile: desk")
    (store.home.config / "policy.yaml").write_text(text)
    activate(store, "policy", principal=Principal("setup", "control"), reason="test")


@pytest.fixture
def key(seeded: Seeded) -> Any:
    made = {role: key_of(add(seeded.store, role.replace("_", "-"), role)) for role in
            ("admin", "viewer", "operator", "approver", "risk_officer")}  # fmt: skip
    return lambda role: {"authorization": f"Bearer {made[role]}"}


def test_a_lesson_is_read_with_its_moves_proposed_and_put_in_shadow_by_another_person(
    app_client: TestClient, key: Any, seeded: Seeded
) -> None:
    lesson_id = taught.write(seeded.store)
    listed = app_client.get(f"{API}/lessons?about=trend", headers=key("viewer")).json()["items"]
    assert [(item["id"], item["about"], item["reading"]) for item in listed if item["id"] == lesson_id] == [
        (lesson_id, "trend", "worse")
    ]
    seen = app_client.get(f"{API}/lessons/{lesson_id}", headers=key("viewer")).json()
    assert {item["to"]: item["refused"] for item in seen["next"]} == {
        "shadow": None, "retired": None,
        "promoted": f"lesson {lesson_id} is quarantined: only what is shadow can become promoted",
    }  # fmt: skip
    assert (seen["shadow"], seen["trouble"], [item["kind"] for item in seen["history"]]) == (
        None, None, ["lesson.quarantined"],
    )  # fmt: skip
    body = {"to": "shadow", "reason": "let us see"}
    assert app_client.post(f"{API}/lessons/{lesson_id}/changes", json=body, headers=key("viewer")).status_code == 403
    made = app_client.post(f"{API}/lessons/{lesson_id}/changes", json=body, headers=key("operator"))
    assert made.status_code == 201
    pending = app_client.get(f"{API}/lessons/{lesson_id}", headers=key("viewer")).json()
    assert pending["pending_approval"] == made.json()["approval_id"]
    asked = app_client.get(f"{API}/approvals/{made.json()['approval_id']}", headers=key("viewer")).json()
    assert asked["case"]["change"]["title"] == "Try the lesson on trend in shadow"
    answer = {"decision": "approve", "digest": asked["digest"], "reason": "agreed"}
    decision = f"{API}/approvals/{asked['id']}/decision"
    assert app_client.post(decision, json=answer, headers=key("approver")).json()["error"]["code"] == "role"
    officer = key("risk_officer")
    looked = {"seconds": 0, "evidence_opened": True}
    app_client.post(f"{API}/approvals/{asked['id']}/views", json=looked, headers=officer)
    assert app_client.post(decision, json=answer, headers=officer).json()["status"] == "approved"
    after = app_client.get(f"{API}/lessons/{lesson_id}", headers=key("viewer")).json()
    assert (after["state"], after["moves"], after["shadow"]["reviews"]) == ("shadow", 1, 0)
    assert after["history"][-1]["content"]["principals"] == ["risk-officer"]
    assert app_client.get(f"{API}/lessons?state=shadow", headers=key("viewer")).json()["total"] == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("les_gone", {"to": "shadow", "reason": "x"}, 404, "unknown"),
        ("{id}", {"to": "promoted", "reason": "x"}, 422, "invalid"),
        ("{id}", {"to": "quarantined", "reason": "x"}, 422, "invalid"),
        ("{id}", {"to": "shadow", "reason": "x", "state": "promoted"}, 422, "invalid"),
        ("{id}", {"to": "shadow"}, 422, "invalid"),
    ],
)  # fmt: skip
def test_what_may_not_be_proposed_is_refused_in_the_one_shape(
    app_client: TestClient, key: Any, seeded: Seeded, path: str, body: dict[str, str], status: int, code: str
) -> None:
    lesson_id = taught.write(seeded.store)
    answer = app_client.post(f"{API}/lessons/{path.format(id=lesson_id)}/changes", json=body, headers=key("operator"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_open_question_is_said_and_an_unknown_lesson_is_not_found(
    app_client: TestClient, key: Any, seeded: Seeded
) -> None:
    lesson_id = taught.write(seeded.store)
    body = {"to": "retired", "reason": "noise"}
    assert app_client.post(f"{API}/lessons/{lesson_id}/changes", json=body, headers=key("operator")).status_code == 201
    again = app_client.post(f"{API}/lessons/{lesson_id}/changes", json=body, headers=key("operator"))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "exists")
    assert app_client.get(f"{API}/lessons/les_gone", headers=key("viewer")).status_code == 404
