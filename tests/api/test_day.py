"""The day over HTTP and on the command line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from memory.tables import VenueFactsRow
from pipeline.activation import in_force
from pipeline.store import now
from tests.api.conftest import AS_OF, RUN, SESSION, Seeded
from tools.execution.types import VenueFacts

DAY = "/api/v1/day"


@pytest.fixture
def looked(seeded: Seeded) -> Seeded:
    """What the engine saw: a position without a stop at the broker."""
    facts = VenueFacts(
        broker="simulation", session=SESSION, session_index=60, next_session=date(2009, 11, 16), as_of=AS_OF,
        cash=Decimal(900_000), positions={"IBM": 100}, data_known_at=AS_OF,
    )  # fmt: skip
    with seeded.store.db.write() as session:
        session.add(VenueFactsRow(run_id=RUN, body=facts, seen_wall=now()))
    in_force(seeded.store)
    seeded.store.publish_head()
    return seeded


def post(client: TestClient, **body: Any) -> Any:
    return client.post(f"{DAY}/sign-off", json={"phase": "start", "note": "looked at it", **body})


def test_both_lists_are_shown_with_what_failed(client: TestClient, looked: Seeded) -> None:
    found = client.get(DAY).json()
    assert (found["start"]["session"], found["start"]["failed"], found["start"]["signed"]) == ("2009-11-16", [], None)
    assert found["end"]["failed"] == ["protected"]
    assert all(check["remedy"] for check in found["end"]["checks"] if check["state"] != "ok")


def test_signing_shows_and_repeats(client: TestClient, looked: Seeded) -> None:
    first = post(client)
    assert first.status_code == 200, first.text
    assert post(client).json()["repeated"] is True
    assert client.get(DAY).json()["start"]["signed"]["principal"] == "local operator"


def test_an_end_over_a_failed_check_needs_a_reason_code(client: TestClient, looked: Seeded) -> None:
    refused = post(client, phase="end")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid")
    assert post(client, phase="end", reason_code="known_break").status_code == 200


@pytest.mark.parametrize("body", [{"phase": "noon"}, {"note": ""}, {"reason_code": "boredom"}, {"more": 1}])
def test_what_is_not_a_sign_off_saves_nothing(client: TestClient, looked: Seeded, body: dict[str, Any]) -> None:
    assert post(client, **body).status_code == 422
    assert client.get(DAY).json()["start"]["signed"] is None


def test_without_a_login_the_day_is_not_shown(app_client: TestClient) -> None:
    assert app_client.get(DAY).status_code == 401
    assert app_client.post(f"{DAY}/sign-off", json={}).status_code == 401
