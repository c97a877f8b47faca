"""Asking to let a blocked order past over HTTP: each refusal has its code and leaves the case as it was."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from memory.tables import CaseRow, LedgerRow, OverrideRow
from pipeline.store import Store
from tools.canonical import plain
from tools.risk.types import Check

from .conftest import Seeded


def check(control: str, verdict: str, *, hard: bool) -> Check:
    return Check.model_validate(
        {
            "control": control, "value": "2", "limit": "1", "unit": "count", "verdict": verdict, "rule": "house",
            "message": f"{control} 2, above the limit of 1", "hard": hard,
        }
    )  # fmt: skip


@pytest.fixture
def blocked(store: Store, seeded: Seeded) -> str:
    """A case of the closed session that a soft control blocked; returns its id."""
    with store.db.write() as session:
        case = session.exec(select(CaseRow).where(CaseRow.state == "not_selected")).first()
        assert case is not None
        case.state, case.checks = "blocked", [plain(check("max_open_positions", "block", hard=False))]
        session.add(case)
        return case.id


def ask(client: TestClient, case_id: str, **body: Any) -> Any:
    return client.post(f"/api/v1/cases/{case_id}/override", json={"reason": "a client's wish", **body})


def state_of(store: Store, case_id: str) -> tuple[str, int, int]:
    with store.db.read() as session:
        written = session.exec(select(LedgerRow).where(LedgerRow.kind == "override.asked")).all()
        asked = session.exec(select(OverrideRow)).all()
        return session.get_one(CaseRow, case_id).state, len(asked), len(written)


def test_a_blocked_case_is_drafted_again_with_who_asked_and_why(client: TestClient, store: Store, blocked: str) -> None:
    answer = ask(client, blocked, controls=["max_open_positions"])
    assert answer.status_code == 201
    assert answer.json() == {
        "case_id": blocked, "controls": ["max_open_positions"], "principal": "local operator",
        "reason": "a client's wish",
    }  # fmt: skip
    assert state_of(store, blocked) == ("drafted", 1, 1)
    shown = client.get(f"/api/v1/cases/{blocked}").json()
    assert shown["override"]["reason"] == "a client's wish"
    assert [item["kind"] for item in shown["history"]][-2:] == ["override.asked", "case.drafted"]
    again = ask(client, blocked)
    assert (again.status_code, again.json()["error"]["code"]) == (422, "invalid")
    assert state_of(store, blocked) == ("drafted", 1, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reason": " "}, 422, "invalid"),
        ({"controls": []}, 422, "invalid"),
        ({"controls": ["adv_share"]}, 422, "invalid"),
        ({"controls": ["gross_share"]}, 422, "invalid"),
        ({"controls": ["nothing_such"]}, 422, "invalid"),
        ({"controls": "max_open_positions"}, 422, "invalid"),
        ({"person": "ann"}, 422, "invalid"),
    ],
)
def test_what_is_asked_wrongly_changes_nothing(
    client: TestClient, store: Store, blocked: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(client, blocked, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert state_of(store, blocked) == ("blocked", 0, 0)


def test_a_case_that_waits_and_a_case_that_is_not_there(client: TestClient, seeded: Seeded) -> None:
    assert ask(client, seeded.case_id).status_code == 422
    missing = ask(client, "case_none")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown")


def test_a_hard_limit_beside_a_soft_one_cannot_be_passed(client: TestClient, store: Store, blocked: str) -> None:
    with store.db.write() as session:
        case = session.get_one(CaseRow, blocked)
        case.checks = [*(case.checks or []), plain(check("gross_share", "block", hard=True))]
        session.add(case)
    answer = ask(client, blocked)
    assert answer.status_code == 422
    assert "hard limit" in answer.json()["error"]["message"]
    assert state_of(store, blocked) == ("blocked", 0, 0)


def test_under_a_halt_nothing_is_asked(client: TestClient, store: Store, blocked: str) -> None:
    assert client.post("/api/v1/halts", json={"action": "no_new", "reason": "looking"}).status_code == 201
    answer = ask(client, blocked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert state_of(store, blocked) == ("blocked", 0, 0)
