from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api.errors import STATUS_BY_CLASS, status_of
from tools import errors
from tools.errors import ApprovalError, QuarterdeckError

from .conftest import Seeded

BAD_QUERIES = [
    "/cases?limit=0", "/cases?limit=501", "/cases?limit=x", "/cases?state=nonsense", "/cases?after=%%%",
    "/approvals?status=maybe", "/approvals?after=bm9wZQ", "/findings?severity=loud", "/outcomes?settled=perhaps",
    "/outcomes?disposition=lost", "/lessons?state=done", "/orders?state=lost", "/orders?after=x", "/fills?limit=-1",
    "/positions?limit=9999", "/signals?after=AAAA", "/equity?after=1", "/ledger?after=x", "/ledger?after=-1",
    "/ledger?limit=0", "/halts?all=perhaps",
]  # fmt: skip
BAD_BODIES = [
    ("/halts", {}), ("/halts", {"action": "explode", "reason": "r"}), ("/halts", {"action": "no_new", "reason": "  "}),
    ("/halts", {"action": "no_new", "reason": "r", "extra": 1}),
    ("/halts", {"action": "no_new", "reason": "r", "scope": "symbol"}),
    ("/halts/release", {}), ("/halts/release", {"reason": ""}), ("/halts/release", {"reason": "nothing is halted"}),
    ("/chat", {}), ("/chat", {"text": ""}), ("/chat", {"text": "x" * 4001}),
    ("/chat", {"text": "x", "thread_id": "../"}),
]  # fmt: skip


def shape(answer: Any) -> dict[str, Any]:
    """The error body, after checking that it has the one shape and nothing beside it."""
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "detail"}
    assert re.fullmatch(r"[a-z_]+", error["code"])
    assert error["message"]
    return error


@pytest.mark.parametrize("path", BAD_QUERIES)
def test_a_bad_query_names_what_is_wrong_in_the_one_shape(client: TestClient, path: str) -> None:
    answer = client.get("/api/v1" + path)
    error = shape(answer)
    assert answer.status_code == 422
    assert error["code"] in {"invalid", "bad_cursor"}
    if error["code"] == "invalid":
        assert all(set(item) == {"field", "message"} for item in error["detail"])


@pytest.mark.parametrize(("path", "body"), BAD_BODIES)
def test_a_bad_body_is_refused_in_the_one_shape(client: TestClient, path: str, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1" + path, json=body)
    assert (answer.status_code, shape(answer)["code"]) == (422, "invalid")


def test_an_unknown_field_is_named(client: TestClient) -> None:
    answer = client.post("/api/v1/halts", json={"action": "no_new", "reason": "r", "target_price": 3})
    assert shape(answer)["detail"] == [{"field": "target_price", "message": "Extra inputs are not permitted"}]


def test_what_was_sent_is_not_echoed(client: TestClient) -> None:
    answer = client.post("/api/v1/halts", json={"action": "sk-secret-value", "reason": "r"})
    assert "sk-secret-value" not in answer.text


@pytest.mark.parametrize(
    "path", ["/cases/nope", "/approvals/nope", "/explanations/nope", "/desk/commands/nope", "/nope", "/", "/cases/a/b"]
)
def test_what_does_not_exist_is_not_found_in_the_one_shape(client: TestClient, path: str) -> None:
    answer = client.get("/api/v1" + path)
    assert (answer.status_code, shape(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unknown_api_path_is_not_found_for_every_method(client: TestClient, method: str) -> None:
    answer = client.request(method, "/api/v1/nope")
    assert (answer.status_code, shape(answer)["code"]) == (404, "not_found")


def test_a_wrong_method_says_so(client: TestClient) -> None:
    answer = client.delete("/api/v1/cases")
    assert (answer.status_code, shape(answer)["code"]) == (405, "method_not_allowed")


def test_a_damaged_body_is_refused(client: TestClient) -> None:
    answer = client.post("/api/v1/halts", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, shape(answer)["code"]) == (422, "invalid")


def test_a_database_that_does_not_answer_is_503_without_its_sql(
    client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError("SELECT secret", {}, Exception("database is locked"))

    monkeypatch.setattr(type(seeded.store.db), "read", lambda self: fail())
    answer = client.get("/api/v1/cases")
    assert (answer.status_code, shape(answer)["code"]) == (503, "store_unavailable")
    assert "SELECT" not in answer.text


def test_a_bug_is_a_500_in_the_one_shape_without_its_text(
    client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("inner detail")

    monkeypatch.setattr(type(seeded.store.db), "read", lambda self: fail())
    answer = client.get("/api/v1/cases")
    assert (answer.status_code, shape(answer)["code"]) == (500, "internal")
    assert "inner detail" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("code", "status"),
    [("unknown", 404), ("decided", 409), ("stale_digest", 409), ("expired", 410), ("invalid", 422), ("forbidden", 403)],
)
def test_each_approval_code_has_its_status(code: str, status: int) -> None:
    assert status_of(ApprovalError("x", code=code)) == status


def test_every_error_class_of_ours_has_a_status() -> None:
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, QuarterdeckError)]
    for kind in kinds:
        if kind is not QuarterdeckError:
            assert any(issubclass(kind, known) for known in STATUS_BY_CLASS), kind
    assert status_of(QuarterdeckError("x", code="new_code")) == 500
