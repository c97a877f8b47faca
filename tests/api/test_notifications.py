"""The outbox, views, measures and service levels through the API, by role."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from memory.tables import ApprovalRow
from pipeline import people
from pipeline.roles import Role
from pipeline.store import Principal, now
from tests.peers.webhook_peer import WebhookPeer
from tests.pipeline.notify.outside import SECRET, configure, hook, tell

from .conftest import BASE_URL, Seeded

API = "/api/v1"
SETUP = Principal("setup", "control")


@pytest.fixture
def anybody(seeded: Seeded) -> Iterator[TestClient]:
    """A client without credentials."""
    with TestClient(create_app(seeded.store), base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def desk(anybody: TestClient, seeded: Seeded) -> TestClient:
    """The local operator of a replay desk."""
    anybody.headers["authorization"] = f"Bearer {seeded.store.home.token()}"
    return anybody


def key(seeded: Seeded, name: str, role: Role) -> dict[str, str]:
    made = people.add(seeded.store, by=SETUP, name=name, role=role, with_key=True)
    assert made.api_key is not None
    return {"authorization": f"Bearer {made.api_key.get_secret_value()}"}


def items(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_the_outbox_is_listed_filtered_and_paged_without_what_was_said(desk: TestClient, seeded: Seeded) -> None:
    configure(seeded.store, webhooks=[hook("https://a.example.com/TOKEN", "a"), hook("https://b.example.com/x", "b")])
    for number in range(3):
        tell(seeded.store, subject_id=f"appr_{number}", symbol="IBM")
    first = desk.get(f"{API}/notifications", params={"target": "a", "limit": 2})
    rest = desk.get(f"{API}/notifications", params={"target": "a", "limit": 2, "after": first.json()["next"]})
    assert first.json()["total"] == 3
    assert len({item["id"] for item in items(first) + items(rest)}) == 3
    assert {item["status"] for item in items(first)} == {"pending"}
    for said in ("TOKEN", "QD_HOOK", "IBM", "content"):
        assert said not in first.text
    assert items(desk.get(f"{API}/notifications", params={"status": "sent"})) == []


def test_targets_are_listed_by_host_without_what_could_be_a_secret(desk: TestClient, seeded: Seeded) -> None:
    assert items(desk.get(f"{API}/notifications/targets")) == []
    configure(seeded.store, webhooks=[hook("https://a.example.com/TOKEN?key=K", "a")])
    answer = desk.get(f"{API}/notifications/targets")
    (target,) = items(answer)
    assert (target["name"], target["channel"], target["address"]) == ("a", "webhook", "a.example.com")
    assert "approval.asked" in target["events"]
    for said in ("TOKEN", "key=K", "QD_HOOK"):
        assert said not in answer.text


@pytest.mark.parametrize(
    "query", [{"status": "lost"}, {"limit": 0}, {"after": "x"}, {"target": "x" * 41}, {"event": "y" * 41}]
)
def test_a_bad_filter_is_invalid(desk: TestClient, query: dict[str, Any]) -> None:
    assert desk.get(f"{API}/notifications", params=query).status_code == 422


def test_a_test_is_sent_to_every_target(desk: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QD_HOOK", SECRET)
    with WebhookPeer(SECRET) as peer:
        configure(seeded.store, webhooks=[hook(peer.url)])
        answer = desk.post(f"{API}/notifications/test")
    assert items(answer) == [{"target": "ops", "channel": "webhook", "ok": True, "error": None}]
    assert [one.genuine for one in peer.received] == [True]


def test_a_test_with_an_unusable_file_says_which_field(desk: TestClient, seeded: Seeded) -> None:
    (seeded.store.home.config / "notifications.yaml").write_text("version: '1'\nwebhooks: [{name: ops}]\n")
    answer = desk.post(f"{API}/notifications/test")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "bad_notifications")
    assert "webhooks.0.url" in answer.json()["error"]["message"]


NEEDS: list[tuple[str, str, Role, Role]] = [
    ("GET", "/notifications", "approver", "operator"),
    ("POST", "/notifications/test", "admin", "risk_officer"),
    ("GET", "/attention", "approver", "operator"),
    ("GET", "/notifications/targets", "approver", "operator"),
    ("GET", "/sla", "approver", "operator"),
]


@pytest.mark.parametrize(("method", "path", "enough", "too_little"), NEEDS)
def test_each_room_needs_its_role(
    anybody: TestClient, seeded: Seeded, method: str, path: str, enough: Role, too_little: Role
) -> None:
    assert anybody.request(method, API + path).status_code == 401
    low, high = key(seeded, "low", too_little), key(seeded, "high", enough)
    assert anybody.request(method, API + path, headers=low).status_code == 403
    assert anybody.request(method, API + path, headers=high).status_code == 200


def test_a_view_is_of_the_person_who_is_logged_in(anybody: TestClient, seeded: Seeded) -> None:
    with seeded.store.db.write() as session:
        asked = session.get_one(ApprovalRow, seeded.approval_id)
        asked.asked_wall = now() - timedelta(hours=1)
        session.add(asked)
    ann, path = key(seeded, "ann", "approver"), f"{API}/approvals/{seeded.approval_id}/views"
    first = anybody.post(path, json={"seconds": 12.5}, headers=ann)
    assert first.status_code == 200, first.text
    assert {name: first.json()[name] for name in ("principal", "views", "seconds", "evidence_opened")} == {
        "principal": "ann", "views": 1, "seconds": 12.5, "evidence_opened": False,
    }  # fmt: skip
    second = anybody.post(path, json={"seconds": 0, "evidence_opened": True}, headers=ann)
    assert (second.json()["views"], second.json()["evidence_opened"]) == (2, True)
    levels = anybody.get(f"{API}/sla", headers=ann).json()
    assert [level["name"] for level in levels["people"]] == ["ann"]
    assert levels["total"]["acknowledged"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"seconds": -1}, {"seconds": 3_601}, {"seconds": "NaN"}, {"seconds": "many"}, {},
        {"seconds": 1, "principal": "bob"}, {"seconds": 1, "evidence_opened": "perhaps"}, [], None,
    ],
)  # fmt: skip
def test_a_bad_view_is_invalid_and_saves_nothing(desk: TestClient, seeded: Seeded, body: Any) -> None:
    answer = desk.post(f"{API}/approvals/{seeded.approval_id}/views", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert desk.get(f"{API}/sla").json()["people"] == []


def test_a_view_of_nothing_is_not_found(desk: TestClient) -> None:
    assert desk.post(f"{API}/approvals/appr_none/views", json={"seconds": 0}).status_code == 404


def test_measures_of_a_desk_where_nobody_answered_are_empty(desk: TestClient) -> None:
    assert items(desk.get(f"{API}/attention")) == []


def test_service_levels_of_the_seeded_desk(desk: TestClient) -> None:
    levels = desk.get(f"{API}/sla").json()
    assert (levels["total"]["questions"], levels["total"]["pending"], levels["total"]["expired"]) == (2, 1, 1)
    assert [level["name"] for level in levels["rules"]] == ["entry"]
    assert desk.get(f"{API}/sla", params={"run": "run_none"}).json()["total"]["questions"] == 0
    assert desk.get(f"{API}/sla", params={"days": 0}).status_code == 422
