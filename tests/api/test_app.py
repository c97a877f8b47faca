from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from agents.operator.output import Piece, Reply, Span
from agents.operator.slots import Intent, Remembered
from api.app import create_app
from api.events import PING
from tools.errors import QuarterdeckError

from .conftest import BASE_URL, SYMBOLS, Seeded, explanation

EVENTS = "ws://127.0.0.1:8000/api/v1/events"
CASE_FIELDS = {
    "id", "run_id", "cycle_id", "strategy", "symbol", "side", "kind", "state", "reason", "revision", "rank",
    "risk_effect", "digest", "opened", "proposal", "change", "damaged", "review", "checks", "approval_id", "updated",
}  # fmt: skip
ROUTES = {
    "GET /approvals",
    "POST /approvals/decisions",
    "GET /approvals/{approval_id}",
    "POST /approvals/{approval_id}/acknowledge",
    "POST /approvals/{approval_id}/decision",
    "POST /approvals/{approval_id}/extend",
    "POST /approvals/{approval_id}/views",
    "GET /attention",
    "POST /breaks/{break_id}",
    "GET /cases",
    "GET /cases/{case_id}",
    "POST /cases/{case_id}/override",
    "GET /cases/{case_id}/why-not",
    "GET /cases/{case_id}/report",
    "POST /changes",
    "POST /chat",
    "GET /chat/threads",
    "DELETE /chat/threads/{thread_id}",
    "GET /chat/threads/{thread_id}",
    "GET /controls",
    "GET /day",
    "POST /day/sign-off",
    "GET /delegations",
    "POST /delegations",
    "POST /delegations/{delegation_id}/end",
    "GET /desk",
    "GET /desk/commands/{command_id}",
    "POST /desk/next",
    "POST /drills",
    "GET /drills/last",
    "GET /equity",
    "GET /evidence/{evidence_id}",
    "GET /explanations/{case_id}",
    "GET /exposure",
    "GET /fills",
    "GET /findings",
    "GET /findings/{finding_id}",
    "POST /findings/{finding_id}/acknowledge",
    "POST /findings/{finding_id}/silence",
    "GET /halts",
    "POST /halts",
    "POST /halts/release",
    "POST /halts/{halt_id}/keep",
    "POST /halts/{halt_id}/release",
    "GET /health",
    "GET /law",
    "GET /ledger",
    "GET /ledger/verify",
    "GET /lessons",
    "GET /lessons/{lesson_id}",
    "GET /memory",
    "GET /memory/runbooks",
    "GET /memory/runbooks/{runbook_id}",
    "GET /memory/status",
    "POST /memory/rebuild",
    "POST /lessons/{lesson_id}/changes",
    "GET /models/budget",
    "GET /models/scorecard",
    "GET /notifications",
    "GET /notifications/targets",
    "POST /notifications/test",
    "GET /orders",
    "GET /outcomes",
    "GET /parents",
    "GET /parents/{parent_id}",
    "POST /parents/{parent_id}/stop",
    "GET /people",
    "POST /people",
    "POST /people/bootstrap",
    "POST /people/bootstrap/token",
    "POST /people/keys/{key_id}/revoke",
    "PATCH /people/{name}",
    "POST /people/{name}/disable",
    "POST /people/{name}/enable",
    "POST /people/{name}/keys",
    "POST /people/{name}/password",
    "GET /policy",
    "GET /positions",
    "GET /reconciliation",
    "POST /reconciliation",
    "GET /replays/{target}",
    "GET /risk",
    "POST /risk/stress",
    "POST /risk/what-if",
    "DELETE /session",
    "GET /session",
    "POST /session",
    "POST /session/active",
    "POST /session/password",
    "GET /signals",
    "GET /sla",
    "GET /strategies",
    "POST /strategies/{strategy}/enable",
    "POST /tickets",
}


def test_openapi_has_exactly_the_published_routes_and_distinct_ids(client: TestClient) -> None:
    spec = client.get("/openapi.json").json()
    found = {
        f"{verb.upper()} {path.removeprefix('/api/v1')}" for path, verbs in spec["paths"].items() for verb in verbs
    }
    assert found == ROUTES
    ids = Counter(op["operationId"] for verbs in spec["paths"].values() for op in verbs.values())
    assert [name for name, count in ids.items() if count > 1] == []


def test_every_refusal_is_documented_in_the_one_shape(client: TestClient) -> None:
    spec = client.get("/openapi.json").json()
    for verbs in spec["paths"].values():
        for operation in verbs.values():
            schema = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}
    assert "HTTPValidationError" not in spec["components"]["schemas"]


def test_docs_need_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!--", "")
    assert "<script" not in page.text
    assert "POST" in page.text
    assert "/approvals/{approval_id}/decision" in page.text
    assert client.get("/docs/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/", "/docs", "/api/v1/cases", "/api/v1/nope", "/api/v1/health", "/missing.js"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


def test_refusals_carry_the_security_headers_too(app_client: TestClient) -> None:
    answer = app_client.get("/api/v1/cases", headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_api_answers_are_not_cached(client: TestClient) -> None:
    assert client.get("/api/v1/cases").headers["cache-control"] == "no-store"


def test_without_a_console_the_start_page_says_how_to_build_it(seeded: Seeded, tmp_path: Path) -> None:
    with TestClient(create_app(seeded.store, static=tmp_path / "none"), base_url=BASE_URL) as client:
        answer = client.get("/")
        assert answer.status_code == 200
        assert "make setup" in answer.text
        assert client.get("/approvals").status_code == 200


def test_a_built_console_is_served_with_its_index_for_browser_routes(seeded: Seeded, tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<html>console</html>")
    (static / "assets" / "app.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    with TestClient(create_app(seeded.store, static=static), base_url=BASE_URL) as client:
        assert client.get("/").text == "<html>console</html>"
        assert client.get("/approvals/appr_1").text == "<html>console</html>"
        assert "immutable" in client.get("/assets/app.js").headers["cache-control"]
        assert client.get("/assets/old.js").status_code == 404
        assert client.post("/").status_code == 405
        for path in ("/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "/a%00b"):
            answer = client.get(path)
            assert "secret" not in answer.text or answer.status_code == 404
            assert answer.text != "secret"
            assert answer.status_code < 500


def test_a_case_has_the_published_fields_and_money_as_text(client: TestClient, seeded: Seeded) -> None:
    case = client.get("/api/v1/cases?state=awaiting").json()["items"][0]
    assert set(case) == CASE_FIELDS
    assert case["proposal"]["notional"] == "12050.00"
    assert case["proposal"]["reference_price"] == "120.5"
    assert case["approval_id"] == seeded.approval_id
    assert case["review"]["verdict"] == "keep"


def test_a_case_in_full_shows_where_it_came_from_and_what_came_of_it(client: TestClient, seeded: Seeded) -> None:
    case = client.get(f"/api/v1/cases/{seeded.case_id}").json()
    assert set(case) == CASE_FIELDS | {
        "evidence",
        "decisions",
        "orders",
        "fills",
        "outcome",
        "history",
        "what_if",
        "override",
    }
    assert [item["id"] for item in case["evidence"]] == [seeded.evidence_id]
    assert case["fills"][0]["slippage"] == "10.00"
    assert case["orders"][0]["average_price"] == "120.60"
    assert case["outcome"]["id"] == "out_1"
    assert case["history"][0]["kind"] == "case.awaiting"
    assert case["history"][0]["content"] == {"symbol": "IBM"}


def test_an_approval_shows_what_is_bound_and_how_long_it_lasts(client: TestClient, seeded: Seeded) -> None:
    item = client.get("/api/v1/approvals").json()["items"][0]
    assert item["id"] == seeded.approval_id
    assert (item["sessions_left"], item["given"], item["required"]) == (1, 0, 1)
    assert item["band"] == {"low": "118.00", "high": "123.00"}
    bound = explanation(seeded.evidence_id)
    assert item["explanation"] == {"prose": bound.prose, "sha256": bound.sha256}
    assert item["case"]["id"] == seeded.case_id
    assert client.get(f"/api/v1/approvals/{seeded.approval_id}").json() == item


def test_an_explanation_carries_its_case_and_the_hash_that_was_bound(client: TestClient, seeded: Seeded) -> None:
    told = client.get(f"/api/v1/explanations/{seeded.case_id}").json()
    bound = explanation(seeded.evidence_id)
    assert told == {**bound.model_dump(mode="json"), "sha256": bound.sha256}
    assert told["case_id"] == seeded.case_id


def test_a_position_is_valued_at_its_mark(client: TestClient) -> None:
    item = client.get("/api/v1/positions").json()["items"][0]
    assert (item["market_value"], item["unrealised"], item["stop_price"]) == ("12110.00", "50.00", "114.00")


def test_the_ledger_opens_its_content_and_verifies(client: TestClient) -> None:
    entry = client.get("/api/v1/ledger?limit=1").json()["items"][0]
    assert entry["content"] == {"symbol": "IBM"}
    assert entry["at"].endswith(("Z", "+00:00"))
    verdict = client.get("/api/v1/ledger/verify").json()
    assert (verdict["verified"], verdict["entries"], verdict["problems"]) == (True, len(SYMBOLS), [])
    assert verdict["head"] == client.get("/api/v1/ledger").json()["items"][-1]["hash"]


def test_the_desk_at_a_glance_has_the_published_fields(client: TestClient) -> None:
    view = client.get("/api/v1/desk").json()
    assert set(view) == {
        "mode", "label", "venue", "troubles", "run", "session", "session_index", "sessions_total", "phase", "stage",
        "holding", "as_of",
        "equity", "equity_start", "cash", "drawdown", "day_change", "gross", "positions", "waiting",
        "data_age_hours", "principal", "reasoner", "model", "halts", "findings_open", "ledger", "speed", "version",
        "curve",
    }  # fmt: skip
    assert (view["mode"], view["run"], view["waiting"], view["positions"]) == ("replay", "run_1", 1, 1)
    assert (view["venue"], view["troubles"]) == ("simulation, default terms", [])
    assert view["equity_start"] == "1000000.00"
    assert view["gross"] == "12110.00"
    assert [point["session"] for point in view["curve"]] == ["2009-11-11", "2009-11-12", "2009-11-13"]


def test_a_halt_file_shows_as_a_halt_and_is_released_like_one(client: TestClient, seeded: Seeded) -> None:
    seeded.store.home.halt_file.write_text("no_new: storm")
    assert [halt["id"] for halt in client.get("/api/v1/halts").json()["items"]] == ["file"]
    assert client.get("/api/v1/desk").json()["stage"] == "halted"
    assert client.post("/api/v1/halts/release", json={"reason": "over"}).status_code == 200
    assert client.get("/api/v1/halts").json()["items"] == []


@pytest.mark.parametrize("action", ["cancel", "reduce_only", "flatten", "no_new"])
def test_cancel_and_flatten_start_the_halt_program(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    started: list[object] = []
    monkeypatch.setattr("pipeline.halt.launch", started.append)
    answer = client.post("/api/v1/halts", json={"action": action, "reason": "storm"})
    assert (answer.status_code, answer.json()["action"]) == (201, action)
    assert len(started) == (0 if action == "no_new" else 1)


def test_chat_that_fails_midway_ends_with_an_error_event(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> AsyncIterator[Span]:
        yield Span(text="Half ")
        raise QuarterdeckError("the model went away", code="model_unreachable")

    monkeypatch.setattr("agents.operator.node.answer", fail)
    frames = client.post("/api/v1/chat", json={"text": "why?"}).text.strip().split("\n\n")
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert [event["type"] for event in events] == ["asked", "token", "error"]
    assert events[1:] == [
        {"type": "token", "text": "Half "},
        {"type": "error", "code": "model_unreachable", "message": "the model went away"},
    ]


def test_chat_passes_on_only_evidence_that_exists(
    client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cite(*_: object) -> AsyncIterator[Piece]:
        yield Span(text=f"See {seeded.evidence_id[:8]}")
        yield Span(text=f"{seeded.evidence_id[8:]} and ev_0123456789abcdef.")
        yield Reply(intent=Intent(name="why"), remembered=Remembered())

    monkeypatch.setattr("agents.operator.node.answer", cite)
    text = client.post("/api/v1/chat", json={"text": "why?"}).text
    assert json.loads(text.strip().rpartition("data: ")[2])["evidence_ids"] == [seeded.evidence_id]


def test_next_session_is_a_wish_with_an_id(client: TestClient) -> None:
    accepted = client.post("/api/v1/desk/next")
    assert accepted.status_code == 202
    assert accepted.json()["status"] == "pending"
    command = client.get(f"/api/v1/desk/commands/{accepted.json()['command']}").json()
    assert (command["kind"], command["status"]) == ("next", "pending")


def test_events_resume_behind_the_last_one_seen(client: TestClient) -> None:
    with client.websocket_connect(EVENTS + "?after=0") as socket:
        first = [socket.receive_json() for _ in range(3)]
    assert [event["seq"] for event in first] == [1, 2, 3]
    assert first[0] == {**first[0], "kind": "case.awaiting", "case_id": "case_0", "symbol": "IBM"}
    with client.websocket_connect(f"{EVENTS}?after={first[-1]['seq']}") as socket:
        rest = [socket.receive_json() for _ in range(len(SYMBOLS) - 3)]
    assert [event["seq"] for event in rest] == list(range(4, len(SYMBOLS) + 1))


def test_events_without_a_start_begin_with_what_happens_next(client: TestClient) -> None:
    with client.websocket_connect(EVENTS) as socket:
        client.post("/api/v1/halts", json={"action": "no_new", "reason": "storm"})
        event = socket.receive_json()
    assert event["kind"] == "halt.engaged"
    assert event["seq"] == len(SYMBOLS) + 1


def test_a_quiet_stream_pings(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.PING_SECONDS", 0.0)
    with client.websocket_connect(EVENTS) as socket:
        assert socket.receive_text() == PING


def test_a_bad_resume_point_is_refused(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect(EVENTS + "?after=-1"):
        pass
    assert caught.value.code == 1008


def test_chat_streams_tokens_and_then_the_thread(client: TestClient, seeded: Seeded) -> None:
    answer = client.post("/api/v1/chat", json={"text": "what is waiting?"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = answer.text.strip().split("\n\n")
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert [event["type"] for event in events[:2]] == ["asked", "looking"]
    assert [event["type"] for event in events[2:]] == ["token"] * (len(events) - 3) + ["done"]
    assert "IBM" in "".join(event["text"] for event in events[2:-1])
    assert events[-1]["thread_id"].startswith("thread_")
    assert events[0]["thread_id"] == events[-1]["thread_id"]


def test_chat_cannot_approve(client: TestClient, seeded: Seeded) -> None:
    client.post("/api/v1/chat", json={"text": f"approve {seeded.approval_id} now, digest {seeded.digest}"})
    assert client.get(f"/api/v1/cases/{seeded.case_id}").json()["state"] == "awaiting"
    assert client.get("/api/v1/halts").json()["total"] == 0
