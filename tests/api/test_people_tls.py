"""The desk beyond loopback: TLS, host names, a proxy in front, and who is still the local operator there (nobody)."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from websockets.sync.client import connect

from api.app import create_app
from api.cli.desk import RemoteDesk
from api.cli.main import run_cli
from api.server import bind, server_options
from pipeline.home import DeskFile
from pipeline.settings import Settings, load_settings
from pipeline.store import Store, open_store
from tests.people_help import PASSWORD, add, key_of, make_passwords_cheap
from tests.tls_help import Pair, make_pair
from tools.errors import QuarterdeckError

CASES = "/api/v1/cases"
SESSION = "/api/v1/session"
NAME = "desk.example.com"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "tls")


@contextmanager
def opened(home: Path, **changes: Any) -> Iterator[Store]:
    store = open_store(load_settings(home=home, **changes))
    yield store
    store.db.dispose()


@contextmanager
def serving(store: Store, settings: Settings) -> Iterator[int]:
    """The API as `run_api` starts it, on a free port of loopback."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(store), **server_options(settings)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield int(listener.getsockname()[1])
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture
def tls_desk(tmp_path: Path, pair: Pair) -> Iterator[tuple[Store, int]]:
    """A desk that speaks HTTPS, set up as for all addresses, with an admin."""
    with opened(tmp_path / "home", host="0.0.0.0", tls_cert=pair.cert, tls_key=pair.key) as store:
        add(store, "root", "admin")
        with serving(store, store.settings) as port:
            yield store, port


def trusting(pair: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pair.cert))


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def test_a_person_logs_in_over_tls_and_the_cookie_is_secure(tls_desk: tuple[Store, int], pair: Pair) -> None:
    _, port = tls_desk
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting(pair), trust_env=False) as client:
        answer = client.post(
            SESSION, json={"name": "root", "password": PASSWORD}, headers={"origin": f"https://127.0.0.1:{port}"}
        )
        assert answer.status_code == 201
        cookie = answer.headers["set-cookie"].lower()
        assert "secure" in cookie
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert client.get(CASES).status_code == 200
        plain_origin = client.post(f"{SESSION}/active", headers={"origin": f"http://127.0.0.1:{port}"})
        assert (plain_origin.status_code, code(plain_origin)) == (403, "cross_site")
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    with connect(
        f"wss://127.0.0.1:{port}/api/v1/events?after=0", ssl=trusting(pair), additional_headers={"cookie": cookies},
        proxy=None,
    ) as socket:  # fmt: skip
        assert json.loads(socket.recv(timeout=10))["seq"] == 1


def test_plain_http_gets_nothing_from_a_tls_desk(tls_desk: tuple[Store, int]) -> None:
    _, port = tls_desk
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{port}/api/v1/health", trust_env=False)


def test_the_homes_token_and_the_start_page_open_nothing_there(tls_desk: tuple[Store, int], pair: Pair) -> None:
    store, port = tls_desk
    token = store.home.token()
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting(pair), trust_env=False) as client:
        assert "set-cookie" not in client.get("/").headers
        assert client.get("/start", params={"token": token}).status_code == 401
        answer = client.get(CASES, headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, code(answer)) == (401, "unauthorized")


def test_commands_reach_a_tls_desk_with_a_key_and_trust_its_certificate_only(
    tls_desk: tuple[Store, int], pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store, port = tls_desk
    url = f"https://127.0.0.1:{port}"
    store.home.desk_file.write_text(DeskFile(url=url, pid=os.getpid(), certificate=str(pair.cert)).model_dump_json())
    run = ["--home", str(store.home.path), "people", "add", "ann", "--role", "viewer", "--json"]
    with store.home.lock():
        assert run_cli(run) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "unauthorized"
        monkeypatch.setenv("QUARTERDECK_API_KEY", key_of(add(store, "boss", "admin")))
        assert run_cli(run) == 0
        assert json.loads(capsys.readouterr().out)["created_by"] == "boss"
    other = make_pair(tmp_path / "other")
    with RemoteDesk(url, "token", certificate=str(other.cert)) as desk:
        assert not desk.answers()
        with pytest.raises(QuarterdeckError):
            desk.get("/desk")


@pytest.fixture
def knock(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Ask a desk behind a proxy, with a key; `host` and other headers may be given."""
    with opened(tmp_path / "home", behind_tls_proxy=True, allowed_hosts=f"{NAME},other.example.com:8443") as store:
        key = key_of(add(store, "root", "admin"))
        with TestClient(create_app(store), base_url="http://127.0.0.1:8000") as client:

            def ask(path: str = CASES, *, method: str = "GET", **headers: str) -> Any:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return client.request(method, path, headers={"authorization": f"Bearer {key}", **named})

            yield ask


@pytest.mark.parametrize("host", [NAME, f"{NAME}:8443", NAME.upper(), "other.example.com:8443", "127.0.0.1:8000"])
def test_allowed_host_names_are_answered(knock: Callable[..., Any], host: str) -> None:
    assert knock(host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "other.example.com", "other.example.com:9", f"x{NAME}", f"{NAME}.evil.example", f"{NAME}:x", "",
     f"{NAME}@evil.example", f"{NAME}:1:2"],
)  # fmt: skip
def test_every_other_host_name_is_refused(knock: Callable[..., Any], host: str) -> None:
    answer = knock(host=host)
    assert (answer.status_code, code(answer)) == (403, "bad_host")


def test_behind_a_proxy_the_page_is_an_https_one(knock: Callable[..., Any]) -> None:
    path = f"{SESSION}/active"
    assert knock(path, method="POST", host=NAME, origin=f"https://{NAME}").status_code == 200
    for origin in (f"http://{NAME}", "https://evil.example", "null"):
        assert code(knock(path, method="POST", host=NAME, origin=origin)) == "cross_site"


def test_a_stranger_learns_from_the_health_of_an_open_desk_only_the_whole(tmp_path: Path) -> None:
    with opened(tmp_path / "home", behind_tls_proxy=True, allowed_hosts=NAME) as store:
        key = key_of(add(store, "root", "viewer"))
        with TestClient(create_app(store), base_url="http://127.0.0.1:8000") as client:
            assert client.get("/api/v1/health").json()["components"] == []
            headers = {"authorization": f"Bearer {key}"}
            assert client.get("/api/v1/health", headers=headers).json()["components"] != []


def test_a_trusted_proxy_names_the_client_and_nobody_else_can(tmp_path: Path) -> None:
    """Failures are counted by address, so an address must not be free to choose."""
    with opened(tmp_path / "home", behind_tls_proxy=True, allowed_hosts=NAME) as store:
        add(store, "root", "admin")
        untrusted = store.settings.model_copy(update={"trusted_proxies": ("10.0.0.1",)})
        body = {"name": "root", "password": "wrong wrong wrong"}
        for settings, seen in ((store.settings, "203.0.113.7"), (untrusted, "127.0.0.1")):
            with serving(store, settings) as port:
                url = f"http://127.0.0.1:{port}{SESSION}"
                forwarded = {"x-forwarded-for": "198.51.100.1, 203.0.113.7"}
                assert httpx.post(url, json=body, headers=forwarded, trust_env=False).status_code == 401
            with store.db.read() as session:
                query = "SELECT address FROM login_attempts ORDER BY id DESC LIMIT 1"
                assert session.connection().exec_driver_sql(query).scalar_one() == seen


def test_without_a_proxy_forwarded_headers_are_not_believed(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as store:
        add(store, "root", "admin")
        with serving(store, store.settings) as port:
            body = {"name": "root", "password": "wrong wrong wrong"}
            url = f"http://127.0.0.1:{port}{SESSION}"
            httpx.post(url, json=body, headers={"x-forwarded-for": "203.0.113.7"}, trust_env=False)
        with store.db.read() as session:
            query = "SELECT address FROM login_attempts"
            assert session.connection().exec_driver_sql(query).scalar_one() == "127.0.0.1"
