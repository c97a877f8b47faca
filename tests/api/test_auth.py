from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from api.app import create_app
from api.auth import COOKIE, MAX_BODY_BYTES, session_value
from pipeline.settings import load_settings
from pipeline.store import open_store

from .conftest import BASE_URL, Seeded

DESK = "/api/v1/cases"
HALTS = "/api/v1/halts"
HALT = {"action": "no_new", "reason": "test"}
EVENTS = "ws://127.0.0.1:8000/api/v1/events"


def code(response) -> str:  # type: ignore[no-untyped-def]
    return str(response.json()["error"]["code"])


def test_a_request_without_token_is_refused(app_client: TestClient) -> None:
    answer = app_client.get(DESK)
    assert (answer.status_code, code(answer)) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer ", "Basic abc", "Bearer \xe9"])
def test_a_wrong_authorization_header_is_refused(app_client: TestClient, value: str) -> None:
    assert app_client.get(DESK, headers={b"authorization": value.encode("latin-1")}).status_code == 401


def test_a_wrong_header_is_not_rescued_by_a_good_cookie(app_client: TestClient) -> None:
    app_client.get("/")
    assert app_client.get(DESK).status_code == 200
    assert app_client.get(DESK, headers={"authorization": "Bearer wrong"}).status_code == 401


def test_health_answers_without_token(app_client: TestClient) -> None:
    assert app_client.get("/api/v1/health").status_code == 200


def test_the_start_page_hands_the_browser_a_session_in_replay(app_client: TestClient, seeded: Seeded) -> None:
    set_cookie = app_client.get("/").headers["set-cookie"]
    assert "HttpOnly" in set_cookie
    assert "samesite=strict" in set_cookie.lower()
    assert seeded.store.home.token() not in set_cookie
    assert app_client.cookies[COOKIE] == session_value(seeded.store.home.token())
    assert app_client.get(DESK).status_code == 200


def test_paper_mode_knows_no_local_operator(tmp_path: Path) -> None:
    store = open_store(load_settings(home=tmp_path / "paper", mode="paper"))
    with TestClient(create_app(store), base_url=BASE_URL) as client:
        assert "set-cookie" not in client.get("/").headers
        token = store.home.token()
        for headers in ({}, {"authorization": f"Bearer {token}"}, {"cookie": f"{COOKIE}={session_value(token)}"}):
            assert client.get(DESK, headers=headers).status_code == 401
        for given in ("wrong", token):
            entered = client.get("/start", params={"token": given}, follow_redirects=False)
            assert (entered.status_code, code(entered)) == (401, "unauthorized")
            assert "set-cookie" not in entered.headers
    store.db.dispose()


def test_the_link_of_the_token_command_signs_a_browser_in_in_replay(app_client: TestClient, seeded: Seeded) -> None:
    assert app_client.get("/start", params={"token": "wrong"}).status_code == 401
    entered = app_client.get("/start", params={"token": seeded.store.home.token()}, follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert app_client.get(DESK).status_code == 200


def test_a_cookie_made_by_a_stranger_is_refused(app_client: TestClient, seeded: Seeded) -> None:
    for value in ("x", seeded.store.home.token(), session_value("other")):
        assert app_client.get(DESK, headers={"cookie": f"{COOKIE}={value}"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:9", "0.0.0.0:8000", ""])
def test_a_rebound_host_name_is_refused_even_with_the_token(client: TestClient, host: str) -> None:
    for path in (DESK, "/", "/docs", "/api/v1/health"):
        answer = client.get(path, headers={"host": host})
        assert (answer.status_code, code(answer)) == (403, "bad_host")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"])
def test_loopback_names_with_our_port_are_served(client: TestClient, host: str) -> None:
    assert client.get(DESK, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:3000", "http://localhost:8000", "null", "https://127.0.0.1:8000"],
)
def test_a_write_from_another_origin_changes_nothing(client: TestClient, origin: str) -> None:
    answer = client.post(HALTS, json=HALT, headers={"origin": origin})
    assert (answer.status_code, code(answer)) == (403, "cross_site")
    assert client.get("/api/v1/halts").json()["total"] == 0


def test_a_write_from_our_own_page_is_served(client: TestClient) -> None:
    headers = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
    assert client.post(HALTS, json=HALT, headers=headers).status_code == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_says_cross_site_gets_neither_read_nor_write(client: TestClient, site: str) -> None:
    for answer in (
        client.get(DESK, headers={"sec-fetch-site": site}),
        client.post(HALTS, json=HALT, headers={"sec-fetch-site": site}),
    ):
        assert (answer.status_code, code(answer)) == (403, "cross_site")


def test_a_link_from_another_page_may_open_the_console(app_client: TestClient) -> None:
    assert app_client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_a_form_post_with_a_simple_content_type_is_not_read_as_json(client: TestClient) -> None:
    answer = client.post(HALTS, content=b'{"action":"no_new","reason":"x"}', headers={"content-type": "text/plain"})
    assert answer.status_code == 422
    assert client.get("/api/v1/halts").json()["total"] == 0


def test_a_huge_body_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = client.post(HALTS, content=b"x" * (MAX_BODY_BYTES + 1), headers={"content-type": "application/json"})
    assert (answer.status_code, code(answer)) == (413, "too_large")


def test_preflight_gets_no_cors_headers(client: TestClient) -> None:
    answer = client.options(HALTS, headers={"origin": "http://evil.example", "access-control-request-method": "POST"})
    assert answer.status_code in {401, 403, 405}
    assert not [name for name in answer.headers if name.startswith("access-control")]


def refused(client: TestClient, **headers: str) -> tuple[int, str]:
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect(EVENTS, headers=headers):
        pass
    return caught.value.status_code, code(caught.value)


def test_the_websocket_needs_the_token(app_client: TestClient) -> None:
    assert refused(app_client) == (401, "unauthorized")


def test_the_websocket_checks_origin_and_host(client: TestClient) -> None:
    assert refused(client, origin="http://evil.example") == (403, "cross_site")
    assert refused(client, origin="http://localhost:3000") == (403, "cross_site")
    assert refused(client, host="evil.example:8000") == (403, "bad_host")


def test_the_websocket_opens_for_our_own_page(client: TestClient) -> None:
    with client.websocket_connect(EVENTS + "?after=0", headers={"origin": BASE_URL}) as ws:
        assert ws.receive_json()["seq"] == 1


def test_the_token_file_is_for_its_owner_only(seeded: Seeded) -> None:
    seeded.store.home.token()
    assert (seeded.store.home.path / "token").stat().st_mode & 0o777 == 0o600
