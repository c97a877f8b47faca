"""The reconciliation report and the decisions of people about breaks, over HTTP and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from memory.tables import RunRow
from pipeline import breaks
from tools.execution.reconciliation.types import Break

from .conftest import AS_OF, BASE_URL, RUN, Seeded


@pytest.fixture
def break_id(seeded: Seeded) -> str:
    """A fee that the broker took and our book lacks."""
    found = Break(
        kind="cash", subject="cash", symbol=None, ours="1000000", theirs="999997.5",
        message="cash is 1000000 here and 999997.5 at the broker", remedy="Find the fee.",
    )  # fmt: skip
    with seeded.store.db.write() as session:
        return breaks.note(session, session.get_one(RunRow, RUN), found, AS_OF).id


@pytest.fixture
def client(seeded: Seeded) -> Iterator[TestClient]:
    headers = {"authorization": f"Bearer {seeded.store.home.token()}"}
    with TestClient(create_app(seeded.store), base_url=BASE_URL, headers=headers) as opened:
        yield opened


def say(client: TestClient, break_id: str, **body: Any) -> Any:
    return client.post(f"/api/v1/breaks/{break_id}", json={"decision": "explain", "reason": "a fee", **body})


def test_the_report_names_each_break_with_both_sides_and_what_to_do(client: TestClient, break_id: str) -> None:
    found = client.get("/api/v1/reconciliation").json()
    assert (found["report"], found["open"]) == (None, 1)
    (item,) = found["breaks"]
    assert (item["id"], item["kind"], item["ours"], item["theirs"]) == (break_id, "cash", "1000000", "999997.5")
    assert item["remedy"] == "Find the fee."


def test_a_decided_break_names_who_and_why_and_is_not_decided_again(client: TestClient, break_id: str) -> None:
    said = say(client, break_id)
    assert said.status_code == 200, said.text
    assert (said.json()["status"], said.json()["reason"]) == ("explained", "a fee")
    assert say(client, break_id).status_code == 409
    assert client.get("/api/v1/reconciliation").json()["open"] == 0


def test_adopted_cash_is_in_the_book(client: TestClient, seeded: Seeded, break_id: str) -> None:
    with seeded.store.db.write() as session:
        session.get_one(RunRow, RUN).cash = Decimal(1_000_000)
    assert say(client, break_id, decision="adopt").status_code == 200
    with seeded.store.db.read() as session:
        assert str(session.get_one(RunRow, RUN).cash) == "999997.5"


@pytest.mark.parametrize("body", [{"decision": "forget"}, {"reason": " "}, {"more": 1}])
def test_a_malformed_decision_is_refused_and_changes_nothing(
    client: TestClient, break_id: str, body: dict[str, Any]
) -> None:
    assert say(client, break_id, **body).status_code == 422
    assert client.get("/api/v1/reconciliation").json()["open"] == 1


def test_a_break_that_is_not_there_is_404(client: TestClient) -> None:
    assert say(client, "break_none").status_code == 404


def test_a_comparison_can_be_asked_for(client: TestClient) -> None:
    said = client.post("/api/v1/reconciliation")
    assert (said.status_code, said.json()["status"]) == (202, "pending")
