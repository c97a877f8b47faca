"""Who may call what: every operation of the API, for every role, and for keys with fewer scopes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api.app import create_app
from pipeline import people
from pipeline.people import ROLES, SCOPES_OF
from tests.people_help import ROOT, add, key_of, make_passwords_cheap

from .conftest import BASE_URL, Seeded

EVENTS = "ws://127.0.0.1:8000/api/v1/events?after=0"
OPEN = {"GET /health", "POST /session", "DELETE /session", "POST /people/bootstrap"}
"""What a stranger may call."""
OWN = {"POST /session/active", "POST /session/password", "POST /approvals/{approval_id}/views"}
"""What everybody may write: about their own login, and that they looked."""
NEEDED = {
    "POST /approvals/{approval_id}/decision": ("approver", "decide"),
    "POST /approvals/decisions": ("approver", "decide"),
    "POST /approvals/{approval_id}/extend": ("approver", "decide"),
    "POST /approvals/{approval_id}/acknowledge": ("approver", "decide"),
    "GET /attention": ("approver", "read"),
    "GET /sla": ("approver", "read"),
    "GET /notifications": ("approver", "read"),
    "GET /notifications/targets": ("approver", "read"),
    "POST /notifications/test": ("admin", "admin"),
    "POST /delegations": ("approver", "decide"),
    "POST /delegations/{delegation_id}/end": ("approver", "decide"),
    "POST /risk/stress": ("viewer", "read"),
    "POST /risk/what-if": ("viewer", "read"),
    "POST /changes": ("operator", "operate"),
    "POST /lessons/{lesson_id}/changes": ("operator", "operate"),
    "POST /strategies/{strategy}/enable": ("risk_officer", "decide"),
    "POST /cases/{case_id}/override": ("risk_officer", "decide"),
    "POST /findings/{finding_id}/acknowledge": ("operator", "operate"),
    "POST /findings/{finding_id}/silence": ("operator", "operate"),
    "POST /day/sign-off": ("operator", "operate"),
    "POST /drills": ("operator", "operate"),
    "POST /chat": ("operator", "operate"),
    "GET /chat/threads": ("operator", "operate"),
    "GET /chat/threads/{thread_id}": ("operator", "operate"),
    "DELETE /chat/threads/{thread_id}": ("operator", "operate"),
    "POST /desk/next": ("operator", "operate"),
    "POST /halts": ("operator", "halt"),
    "POST /halts/release": ("risk_officer", "decide"),
    "POST /halts/{halt_id}/release": ("risk_officer", "decide"),
    "POST /halts/{halt_id}/keep": ("risk_officer", "decide"),
    "POST /reconciliation": ("operator", "operate"),
    "POST /memory/rebuild": ("operator", "operate"),
    "POST /breaks/{break_id}": ("risk_officer", "decide"),
    "POST /tickets": ("operator", "operate"),
    "POST /parents/{parent_id}/stop": ("operator", "halt"),
    "GET /people": ("admin", "admin"),
    "POST /people": ("admin", "admin"),
    "PATCH /people/{name}": ("admin", "admin"),
    "POST /people/bootstrap/token": ("admin", "admin"),
    "POST /people/keys/{key_id}/revoke": ("admin", "admin"),
    "POST /people/{name}/keys": ("admin", "admin"),
    "POST /people/{name}/disable": ("admin", "admin"),
    "POST /people/{name}/enable": ("admin", "admin"),
    "POST /people/{name}/password": ("admin", "admin"),
}
"""Role and scope of what is more than a GET; the two under /risk only compute. Else a viewer with the scope read."""


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def stranger(seeded: Seeded) -> Iterator[TestClient]:
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as client:
        yield client


def operations(client: TestClient) -> list[str]:
    paths = client.get("/openapi.json").json()["paths"]
    return [
        f"{verb.upper()} {path.removeprefix('/api/v1')}" for path, verbs in paths.items() for verb in verbs
    ]  # fmt: skip


def call(client: TestClient, operation: str, key: str | None = None) -> Any:
    """Call an operation with nothing in it; whoever may gets past the door and fails there."""
    verb, path = operation.split(" ")
    for name in (
        "approval_id",
        "case_id",
        "command_id",
        "key_id",
        "name",
        "delegation_id",
        "halt_id",
        "thread_id",
        "evidence_id",
        "finding_id",
    ):
        path = path.replace("{" + name + "}", "none")
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    body: dict[str, Any] | None = {} if verb in {"POST", "PUT", "PATCH"} else None
    return client.request(verb, "/api/v1" + path, headers=headers, json=body)


def door(answer: Any) -> str:
    """`open`, or the code with which the door stayed shut."""
    if answer.status_code in {401, 403}:
        return str(answer.json()["error"]["code"])
    return "open"


def test_a_stranger_gets_past_no_door_but_the_open_ones(stranger: TestClient) -> None:
    every = operations(stranger)
    assert len(every) >= 38
    for operation in every:
        answer = call(stranger, operation)
        assert door(answer) == ("open" if operation in OPEN else "unauthorized"), operation


def test_every_operation_that_writes_says_whom_it_needs(stranger: TestClient) -> None:
    writes = {operation for operation in operations(stranger) if not operation.startswith("GET ")}
    undeclared = writes - set(NEEDED) - OPEN - OWN
    assert not undeclared, f"give these a role with require() and a line in NEEDED: {sorted(undeclared)}"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_past_the_doors_it_reaches_and_no_other(stranger: TestClient, seeded: Seeded, role: str) -> None:
    key = key_of(add(seeded.store, "ann", role))
    add(seeded.store, "root", "admin")
    for operation in operations(stranger):
        needed, _ = NEEDED.get(operation, ("viewer", "read"))
        if operation in OPEN:
            continue
        answer = call(stranger, operation, key)
        reached = ROLES.index(role) >= ROLES.index(needed)
        assert door(answer) == ("open" if reached else "role"), operation
        if not reached:
            error = answer.json()["error"]
            assert error["detail"] == {"needed": needed, "role": role}
            assert needed in error["message"]


@pytest.mark.parametrize("missing", sorted(SCOPES_OF["admin"]))
def test_a_key_without_a_scope_gets_past_no_door_that_needs_it(
    stranger: TestClient, seeded: Seeded, missing: str
) -> None:
    added = add(seeded.store, "root", "admin", scopes=sorted(SCOPES_OF["admin"] - {missing}))
    for operation in operations(stranger):
        if operation in OPEN | OWN:
            continue
        _, scope = NEEDED.get(operation, ("viewer", "read"))
        answer = call(stranger, operation, key_of(added))
        assert door(answer) == ("scope" if scope == missing else "open"), operation
        if scope == missing:
            assert answer.json()["error"]["detail"] == {"needed": missing}


def test_a_panic_button_can_stop_the_desk_and_nothing_else(stranger: TestClient, seeded: Seeded) -> None:
    key = key_of(add(seeded.store, "ann", "operator", scopes=["halt"]))
    headers = {"authorization": f"Bearer {key}"}
    halted = stranger.post("/api/v1/halts", json={"action": "no_new", "reason": "smoke"}, headers=headers)
    assert (halted.status_code, halted.json()["principal"]) == (201, "ann")
    refused = {"GET /cases": "scope", "POST /halts/release": "role", "POST /chat": "scope"}
    assert {operation: door(call(stranger, operation, key)) for operation in refused} == refused


def test_the_event_stream_needs_a_viewer_who_may_read(stranger: TestClient, seeded: Seeded) -> None:
    reader, halter = (add(seeded.store, n, "operator", scopes=[s]) for n, s in (("ann", "read"), ("bob", "halt")))
    headers = {"authorization": f"Bearer {key_of(reader)}"}
    with stranger.websocket_connect(EVENTS, headers=headers) as socket:
        assert socket.receive_json()["seq"] == 1
    headers = {"authorization": f"Bearer {key_of(halter)}"}
    with pytest.raises(WebSocketDisconnect) as caught, stranger.websocket_connect(EVENTS, headers=headers):
        pass
    assert (caught.value.code, caught.value.reason) == (1008, "scope")


def test_an_open_event_stream_closes_when_its_person_is_shut_out(
    stranger: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.RECHECK_SECONDS", 0.0)
    headers = {"authorization": f"Bearer {key_of(add(seeded.store, 'ann', 'viewer'))}"}
    with stranger.websocket_connect(EVENTS, headers=headers) as socket:
        socket.receive_json()
        people.disable(seeded.store, "ann", by=ROOT)
        with pytest.raises(WebSocketDisconnect) as caught:  # noqa: PT012
            for _ in range(50):
                socket.receive_json()
    assert (caught.value.code, caught.value.reason) == (1008, "unauthorized")


def test_the_name_on_a_decision_is_that_of_the_login(stranger: TestClient, seeded: Seeded) -> None:
    added = add(seeded.store, "ann", "approver")
    headers = {"authorization": f"Bearer {key_of(added)}"}
    path = f"/api/v1/approvals/{seeded.approval_id}/decision"
    body = {"decision": "reject", "digest": seeded.digest, "reason": "too rich"}
    for payload in ({**body, "principal": "bob"}, {**body, "decided_by": "bob"}):
        assert stranger.post(path, json=payload, headers=headers).status_code == 422
    answer = stranger.post(path, json=body, headers=headers)
    assert (answer.status_code, answer.json()["decided_by"]) == (200, "ann")
    rejected = [
        item for item in stranger.get("/api/v1/ledger?limit=500", headers=headers).json()["items"]
        if item["kind"] == "case.rejected"
    ]  # fmt: skip
    assert rejected[0]["content"]["principal"] == "ann"


def test_the_desk_greets_whom_it_knows(stranger: TestClient, seeded: Seeded) -> None:
    key = key_of(add(seeded.store, "ann", "viewer"))
    assert call(stranger, "GET /desk", key).json()["principal"] == "ann"
    assert call(stranger, "GET /session", key).json()["scopes"] == ["read"]
    told = call(stranger, "GET /session", seeded.store.home.token()).json()
    assert (told["name"], told["kind"], told["role"]) == ("local operator", "local_operator", "admin")
