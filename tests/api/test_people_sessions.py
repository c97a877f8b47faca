"""Logging in over HTTP: cookies, the lock, lockout, logout, and whose browser it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlmodel import select

from api.app import create_app
from api.auth import COOKIE, session_value
from memory.tables import ActivationRow, DecisionRow, LoginSessionRow
from pipeline import people, throttle
from pipeline.policy import default_policy_text
from pipeline.store import Store, now
from tests.people_help import PASSWORD, ROOT, add, everything_written, key_of, make_passwords_cheap, records

from .conftest import BASE_URL, Seeded

CASES = "/api/v1/cases"
SESSION = "/api/v1/session"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def browser(seeded: Seeded) -> Iterator[TestClient]:
    """A browser without a cookie, and people of each role in the store."""
    for name, role in (("ann", "approver"), ("bob", "viewer"), ("root", "admin")):
        add(seeded.store, name, role)
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as client:
        yield client


def login(browser: TestClient, name: str = "ann", password: str = PASSWORD) -> Any:
    return browser.post(SESSION, json={"name": name, "password": password})


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def use_profile(store: Store, profile: str) -> None:
    """Put a policy with this profile in force."""
    body = default_policy_text().replace("profile: single_operator", f"profile: {profile}")
    assert f"profile: {profile}" in body
    row = ActivationRow(kind="policy", version="t", sha256=profile, body=body, principal="setup", activated_wall=now())
    with store.db.write() as session:
        session.add(row)


def age(store: Store, **columns: timedelta) -> None:
    with store.db.write() as session:
        for row in session.exec(select(LoginSessionRow)).all():
            for name, by in columns.items():
                setattr(row, name, getattr(row, name) - by)


def test_a_login_gives_a_strict_cookie_and_says_who_one_is(browser: TestClient) -> None:
    answer = login(browser)
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=qds_")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie
    told = answer.json()
    assert (told["name"], told["role"], told["kind"]) == ("ann", "approver", "person")
    assert browser.get(SESSION).json() == told
    assert browser.get(CASES).status_code == 200


def test_the_answer_and_the_record_hold_neither_password_nor_token(
    browser: TestClient, seeded: Seeded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = login(browser)
    token = browser.cookies[COOKIE]
    login(browser, "ann", "hunter2hunter2")
    browser.headers["authorization"] = f"Bearer {seeded.store.home.token()}"
    said = answer.text + browser.get("/api/v1/ledger?limit=500").text + browser.get("/api/v1/people").text + caplog.text
    written = everything_written(seeded.store)
    for secret in (PASSWORD, token, token.removeprefix("qds_"), "hunter2hunter2"):
        assert secret not in said
        assert secret.encode() not in written
    assert "argon2" not in said


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(browser: TestClient) -> None:
    wrong, unknown = login(browser, "ann", "wrong wrong wrong"), login(browser, "eve", "wrong wrong wrong")
    assert (wrong.status_code, code(wrong)) == (401, "unauthorized")
    assert wrong.text == unknown.text
    assert "set-cookie" not in wrong.headers


def test_too_many_failures_are_429_with_a_time_to_wait(browser: TestClient) -> None:
    for _ in range(throttle.TRIES):
        assert login(browser, password="wrong wrong wrong").status_code == 401
    answer = login(browser)
    assert (answer.status_code, code(answer)) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 300
    findings = browser.get(
        "/api/v1/findings", headers={"authorization": f"Bearer {browser.app.state.store.home.token()}"}  # type: ignore[attr-defined]
    ).json()["items"]  # fmt: skip
    assert [item["code"] for item in findings].count("login_failures") == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "ann"}, {"name": "ann", "password": None}, {"name": "ann", "password": PASSWORD, "role": "admin"},
     {"name": ["ann"], "password": PASSWORD}, {"name": "a" * 65, "password": PASSWORD},
     {"name": "ann", "password": "x" * 257}],
)  # fmt: skip
def test_a_login_that_is_not_one_is_422_and_echoes_nothing(browser: TestClient, body: dict[str, Any]) -> None:
    answer = browser.post(SESSION, json=body)
    assert (answer.status_code, code(answer)) == (422, "invalid")
    assert PASSWORD not in answer.text


def test_a_login_from_another_site_is_refused(browser: TestClient) -> None:
    body = {"name": "ann", "password": PASSWORD}
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = browser.post(SESSION, json=body, headers=headers)
        assert (answer.status_code, code(answer)) == (403, "cross_site")


def test_logging_out_ends_the_session_and_takes_the_cookie_back(browser: TestClient, seeded: Seeded) -> None:
    login(browser)
    token = browser.cookies[COOKIE]
    answer = browser.delete(SESSION)
    assert answer.status_code == 204
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert COOKIE not in browser.cookies
    kept = browser.get(CASES, headers={"cookie": f"{COOKIE}={token}"})
    assert (kept.status_code, code(kept)) == (401, "unauthorized")
    assert browser.delete(SESSION).status_code == 204
    assert len(records(seeded.store, "logout")) == 1


def test_an_idle_session_locks_and_reading_does_not_keep_it_open(browser: TestClient, seeded: Seeded) -> None:
    login(browser)
    age(seeded.store, seen_wall=timedelta(minutes=10))
    assert browser.get(CASES).status_code == 200
    assert browser.post(f"{SESSION}/active").status_code == 200
    age(seeded.store, seen_wall=timedelta(minutes=10))
    assert browser.get(CASES).status_code == 200
    age(seeded.store, seen_wall=timedelta(minutes=5))
    for _ in range(2):
        answer = browser.get(CASES)
        assert (answer.status_code, code(answer)) == (401, "session_locked")
    assert login(browser).status_code == 201
    assert browser.get(CASES).status_code == 200


def test_a_disabled_person_loses_the_open_browser_at_once(browser: TestClient, seeded: Seeded) -> None:
    login(browser)
    people.disable(seeded.store, "ann", by=ROOT)
    assert browser.get(CASES).status_code == 401
    people.enable(seeded.store, "ann", by=ROOT)
    assert browser.get(CASES).status_code == 401


def test_the_start_page_never_turns_a_person_into_the_local_operator(browser: TestClient, seeded: Seeded) -> None:
    login(browser, "bob")
    token = browser.cookies[COOKIE]
    assert "set-cookie" not in browser.get("/").headers
    assert browser.get(SESSION).json()["name"] == "bob"
    people.disable(seeded.store, "bob", by=ROOT)
    assert "set-cookie" not in browser.get("/").headers
    assert browser.cookies[COOKIE] == token
    assert browser.get(CASES).status_code == 401
    browser.delete(SESSION)
    browser.get("/")
    assert browser.get(SESSION).json()["kind"] == "local_operator"


def test_logging_in_over_the_local_operator_makes_the_browser_a_persons(browser: TestClient) -> None:
    browser.get("/")
    assert browser.get(SESSION).json()["kind"] == "local_operator"
    login(browser, "bob")
    assert browser.get(SESSION).json()["name"] == "bob"
    assert browser.post("/api/v1/desk/next").status_code == 403


def test_the_session_stands_beside_the_decision(browser: TestClient, seeded: Seeded) -> None:
    session_id = login(browser).json()["session_id"]
    body = {"decision": "reject", "digest": seeded.digest, "reason": "too rich"}
    assert browser.post(f"/api/v1/approvals/{seeded.approval_id}/decision", json=body).status_code == 200
    with seeded.store.db.read() as session:
        assert session.exec(select(DecisionRow.principal)).all() == ["ann"]
    ((_, envelope),) = records(seeded.store, "case.rejected")
    assert envelope["session"] == session_id


def test_a_new_password_ends_every_browser(browser: TestClient) -> None:
    login(browser)
    wrong = browser.post(f"{SESSION}/password", json={"current": "wrong wrong wrong", "new": "another long secret"})
    assert (wrong.status_code, code(wrong)) == (401, "unauthorized")
    assert browser.get(CASES).status_code == 200
    changed = browser.post(f"{SESSION}/password", json={"current": PASSWORD, "new": "another long secret"})
    assert changed.status_code == 200
    assert browser.get(CASES).status_code == 401
    assert login(browser).status_code == 401
    assert login(browser, password="another long secret").status_code == 201


def test_the_local_operator_has_no_password_to_change(browser: TestClient) -> None:
    browser.get("/")
    answer = browser.post(f"{SESSION}/password", json={"current": PASSWORD, "new": "another long secret"})
    assert (answer.status_code, code(answer)) == (422, "invalid")


def test_under_the_profile_desk_the_local_operator_is_gone_once_there_is_an_admin(seeded: Seeded) -> None:
    token = seeded.store.home.token()
    cookie = {"cookie": f"{COOKIE}={session_value(token)}"}
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as client:
        use_profile(seeded.store, "desk")
        assert client.get(CASES, headers={"authorization": f"Bearer {token}"}).status_code == 200
        add(seeded.store, "ann", "approver")
        assert client.get(CASES, headers=cookie).status_code == 200
        root = key_of(add(seeded.store, "root", "admin"))
        for headers in (cookie, {"authorization": f"Bearer {token}"}):
            answer = client.get(CASES, headers=headers)
            assert (answer.status_code, code(answer)) == (401, "unauthorized")
            assert "local operator" in answer.json()["error"]["message"]
        assert "set-cookie" not in client.get("/").headers
        assert client.get("/start", params={"token": token}).status_code == 401
        assert client.get(CASES, headers={"authorization": f"Bearer {root}"}).status_code == 200
        use_profile(seeded.store, "single_operator")
        assert client.get(CASES, headers=cookie).status_code == 200


def test_a_policy_that_cannot_be_read_counts_as_the_strict_profile(seeded: Seeded) -> None:
    add(seeded.store, "root", "admin")
    row = ActivationRow(
        kind="policy", version="t", sha256="x", body="profile: [", principal="setup", activated_wall=now()
    )
    with seeded.store.db.write() as session:
        session.add(row)
    with TestClient(create_app(seeded.store), base_url=BASE_URL) as client:
        headers = {"authorization": f"Bearer {seeded.store.home.token()}"}
        assert client.get(CASES, headers=headers).status_code == 401


def test_another_machine_is_never_the_local_operator(seeded: Seeded) -> None:
    headers = {"authorization": f"Bearer {seeded.store.home.token()}"}
    for address, status in (("127.0.0.1", 200), ("::1", 200), ("10.0.0.9", 401), ("::ffff:10.0.0.9", 401)):
        with TestClient(create_app(seeded.store), base_url=BASE_URL, client=(address, 50000)) as client:
            assert client.get(CASES, headers=headers).status_code == status
            assert ("set-cookie" in client.get("/").headers) == (status == 200)


def test_a_login_records_where_it_came_from(seeded: Seeded) -> None:
    add(seeded.store, "ann", "approver", password=SecretStr(PASSWORD))
    with TestClient(create_app(seeded.store), base_url=BASE_URL, client=("10.0.0.9", 50000)) as client:
        login(client)
        login(client, "ann", "wrong wrong wrong")
    assert [records(seeded.store, kind)[0][1]["address"] for kind in ("login.succeeded", "login.failed")] == [
        "10.0.0.9", "10.0.0.9",
    ]  # fmt: skip


def test_a_crowd_at_the_login_is_sent_away(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.session.LOGINS_WAITING", 0)
    answer = login(browser)
    assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (429, "too_many_attempts", "5")
