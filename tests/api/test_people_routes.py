"""People and keys over HTTP: an admin adds, disables and revokes; a key is shown once; the first admin by a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from pipeline import bootstrap
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from tests.people_help import PASSWORD, add, everything_written, key_of, make_passwords_cheap, records

from .conftest import BASE_URL, Seeded

PEOPLE = "/api/v1/people"
CASES = "/api/v1/cases"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def admin(seeded: Seeded) -> Iterator[TestClient]:
    """A client with an admin's key."""
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as client:
        client.headers["authorization"] = f"Bearer {key_of(add(seeded.store, 'root', 'admin'))}"
        yield client


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "paper", mode="paper"))
    yield opened
    opened.db.dispose()


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def reads(client: TestClient, key: str) -> int:
    return int(client.get(CASES, headers={"authorization": f"Bearer {key}"}).status_code)


def test_an_admin_adds_a_person_whose_key_is_shown_once(admin: TestClient, seeded: Seeded) -> None:
    wish = {"name": "ann", "role": "approver", "api_key": True, "order_limit": "50000", "day_limit": "200000.5"}
    answer = admin.post(PEOPLE, json=wish)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["state"], told["order_limit"], told["day_limit"]) == ("active", "50000.00", "200000.50")
    key = told.pop("api_key")
    assert key.startswith(f"qdk_{told['keys'][0]['id']}_")
    assert reads(admin, key) == 200
    listed = admin.get(PEOPLE).json()
    assert [person for person in listed["items"] if person["name"] == "ann"] == [told]
    assert key not in admin.get(PEOPLE).text + admin.get("/api/v1/ledger?limit=500").text
    assert key.split("_", 2)[2].encode() not in everything_written(seeded.store)
    ((body, envelope),) = (item for item in records(seeded.store, "person.added") if item[0]["name"] == "ann")
    assert (body["principal"], envelope["session"][:4]) == ("root", "key:")


@pytest.mark.parametrize(
    "changes",
    [{"name": "Ann"}, {"name": "setup"}, {"role": "king"}, {"role": None}, {"order_limit": "-1"},
     {"order_limit": "many"}, {"password": "short"}, {"scopes": ["admin"], "api_key": True}, {"scopes": ["read"]},
     {"scopes": ["fly"], "api_key": True}, {"password_hash": "x"}],
)  # fmt: skip
def test_a_person_that_will_not_do_is_422_and_nobody_is_added(admin: TestClient, changes: dict[str, Any]) -> None:
    answer = admin.post(PEOPLE, json={"name": "ann", "role": "approver", **changes})
    assert (answer.status_code, code(answer)) == (422, "invalid")
    assert admin.get(PEOPLE).json()["total"] == 1


def test_a_taken_name_is_409(admin: TestClient) -> None:
    answer = admin.post(PEOPLE, json={"name": "root", "role": "viewer"})
    assert (answer.status_code, code(answer)) == (409, "exists")


def test_disable_enable_and_revoke_take_effect_with_the_next_request(admin: TestClient) -> None:
    key = admin.post(PEOPLE, json={"name": "ann", "role": "viewer", "api_key": True}).json()["api_key"]
    assert admin.post(f"{PEOPLE}/ann/disable").json()["state"] == "disabled"
    assert reads(admin, key) == 401
    assert admin.post(f"{PEOPLE}/ann/enable").json()["state"] == "active"
    assert reads(admin, key) == 200
    second = admin.post(f"{PEOPLE}/ann/keys", json={"scopes": ["read"]}).json()
    assert admin.post(f"{PEOPLE}/keys/{key.split('_')[1]}/revoke").json()["revoked"] is not None
    assert (reads(admin, key), reads(admin, second["api_key"])) == (401, 200)


@pytest.mark.parametrize("path", ["nobody/disable", "nobody/enable", "nobody/keys", "keys/nope/revoke", "%00/disable"])
def test_what_is_not_there_is_404(admin: TestClient, path: str) -> None:
    answer = admin.post(f"{PEOPLE}/{path}", json={})
    assert (answer.status_code, code(answer)) == (404, "not_found")


def test_the_only_admin_stays(admin: TestClient) -> None:
    answer = admin.post("/".join((PEOPLE, "root", "disable")))
    assert (answer.status_code, code(answer)) == (409, "last_admin")
    assert admin.get(PEOPLE).status_code == 200


def test_an_admin_sets_a_password_for_somebody(admin: TestClient) -> None:
    admin.post(PEOPLE, json={"name": "ann", "role": "viewer"})
    assert admin.post(f"{PEOPLE}/ann/password", json={"password": PASSWORD}).json()["has_password"] is True
    answer = admin.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    assert answer.status_code == 201


def test_no_answer_of_the_api_holds_a_hash_or_a_secret(admin: TestClient, seeded: Seeded) -> None:
    ann = key_of(add(seeded.store, "ann", "approver"))
    paths = [path for path, verbs in admin.get("/openapi.json").json()["paths"].items() if "get" in verbs]
    said = "".join(admin.get(path).text for path in paths if "{" not in path)
    for secret in ("argon2", PASSWORD, ann, ann.split("_", 2)[2], seeded.store.home.token()):
        assert secret not in said


def test_the_first_admin_of_a_paper_desk_comes_in_by_the_token(paper: Store) -> None:
    token = bootstrap.issue(paper).get_secret_value()
    with TestClient(create_app(paper), base_url=BASE_URL) as client:
        wish = {"token": token, "name": "root", "password": PASSWORD}
        wrong = client.post(f"{PEOPLE}/bootstrap", json={**wish, "token": "qdb_guess"})
        assert (wrong.status_code, code(wrong)) == (401, "unauthorized")
        made = client.post(f"{PEOPLE}/bootstrap", json=wish)
        assert (made.status_code, made.json()["role"]) == (201, "admin")
        assert token not in made.text
        again = client.post(f"{PEOPLE}/bootstrap", json={**wish, "name": "second"})
        assert (again.status_code, code(again)) == (401, "unauthorized")
        assert client.post("/api/v1/session", json={"name": "root", "password": PASSWORD}).status_code == 201
        assert client.get(PEOPLE).json()["total"] == 1
        token_again = client.post(f"{PEOPLE}/bootstrap/token", json={})
        assert (token_again.status_code, code(token_again)) == (409, "exists")


def test_a_stranger_cannot_make_a_token(paper: Store) -> None:
    with TestClient(create_app(paper), base_url=BASE_URL) as client:
        assert client.post(f"{PEOPLE}/bootstrap/token", json={}).status_code == 401


def test_a_role_is_changed_with_a_reason_and_holds_at_once(admin: TestClient, seeded: Seeded) -> None:
    key = key_of(add(seeded.store, "ann", "viewer"))
    mine = {"authorization": f"Bearer {key}"}
    path = f"/api/v1/approvals/{seeded.approval_id}/decision"
    body = {"decision": "approve", "digest": seeded.digest, "reason": "fine"}
    assert code(admin.post(path, json=body, headers=mine)) == "role"
    told = admin.patch(f"{PEOPLE}/ann", json={"role": "approver", "reason": "trained"})
    assert (told.status_code, told.json()["role"]) == (200, "approver")
    assert told.json()["keys"][0]["scopes"] == ["decide", "halt", "operate", "read"]
    assert admin.post(path, json=body, headers=mine).status_code == 200
    ((content, envelope),) = records(seeded.store, "person.role")
    assert (content["from"], content["to"], content["principal"]) == ("viewer", "approver", "root")
    assert envelope["address"] == "testclient"


@pytest.mark.parametrize(
    ("name", "body", "status", "why"),
    [
        ("root", {"role": "viewer", "reason": "x"}, 403, "separation"),
        ("nobody", {"role": "viewer", "reason": "x"}, 404, "not_found"),
        ("ann", {"role": "viewer"}, 422, "invalid"), ("ann", {"role": "viewer", "reason": " "}, 422, "invalid"),
        ("ann", {"role": "king", "reason": "x"}, 422, "invalid"), ("ann", {}, 422, "invalid"),
        ("ann", {"role": "viewer", "reason": "x", "name": "bob"}, 422, "invalid"),
    ],
)  # fmt: skip
def test_a_role_that_may_not_be_changed_gives_its_code(
    admin: TestClient, seeded: Seeded, name: str, body: dict[str, Any], status: int, why: str
) -> None:
    add(seeded.store, "ann", "approver")
    answer = admin.patch(f"{PEOPLE}/{name}", json=body)
    assert (answer.status_code, code(answer)) == (status, why)
    assert {p["name"]: p["role"] for p in admin.get(PEOPLE).json()["items"]} == {"ann": "approver", "root": "admin"}


def test_the_last_admin_keeps_the_role_over_http(seeded: Seeded) -> None:
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as client:
        client.headers["authorization"] = f"Bearer {seeded.store.home.token()}"
        add(seeded.store, "root", "admin")
        answer = client.patch(f"{PEOPLE}/root", json={"role": "viewer", "reason": "x"})
        assert (answer.status_code, code(answer)) == (409, "last_admin")
