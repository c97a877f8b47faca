"""Worked orders over HTTP: what is planned, sent and held back, what it cost, and who may stop it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.queries import parents as queries
from memory.tables import CaseRow, FillRow, ParentRow, RunRow
from pipeline import tickets
from pipeline.store import Store
from tests.people_help import add, key_of, make_passwords_cheap
from tests.pipeline.test_slices import DAYS
from tools.data.types import CorporateAction
from tools.errors import ConfigError
from tools.types import Working

from .conftest import RUN, Seeded
from .worked import CASE, PARENT, Bars, case_state, seed_worked

ONE = f"/api/v1/parents/{PARENT}"
STOP = {"reason": "enough"}


@pytest.fixture(autouse=True)
def worked(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)
    monkeypatch.setattr(queries, "market_of", lambda _store, _run: Bars())
    seed_worked(seeded.store)


def test_the_list_says_how_far_each_slice_has_come(client: TestClient) -> None:
    found = client.get("/api/v1/parents?status=open&symbol=IBM").json()
    item = found["items"][0]
    assert (found["total"], item["id"], item["status"], item["algorithm"]) == (1, PARENT, "open", "twap")
    assert (item["quantity"], item["sent"], item["filled"], item["remaining"]) == (100, 34, 34, 66)
    assert [(s["planned"], s["state"], s["reason"]) for s in item["slices"]] == [
        (34, "filled", None), (33, "held_back", "a halt is in force"), (33, "planned", None),
    ]  # fmt: skip
    assert client.get("/api/v1/parents?status=done").json()["items"] == []


def test_one_of_them_says_what_it_cost(client: TestClient) -> None:
    found = client.get(ONE).json()
    assert client.get(f"/api/v1/parents/{CASE}").json() == found
    cost = found["cost"]
    assert (cost["arrival_price"], cost["average_price"], cost["arrival_bps"]) == ("120.00", "120.60", "50.00")
    assert (cost["interval_vwap"], cost["vwap_bps"]) == ("121.00", "-33.06")
    assert (cost["price_cost"], cost["fees"], cost["opportunity_cost"]) == ("20.40", "1.00", "0.00")
    assert Decimal(cost["shortfall_bps"]) == (Decimal("21.40") / 12_000 * 10_000).quantize(Decimal("0.01"))
    assert "daily bars" in cost["interval"]


def test_the_cost_counts_executions_as_they_stand_after_a_correction_and_a_bust(
    client: TestClient, seeded: Seeded
) -> None:
    def restate(quantity: int, price: str) -> dict[str, Any] | None:
        with seeded.store.db.write() as session:
            row = session.exec(select(FillRow).where(FillRow.execution_id == "ex_9")).one()
            row.quantity, row.price = quantity, Decimal(price)
        found: dict[str, Any] | None = client.get(ONE).json()["cost"]
        return found

    corrected = restate(34, "119.40")
    assert corrected is not None
    assert (corrected["average_price"], corrected["price_cost"]) == ("119.40", "-20.40")
    assert restate(0, "0") is None


def test_across_a_split_the_cost_is_not_told(
    client: TestClient, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = CorporateAction(
        symbol="IBM", kind="split", ex_date=DAYS[1].date(), ratio=Decimal(2), known_at=DAYS[0], note="two for one"
    )
    monkeypatch.setattr(Bars, "corporate_actions", lambda _self, day, _at: (split,) if day == split.ex_date else ())
    assert client.get(ONE).json()["cost"] is not None
    with seeded.store.db.write() as session:
        run = session.get_one(RunRow, RUN)
        run.session_index, run.stage = run.session_index + 1, "closed"
    found = client.get(ONE).json()
    assert (found["cost"], "a split of IBM" in found["cost_unknown"]) == (None, True)


def test_where_the_market_is_not_known_the_plan_is_and_the_cost_says_why(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_market(_store: Any, _run: Any) -> None:
        raise ConfigError("the feed needs a key", code="missing_key")

    monkeypatch.setattr(queries, "market_of", no_market)
    found = client.get(ONE).json()
    assert (found["filled"], found["cost"], found["cost_unknown"]) == (34, None, "the feed needs a key")


def test_what_is_not_worked_is_not_found_and_a_stop_needs_a_sound_reason(client: TestClient) -> None:
    for answer in (client.get("/api/v1/parents/case_0"), client.post("/api/v1/parents/case_0/stop", json=STOP)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown")
    for body in ({}, {"reason": " "}, {"reason": "x", "more": 1}):
        assert client.post(f"{ONE}/stop", json=body).status_code == 422
    assert client.get(ONE).json()["status"] == "open"


def test_a_stop_ends_the_plan_and_a_second_one_changes_nothing(client: TestClient, seeded: Seeded) -> None:
    first, second = (client.post(f"{ONE}/stop", json={"reason": text}).json() for text in ("enough", "again"))
    assert (first["status"], first["reason"]) == ("stopped", "local operator: enough")
    assert second["reason"] == first["reason"]
    assert [s["state"] for s in first["slices"]] == ["filled", "held_back", "left_out"]
    assert case_state(seeded.store) == "done"


def test_an_operator_stops_an_entry_and_an_approver_an_exit(app_client: TestClient, seeded: Seeded) -> None:
    keys = {
        "vic": key_of(add(seeded.store, "vic", "viewer")), "ops": key_of(add(seeded.store, "ops", "operator")),
        "app": key_of(add(seeded.store, "app", "approver")),
        "key": key_of(add(seeded.store, "key", "approver", scopes=["halt"])),
    }  # fmt: skip

    def stops(effect: str) -> set[str]:
        able = set()
        for name, key in keys.items():
            with seeded.store.db.write() as session:
                session.get_one(CaseRow, CASE).risk_effect = effect
                session.get_one(ParentRow, PARENT).status = "open"
            answer = app_client.post(f"{ONE}/stop", json=STOP, headers={"authorization": f"Bearer {key}"})
            if answer.status_code != 403:
                able.add(name)
                break_up(seeded.store)
        return able

    assert stops("increases") == {"ops", "app", "key"}
    assert stops("reduces") == {"app"}


def break_up(store: Store) -> None:
    """Forget the stop, so that the next one is the first again."""
    with store.db.write() as session:
        session.connection().exec_driver_sql("DELETE FROM ledger WHERE kind IN ('parent.stopped', 'case.done')")
        session.get_one(CaseRow, CASE).state = "submitted"


def test_a_ticket_says_how_it_is_to_be_worked(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    wishes: list[Any] = []

    def propose(_store: Any, wish: Any, **_: Any) -> Any:
        wishes.append(wish)
        raise ConfigError("far enough", code="stop")

    monkeypatch.setattr(tickets, "propose", propose)
    body = {"symbol": "IBM", "side": "buy", "quantity": 100, "reason": "a hedge"}
    how = {"algorithm": "vwap", "sessions": 4}
    client.post("/api/v1/tickets", json={**body, "working": how})
    client.post("/api/v1/tickets", json=body)
    assert [wish.working for wish in wishes] == [Working(algorithm="vwap", sessions=4), None]
    refused = client.post("/api/v1/tickets", json={**body, "working": {**how, "sessions": 1}})
    assert (refused.status_code, len(wishes)) == (422, 2)
