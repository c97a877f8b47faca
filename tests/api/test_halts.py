"""Halts over HTTP: scope and action, one release at a time, keeping, and a store that hangs."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pipeline import halt
from pipeline.store import Principal, now

from .conftest import Seeded

HALTS = "/api/v1/halts"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No halt program: these tests ask what the API says."""
    monkeypatch.setattr("pipeline.halt.launch", lambda _store: None)


def engage(client: TestClient, **wish: Any) -> dict[str, Any]:
    answer = client.post(HALTS, json={"action": "no_new", "reason": "storm", **wish})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("scope", "target"), [("firm", None), ("symbol", "IBM"), ("strategy", "trend"), ("agent", "rules"), ("order", "")]
)
@pytest.mark.parametrize("action", ["no_new", "cancel", "reduce_only", "flatten"])
def test_every_scope_and_action_is_taken_and_listed(
    client: TestClient, seeded: Seeded, scope: str, target: str | None, action: str
) -> None:
    wanted = seeded.case_id if scope == "order" else target
    told = engage(client, scope=scope, target=wanted, action=action)
    (shown,) = client.get(HALTS).json()["items"]
    assert shown == told
    assert (told["scope"], told["target"], told["action"], told["source"]) == (scope, wanted, action, "api")
    assert told["ends_index"] is None


@pytest.mark.parametrize(
    "wish",
    [
        {"scope": "galaxy", "target": "x"}, {"scope": "symbol"}, {"scope": "symbol", "target": "ibm"},
        {"scope": "order", "target": "case_nobody"}, {"action": "explode"}, {"scope": "firm", "target": "IBM"},
    ],
)  # fmt: skip
def test_a_halt_that_names_nothing_is_422_and_nothing_is_saved(client: TestClient, wish: dict[str, Any]) -> None:
    assert client.post(HALTS, json={"action": "no_new", "reason": "storm", **wish}).status_code == 422
    assert client.get(HALTS).json()["items"] == []


def test_a_narrow_halt_does_not_call_the_whole_desk_halted(client: TestClient) -> None:
    engage(client, scope="symbol", target="KO")
    assert client.get("/api/v1/desk").json()["stage"] != "halted"
    engage(client)
    assert client.get("/api/v1/desk").json()["stage"] == "halted"


def test_one_halt_is_released_by_its_id(client: TestClient, seeded: Seeded) -> None:
    first, second = engage(client, scope="symbol", target="KO"), engage(client)
    answer = client.post(f"{HALTS}/{first['id']}/release", json={"reason": "looked at"}).json()
    assert answer == {"released": [first["id"]], "voided_cases": [], "waiting": []}
    assert [item["id"] for item in client.get(HALTS).json()["items"]] == [second["id"]]
    assert client.post(f"{HALTS}/{first['id']}/release", json={"reason": "again"}).status_code == 422


def test_a_control_s_halt_shows_its_source_and_its_end_and_can_be_kept(client: TestClient, seeded: Seeded) -> None:
    with seeded.store.db.write() as session:
        row = halt.write(
            session, action="reduce_only", reason="loss", principal=Principal("control:daily_loss", "control"),
            source="control:daily_loss", ending=halt.Ending(99, now() + timedelta(hours=1)),
        )  # fmt: skip
    (shown,) = client.get(HALTS).json()["items"]
    assert (shown["source"], shown["ends_index"]) == ("control:daily_loss", 99)
    assert client.post(f"{HALTS}/{row.id}/keep", json={"reason": ""}).status_code == 422
    assert client.post(f"{HALTS}/{row.id}/keep", json={"reason": "audit"}).json()["ends_index"] is None
    assert client.post(f"{HALTS}/{row.id}/keep", json={"reason": "audit"}).status_code == 422


def test_a_store_that_hangs_answers_202_with_the_halt_file(
    client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.halt.LOCK_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(seeded.store.home.database_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        answer = client.post(HALTS, json={"action": "cancel", "reason": "storm", "scope": "symbol", "target": "IBM"})
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert answer.status_code == 202
    assert (answer.json()["source"], answer.json()["scope"], answer.json()["action"]) == ("file", "firm", "cancel")
    assert client.get("/api/v1/desk").json()["stage"] == "halted"
