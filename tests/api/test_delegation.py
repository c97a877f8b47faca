"""A lent role at the door: who holds one answers the queue and gets no further."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from memory.tables import HeartbeatRow
from tests.people_help import PASSWORD, add, key_of, make_passwords_cheap, records

from .conftest import BASE_URL, Seeded

API = "/api/v1"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def client(seeded: Seeded) -> Iterator[TestClient]:
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as opened:
        yield opened


def key(seeded: Seeded, name: str, role: str, **changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {key_of(add(seeded.store, name, role, **changes))}"}


@pytest.fixture
def abe(seeded: Seeded) -> dict[str, str]:
    return key(seeded, "abe", "approver")


@pytest.fixture
def cora(seeded: Seeded) -> dict[str, str]:
    return key(seeded, "cora", "operator")


def lend(client: TestClient, who: dict[str, str], to: str = "cora", giver: str = "abe", hours: float = 1) -> Any:
    at = datetime.now(UTC)
    starts, ends = (at - timedelta(minutes=1)).isoformat(), (at + timedelta(hours=hours)).isoformat()
    body = {"from": giver, "to": to, "starts": starts, "ends": ends, "reason": "holiday"}
    answer = client.post(f"{API}/delegations", json=body, headers=who)
    assert answer.status_code == 201, answer.text
    return answer.json()


def answer(client: TestClient, seeded: Seeded, who: dict[str, str], decision: str = "approve") -> Any:
    body = {"decision": decision, "digest": seeded.digest, "reason": "why not"}
    return client.post(f"{API}/approvals/{seeded.approval_id}/decision", json=body, headers=who)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_an_approver_lends_to_an_operator_who_then_answers_for_them(
    client: TestClient, seeded: Seeded, abe: dict[str, str], cora: dict[str, str]
) -> None:
    assert code(answer(client, seeded, cora)) == (403, "role")
    lend(client, abe)
    told = answer(client, seeded, cora).json()
    assert (told["status"], told["decided_by"], told["on_behalf_of"]) == ("approved", "cora", "abe")
    signed = client.get(f"{API}/approvals/{seeded.approval_id}", headers=cora).json()["signed"]
    assert [(one["principal"], one["on_behalf_of"]) for one in signed] == [("cora", "abe")]
    ((content, envelope),) = records(seeded.store, "case.approved")
    assert (content["principal"], content["on_behalf_of"]) == ("cora", "abe")
    assert envelope["session"].startswith("key:")


def test_a_login_by_password_may_use_it_and_the_session_says_so(
    client: TestClient, seeded: Seeded, abe: dict[str, str]
) -> None:
    add(seeded.store, "vera", "viewer")
    opened = client.post(f"{API}/session", json={"name": "vera", "password": PASSWORD}).json()
    assert opened["lent"] == []
    lend(client, abe, to="vera")
    (loan,) = client.get(f"{API}/session").json()["lent"]
    assert (loan["from"], loan["role"]) == ("abe", "approver")
    assert client.get(f"{API}/approvals/{seeded.approval_id}").json()["may_sign"]
    assert answer(client, seeded, {}, "reject").json()["on_behalf_of"] == "abe"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/people", None), ("GET", "/sla", None), ("GET", "/attention", None), ("GET", "/notifications", None),
        ("POST", "/halts/release", {"halt_id": "h", "reason": "x"}),
        ("POST", "/delegations", {}),
    ],
)  # fmt: skip
def test_it_opens_the_queue_and_nothing_else(
    client: TestClient, seeded: Seeded, cora: dict[str, str], method: str, path: str, body: Any
) -> None:
    root = key(seeded, "root", "admin")
    lend(client, root, giver="root")
    assert code(client.request(method, API + path, json=body, headers=cora)) == (403, "role")
    assert answer(client, seeded, cora, "respond").status_code == 200


def test_a_narrowed_key_is_good_for_none_of_it(client: TestClient, seeded: Seeded, abe: dict[str, str]) -> None:
    reader = key(seeded, "cora", "operator", scopes=["read"])
    lend(client, abe)
    assert code(answer(client, seeded, reader)) == (403, "role")


@pytest.mark.parametrize("how", ["ended by giver", "ended by delegate", "disabled", "demoted", "time"])
def test_the_door_shuts_when_it_ends(
    client: TestClient, seeded: Seeded, abe: dict[str, str], cora: dict[str, str], how: str
) -> None:
    root = key(seeded, "root", "admin")
    loan = lend(client, abe)
    if how.startswith("ended"):
        who = abe if how.endswith("giver") else cora
        assert client.post(f"{API}/delegations/{loan['id']}/end", headers=who).json()["ended"]
    elif how == "disabled":
        client.post(f"{API}/people/abe/disable", headers=root)
    elif how == "demoted":
        body = {"role": "operator", "reason": "left the desk"}
        assert client.patch(f"{API}/people/abe", json=body, headers=root).json()["role"] == "operator"
    else:
        ends = datetime.fromisoformat(loan["ends"])
        with seeded.store.db.write() as session:
            session.add(HeartbeatRow(component="engine", pid=1, state="ok", detail="", at_wall=ends))
    assert code(answer(client, seeded, cora)) == (403, "role")
    assert client.get(f"{API}/session", headers=cora).json()["lent"] == []


def test_a_stranger_to_it_may_not_end_it(
    client: TestClient, seeded: Seeded, abe: dict[str, str], cora: dict[str, str]
) -> None:
    loan = lend(client, abe)
    path = f"{API}/delegations/{loan['id']}/end"
    assert code(client.post(path, headers=key(seeded, "otto", "operator"))) == (403, "role")
    assert code(client.post(path, headers=key(seeded, "rita", "risk_officer"))) == (403, "role")
    assert answer(client, seeded, cora).status_code == 200


def test_giver_and_delegate_are_one_person_over_http(
    client: TestClient, seeded: Seeded, abe: dict[str, str], cora: dict[str, str]
) -> None:
    from memory.tables import ApprovalRow

    with seeded.store.db.write() as session:
        row = session.get_one(ApprovalRow, seeded.approval_id)
        row.required = 2
        session.add(row)
    lend(client, abe)
    assert answer(client, seeded, cora).json()["given"] == 1
    assert code(answer(client, seeded, abe)) == (403, "separation")
    seen = client.get(f"{API}/approvals/{seeded.approval_id}", headers=abe).json()
    assert (seen["may_sign"], seen["given"], seen["missing"]) == (False, 1, 1)
    assert "count as one person" in seen["may_not_because"]
    assert answer(client, seeded, key(seeded, "zoe", "approver")).json()["status"] == "approved"
