"""Memory over HTTP: exact search for people, runbooks, and what the API must not do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from memory.recall import Recall
from memory.remembered import Item
from memory.tables import CommandRow, HealthRow, RunRow
from pipeline.long_term import open_recall
from pipeline.store import Store
from tests.people_help import add, key_of, make_passwords_cheap

from .conftest import RUN, Seeded
from .test_findings import raised

MEMORY = "/api/v1/memory"
WORDS = "trend order.entry buy {0}, Energy. {0} closed above its fifty-session average"


@pytest.fixture
def remembered(seeded: Seeded) -> Iterator[Recall]:
    """Three cases, two of them later, a quarantined lesson and an explanation."""
    recall = open_recall(seeded.store)
    given: dict[str, Any] = {"run_id": RUN, "strategy": "trend"}
    recall.remember(
        Item("case_0", kind="case", subject="case_0", text=WORDS.format("XOM"), known_index=20, symbol="XOM",
             outcome="filled", regime="calm_rising", **given),
        Item("case_1", kind="case", subject="case_1", text=WORDS.format("CVX"), known_index=50, symbol="CVX",
             outcome="refused", regime="turbulent_falling", taint=True, **given),
        Item("case_2", kind="case", subject="case_2", text=WORDS.format("BP"), known_index=99, symbol="BP", **given),
        Item("les_1", kind="lesson", subject="les_1", text="trend in energy does worse than the index", known_index=30,
             **given),
        Item("mem_e", kind="explanation", subject="case_0", text="Energy names were bought on momentum.",
             known_index=21, symbol="XOM", **given),
    )  # fmt: skip
    with seeded.store.db.write() as session:
        run = session.get_one(RunRow, RUN)
        run.session_index = 60
        session.add(run)
        for index, day in ((20, date(2009, 10, 1)), (60, date(2009, 11, 13))):
            session.add(
                HealthRow(run_id=RUN, session_index=index, component="book", name="drawdown", session=day, value=0.0)
            )
    yield recall
    recall.close()


def found(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(MEMORY, params={"q": "energy above its average", **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def about(items: list[dict[str, Any]]) -> set[str]:
    return {item["id"] for item in items}


def test_people_find_every_kind_with_its_factors_and_nothing_of_the_future(
    client: TestClient, remembered: Recall
) -> None:
    items = found(client, limit=50)
    assert {"case_0", "case_1", "les_1", "mem_e"} <= about(items)
    assert "case_2" not in about(items)
    (case,) = (item for item in items if item["id"] == "case_1")
    assert (case["outcome"], case["tainted"], case["age_sessions"], case["alike"]) == ("refused", True, 10, 1)
    product = case["similarity"] * case["weight_outcome"] * case["weight_recency"] * case["weight_regime"]
    assert case["score"] == pytest.approx(product, abs=2e-4)
    (lesson,) = (item for item in items if item["kind"] == "lesson")
    assert lesson["state"] == "quarantined"
    assert [item["score"] for item in items] == sorted((item["score"] for item in items), reverse=True)


def test_filters_narrow_a_search(client: TestClient, remembered: Recall) -> None:
    assert about(found(client, kind="case")) == {"case_0", "case_1"}
    assert about(found(client, symbol="xom")) == {"case_0", "mem_e"}
    assert about(found(client, regime="turbulent_falling")) == {"case_1"}
    assert about(found(client, strategy="reversion")) == set()
    assert about(found(client, kind="case", as_of="2009-10-05")) == {"case_0"}
    assert about(found(client, kind="case", as_of="2009-01-01")) == set()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"q": ""}, 422, "invalid"), ({"q": "   "}, 422, "invalid"), ({"q": "x", "kind": "gossip"}, 422, "invalid"),
        ({"q": "x", "run": "run_9"}, 404, "not_found"), ({"q": "x" * 1001}, 422, "invalid"),
        ({"q": "x", "as_of": "yesterday"}, 422, "invalid"), ({}, 422, "invalid"),
    ],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_refused(
    client: TestClient, query: dict[str, str], status: int, code: str
) -> None:
    answer = client.get(MEMORY, params=query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_status_counts_what_sql_holds(client: TestClient, remembered: Recall) -> None:
    status = client.get(f"{MEMORY}/status").json()
    counts = {(item["run"], item["kind"]): item["items"] for item in status["kinds"]}
    assert counts[RUN, "case"] == 3
    assert counts["desk", "runbook"] == len(client.get(f"{MEMORY}/runbooks").json())
    assert (status["index"], status["state"], status["other_encoder"]) == ("folder", "off", 0)


def test_a_finding_names_its_runbook_and_the_runbook_can_be_read(client: TestClient, seeded: Seeded) -> None:
    finding = raised(seeded.store)
    told = client.get(f"/api/v1/findings/{finding}").json()
    assert told["runbook"] == "book_near_limits"
    book = client.get(f"{MEMORY}/runbooks/{told['runbook']}").json()
    assert "1. " in book["text"]
    assert [one["id"] for one in client.get(f"{MEMORY}/runbooks", params={"code": "drawdown"}).json()] == [book["id"]]
    assert client.get(f"{MEMORY}/runbooks/none").status_code == 404


def test_a_viewer_may_search_and_only_an_operator_may_ask_for_a_rebuild(
    app_client: TestClient, store: Store, remembered: Recall, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_passwords_cheap(monkeypatch)
    add(store, "ada", "admin")
    keys = {}
    for name, role in (("vera", "viewer"), ("otto", "operator")):
        keys[role] = {"Authorization": f"Bearer {key_of(add(store, name, role))}"}
    assert app_client.get(MEMORY, params={"q": "energy"}, headers=keys["viewer"]).status_code == 200
    assert app_client.get(MEMORY, params={"q": "energy"}).status_code == 401
    assert app_client.post(f"{MEMORY}/rebuild", headers=keys["viewer"]).status_code == 403
    accepted = app_client.post(f"{MEMORY}/rebuild", headers=keys["operator"])
    assert (accepted.status_code, accepted.json()["status"]) == (202, "pending")
    with store.db.read() as session:
        assert session.get_one(CommandRow, accepted.json()["command"]).kind == "rebuild_memory"


def test_a_search_opens_no_index(client: TestClient, remembered: Recall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chromadb", None)
    assert about(found(client, kind="case")) == {"case_0", "case_1"}
