"""Editing over HTTP, on cases that the desk really drafted, checked and explained."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from pipeline.activation import activate
from pipeline.headless import run_sessions
from pipeline.store import Store
from tests.people_help import ROOT, add, key_of, make_passwords_cheap, records
from tests.pipeline import life

from .conftest import BASE_URL

API = "/api/v1"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with real cases that wait."""
    home = tmp_path_factory.mktemp("played") / "home"
    store = life.new_store(home)
    asyncio.run(run_sessions(store, sessions=1, symbols=("AMD", "EL", "TXT", "FCX", "PNC"), stand_in="none"))
    store.db.dispose()
    return home


@pytest.fixture
def waiting(played: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(played, tmp_path / "home")
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


@pytest.fixture
def client(waiting: Store) -> Iterator[TestClient]:
    headers = {"authorization": f"Bearer {waiting.home.token()}"}
    with TestClient(create_app(waiting), base_url=BASE_URL, headers=headers) as opened:
        yield opened


def threshold(store: Store, old: str, new: str) -> None:
    """Change one line of the policy file and put it in force."""
    path = store.home.config / "policy.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    activate(store, "policy", principal=ROOT, reason="a test")


def asked(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/approvals").json()["items"][0]
    return found


def edit(client: TestClient, item: dict[str, Any], quantity: int, **headers: str) -> Any:
    body = {
        "decision": "edit", "digest": item["digest"], "reason": "half of it", "reason_code": "smaller_size",
        "edit": {"quantity": quantity},
    }  # fmt: skip
    return client.post(f"{API}/approvals/{item['id']}/decision", json=body, headers=headers)


def test_a_small_edit_is_released_at_once_under_its_new_digest(client: TestClient, waiting: Store) -> None:
    item = asked(client)
    quantity = item["case"]["proposal"]["quantity"] // 10
    told = edit(client, item, quantity)
    assert told.status_code == 200
    answer = told.json()
    assert (answer["status"], answer["not_before"]) == ("approved", None)
    assert answer["digest"] != item["digest"]
    after = client.get(f"{API}/approvals/{item['id']}").json()
    assert (after["digest"], after["edited_by"]) == (answer["digest"], "local operator")
    assert after["case"]["proposal"]["quantity"] == quantity
    assert [(s["principal"], s["decision"]) for s in after["signed"]] == [("local operator", "approve")]
    ((content, _),) = records(waiting, "case.edited")
    assert (content["from"], content["to"], content["quantity"]) == (item["digest"], answer["digest"], quantity)


def test_a_large_edit_by_a_single_operator_cools_off_first(client: TestClient, waiting: Store) -> None:
    threshold(waiting, 'second_signature_share: "0.015"', 'second_signature_share: "0.0001"')
    item = asked(client)
    assert Decimal(str(item["facts"]["notional_share"])) > Decimal("0.001")
    answer = edit(client, item, item["case"]["proposal"]["quantity"] - 1).json()
    assert answer["status"] == "approved"
    waits = datetime.fromisoformat(answer["not_before"]) - datetime.fromisoformat(answer["decided_at"])
    assert timedelta(seconds=299) < waits < timedelta(seconds=301)
    assert client.get(f"{API}/approvals/{item['id']}").json()["not_before"] == answer["not_before"]


def test_a_large_edit_on_a_desk_waits_for_somebody_else(client: TestClient, waiting: Store) -> None:
    threshold(waiting, "profile: single_operator", "profile: desk")
    threshold(waiting, 'second_signature_share: "0.015"', 'second_signature_share: "0.0001"')
    ann, bob = (
        {"authorization": f"Bearer {key_of(add(waiting, name, 'approver'))}"} for name in ("ann", "bob")
    )  # fmt: skip
    item = asked(client)
    answer = edit(client, item, item["case"]["proposal"]["quantity"] - 1, **ann).json()
    assert (answer["status"], answer["given"]) == ("pending", 0)
    now = client.get(f"{API}/approvals/{item['id']}", headers=ann).json()
    assert (now["may_sign"], now["separate"]) == (False, ["editor"])
    sign = {"decision": "approve", "digest": now["digest"], "reason": "smaller is fine"}
    path = f"{API}/approvals/{item['id']}/decision"
    assert client.post(path, json=sign, headers=ann).json()["error"]["code"] == "separation"
    assert client.post(path, json={**sign, "digest": item["digest"]}, headers=bob).status_code == 409
    assert client.post(path, json=sign, headers=bob).json()["status"] == "approved"


def test_an_edit_over_the_limits_of_the_desk_changes_nothing(client: TestClient) -> None:
    item = asked(client)
    told = edit(client, item, item["case"]["proposal"]["quantity"] + 1)
    assert (told.status_code, told.json()["error"]["code"]) == (422, "invalid")
    assert client.get(f"{API}/approvals/{item['id']}").json()["digest"] == item["digest"]
