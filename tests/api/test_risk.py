"""Risk over HTTP: what is shown of the book, and that trying things changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import func, select

from memory.tables import EvidenceRow, LedgerRow
from tools.risk.controls import CONTROLS

from .conftest import Seeded

SEPTEMBER, CRASH = "2008-09", "2010-05-06"


def test_the_book_is_measured_with_its_conventions(client: TestClient) -> None:
    risk = client.get("/api/v1/risk").json()
    assert (risk["session"], risk["positions"], risk["pending"]) == ("2009-11-24", 1, 0)
    tail = risk["tail"]["historical"]
    assert tail["cvar"] >= tail["var"] > 0
    convention = tail["convention"]
    assert (convention["confidence"], convention["horizon_sessions"]) == (0.95, 1)
    assert (convention["sign"], convention["unit"]) == ("loss positive", "fraction of equity")
    assert {item["limit"] for item in risk["limits"]} >= {"max_gross_share", "max_daily_loss", "max_drawdown"}
    assert risk["concentration"]["effective_names"] == 1.0
    assert risk["protection"]["policy"]["curve"][0] == {"drawdown": "0", "factor": "1"}


def test_what_needs_more_history_says_so_and_is_no_zero(client: TestClient) -> None:
    tail = client.get("/api/v1/risk?confidence=0.99").json()["tail"]
    assert tail["historical"]["status"] == "not_enough_data"
    assert tail["historical"]["needed"] == 200
    assert tail["normal"]["status"] == "ok"


def test_stress_says_what_was_taken_for_each_position_and_marks_hindsight(client: TestClient) -> None:
    stress = {item["scenario"]["id"]: item for item in client.get("/api/v1/risk").json()["stress"]}
    assert (stress[SEPTEMBER]["scenario"]["hindsight"], stress[CRASH]["scenario"]["hindsight"]) == (False, True)
    (position,) = stress[CRASH]["positions"]
    assert (position["symbol"], position["used"]) == ("IBM", "beta")
    assert "arch sp500" in position["source"]


def test_exposures_show_the_use_of_their_limit(client: TestClient) -> None:
    found = client.get("/api/v1/exposure").json()
    (one,) = found["symbol"]
    assert (one["name"], one["gross"], one["limit"]) == ("IBM", "12110.00", "0.04")
    assert [line["name"] for line in found["strategy"]] == ["trend"]
    assert found["agent"][0]["limit"] is None


@pytest.mark.parametrize(
    "body",
    [{"text": "IBM=-10%"}, {"shocks": [{"scope": "symbol", "target": "IBM", "move": "-0.1"}]}],
)  # fmt: skip
def test_shocks_as_text_and_as_fields_say_the_same(client: TestClient, body: dict[str, Any]) -> None:
    found = client.post("/api/v1/risk/stress", json=body).json()
    assert found["change"] == "-1211.00"
    assert found["positions"][0]["used"] == "own"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"), ({"text": "IBM=-1%", "shocks": [{"scope": "market", "move": "0"}]}, "invalid"),
        ({"text": "moon=-1%"}, "bad_shock"), ({"text": " "}, "no_shock"),
        ({"shocks": [{"scope": "sector", "target": "Moon", "move": "-0.1"}]}, "bad_shock"),
        ({"shocks": [{"scope": "symbol", "target": "MOON", "move": "-0.1"}]}, "unknown_symbol"),
        ({"shocks": [{"scope": "symbol", "move": "-0.1"}]}, "shock_target"),
        ({"shocks": [{"scope": "market", "move": "-1.1"}]}, "invalid"),
    ],
)  # fmt: skip
def test_a_shock_that_means_nothing_is_refused(client: TestClient, body: dict[str, Any], code: str) -> None:
    answer = client.post("/api/v1/risk/stress", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_an_order_is_tried_and_nothing_is_written(client: TestClient, seeded: Seeded) -> None:
    def written() -> tuple[int, int]:
        with seeded.store.db.read() as session:
            return tuple(session.exec(select(func.count()).select_from(t)).one() for t in (LedgerRow, EvidenceRow))  # type: ignore[return-value]

    client.get("/api/v1/risk")
    before = written()
    found = client.post("/api/v1/risk/what-if", json={"symbol": "KO", "side": "buy", "quantity": 1000}).json()
    changes = {item["measure"]: item for item in found["changes"]}
    assert float(changes["gross"]["after"]) > float(changes["gross"]["before"])
    assert changes["open_risk"]["against"] == "max_total_open_risk"
    assert found["incremental_var"] is not None
    assert written() == before


@pytest.mark.parametrize(
    "order", [{"symbol": "KO", "side": "buy", "quantity": 0}, {"symbol": "ZZZZ", "side": "buy", "quantity": 1}]
)
def test_an_order_that_cannot_be_is_refused(client: TestClient, order: dict[str, Any]) -> None:
    assert client.post("/api/v1/risk/what-if", json=order).status_code == 422


def test_a_case_explained_before_there_were_what_ifs_has_none(client: TestClient, seeded: Seeded) -> None:
    assert client.get(f"/api/v1/cases/{seeded.case_id}").json()["what_if"] is None
    assert client.get(f"/api/v1/approvals/{seeded.approval_id}").json()["what_if"] is None


@pytest.mark.parametrize(("method", "path"), [("GET", "risk"), ("GET", "exposure"), ("POST", "risk/stress")])
def test_a_stranger_sees_no_risk(app_client: TestClient, method: str, path: str) -> None:
    assert app_client.request(method, f"/api/v1/{path}", json={}).status_code == 401


def test_every_control_is_listed_with_rule_limit_and_use(client: TestClient) -> None:
    found = client.get("/api/v1/controls").json()
    assert found["total"] == len(found["items"]) == len(CONTROLS)
    assert all(item.keys() >= {"control", "rule", "limit", "use"} and item["rule"] for item in found["items"])
    named = {item["control"]: item for item in found["items"]}
    assert (named["position_share"]["limit"], named["position_share"]["basis"]) == ("0.04", "book")
    assert named["position_share"]["use"] == "0.3319"
    assert named["restricted"]["use"] is None
