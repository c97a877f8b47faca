"""The record of a drill over HTTP: taken under the name of who ran it, shown again, refused when it says nothing."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

REPORT: dict[str, Any] = {
    "lines": [
        {"name": "control:drawdown", "fired": True, "detail": "blocked"},
        {"name": "halt:firm:flatten", "fired": False, "detail": "3 positions stayed"},
    ],
    "limits_sha256": "a" * 64, "version": "0.1.0",
}  # fmt: skip


def test_a_report_is_recorded_with_who_sent_it_and_is_the_latest(client: TestClient) -> None:
    assert client.get("/api/v1/drills/last").status_code == 404
    sent = client.post("/api/v1/drills", json=REPORT)
    assert sent.status_code == 201
    assert sent.json()["principal"] == "local operator"
    shown = client.get("/api/v1/drills/last").json()
    assert shown == sent.json()
    assert shown["report"]["lines"] == REPORT["lines"]
    listed = client.get("/api/v1/ledger", params={"kind": "drill.run"}).json()["items"]
    assert [(item["kind"], item["run_id"]) for item in listed] == [("drill.run", None)]


def test_a_report_without_a_line_or_with_a_foreign_field_is_refused_and_nothing_is_kept(client: TestClient) -> None:
    line = REPORT["lines"][0]
    wrongs: tuple[dict[str, Any], ...] = (
        {"lines": []}, {"lines": [{**line, "detail": "x" * 301}]}, {"limits_sha256": "no"}, {"by": "bob"},
    )  # fmt: skip
    for wrong in wrongs:
        assert client.post("/api/v1/drills", json={**REPORT, **wrong}).status_code == 422
    assert client.get("/api/v1/drills/last").status_code == 404
