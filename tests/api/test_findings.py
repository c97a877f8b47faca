"""Findings over HTTP: where each stands, who may answer for it, and for how long it may be silent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from memory import evidence as evidence_store
from memory.tables import RunRow
from pipeline.finding_answers import SILENCE
from pipeline.findings import watch
from pipeline.store import Store, now
from tests.people_help import add, key_of, make_passwords_cheap
from tools.canonical import instant_text
from tools.types import Evidence, Finding

from .conftest import AS_OF, RUN, Seeded

FINDINGS = "/api/v1/findings"
SEEN = Evidence.of("health", "pipeline.book", {"value": 0.1}, event_time=AS_OF, known_at=AS_OF)


def raised(store: Store, severity: str = "warning", code: str = "drawdown", **changes: Any) -> str:
    body = {
        "id": f"find_{code}_{severity}", "code": code, "severity": severity, "component": "book", "message": "low",
        "recommendation": "look", "evidence_ids": (SEEN.id,), "as_of": AS_OF, "rule": "threshold", **changes,
    }  # fmt: skip
    with store.db.write() as session:
        evidence_store.keep(session, [SEEN])
        (kept,) = watch(session, session.get_one(RunRow, RUN), (code,), [Finding.model_validate(body)], AS_OF)
    return kept.finding.id


def ids(client: TestClient, **query: str) -> set[str]:
    found = client.get(FINDINGS, params=query).json()
    assert found["total"] == len(found["items"])
    return {item["id"] for item in found["items"]}


def test_findings_are_listed_by_state_severity_and_code(client: TestClient, seeded: Seeded) -> None:
    low, bad, gone = (
        raised(seeded.store),
        raised(seeded.store, "critical", "budget"),
        raised(seeded.store, code="vetoes"),
    )
    with seeded.store.db.write() as session:
        watch(session, session.get_one(RunRow, RUN), ("vetoes",), (), AS_OF + timedelta(days=1))
    assert client.post(f"{FINDINGS}/{low}/acknowledge", json={"reason": "on it"}).status_code == 200
    assert client.post(f"{FINDINGS}/{bad}/silence", json={"reason": "known", "sessions": 1}).status_code == 200
    older = {"find_0", "find_1"}
    assert ids(client) == {low, bad, gone, *older}
    by_state = {state: ids(client, state=state) for state in ("open", "acknowledged", "silenced", "cleared")}
    assert by_state == {"open": older, "acknowledged": {low}, "silenced": {bad}, "cleared": {gone}}
    assert ids(client, severity="critical", code="budget") == {bad}
    assert client.get("/api/v1/desk").json()["findings_open"] == len(older)
    for item in client.get(FINDINGS).json()["items"]:
        assert item["id"] in by_state[item["state"]]


def test_one_finding_shows_its_life_and_its_evidence(client: TestClient, seeded: Seeded) -> None:
    found = client.get(f"{FINDINGS}/{raised(seeded.store)}").json()
    assert (found["state"], found["worst"], found["times_seen"], found["rule"]) == ("open", "warning", 1, "threshold")
    assert [item["id"] for item in found["evidence"]] == [SEEN.id]
    assert found["longest_silence_hours"] == SILENCE["warning"].hours
    assert client.get(f"{FINDINGS}/find_none").status_code == 404


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"sessions": 10}, 200), ({"sessions": 11}, 422), ({"sessions": 0}, 422), ({}, 422),
        ({"until": "2020-01-01T00:00:00Z"}, 422), ({"until": "2999-01-01T00:00:00Z"}, 422),
        ({"until": "2026-01-01T00:00:00"}, 422), ({"sessions": 1, "reason": " "}, 422), ({"for": "ever"}, 422),
    ],
)  # fmt: skip
def test_a_silence_has_one_end_that_its_severity_allows(
    client: TestClient, seeded: Seeded, wish: dict[str, Any], status: int
) -> None:
    finding = raised(seeded.store)
    answer = client.post(f"{FINDINGS}/{finding}/silence", json={"reason": "known", **wish})
    assert answer.status_code == status, answer.text
    shown = client.get(f"{FINDINGS}/{finding}").json()
    assert (shown["state"] == "silenced") == (status == 200)
    assert shown["silenced_sessions"] == (10 if status == 200 else None)


def test_a_silence_until_an_instant_says_who_and_until_when(client: TestClient, seeded: Seeded) -> None:
    end = instant_text(now() + timedelta(hours=2))
    body = client.post(f"{FINDINGS}/{raised(seeded.store)}/silence", json={"reason": "known", "until": end}).json()
    assert (body["state"], body["silenced_reason"]) == ("silenced", "known")
    assert body["silenced_until"][:19] == end[:19]


@pytest.mark.parametrize(
    ("role", "severity", "status"),
    [
        ("viewer", "info", 403),
        ("operator", "warning", 200),
        ("operator", "critical", 403),
        ("approver", "critical", 200),
    ],
)
@pytest.mark.parametrize("what", ["acknowledge", "silence"])
def test_a_critical_finding_needs_an_approver(
    app_client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, role: str, severity: str, status: int,
    what: str,
) -> None:  # fmt: skip
    make_passwords_cheap(monkeypatch)
    finding, key = raised(seeded.store, severity), key_of(add(seeded.store, "ann", role))
    body: dict[str, Any] = {"reason": "known"} | ({"sessions": 1} if what == "silence" else {})
    answer = app_client.post(f"{FINDINGS}/{finding}/{what}", json=body, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["acknowledged_by" if what == "acknowledge" else "silenced_by"] == "ann"


def test_a_second_person_gets_409_and_who_was_first(
    app_client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_passwords_cheap(monkeypatch)
    finding = raised(seeded.store)
    keys = [key_of(add(seeded.store, name, "operator")) for name in ("ann", "bob")]
    answers = [
        app_client.post(
            f"{FINDINGS}/{finding}/acknowledge", json={"reason": "on it"}, headers={"authorization": f"Bearer {key}"}
        )
        for key in (keys[0], keys[0], keys[1])
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert answers[2].json()["error"]["detail"]["decided_by"] == "ann"
