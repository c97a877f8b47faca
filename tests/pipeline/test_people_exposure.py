"""Leaving loopback: refused in one clear line until there is an admin and TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import people
from pipeline.exposure import host_names, local_url, public_url, require_may_listen
from pipeline.settings import Settings, load_settings
from pipeline.store import Store, open_store
from pipeline.supervisor import Child
from tests.people_help import ROOT, add, make_passwords_cheap
from tests.tls_help import Pair, make_pair
from tools.errors import ConfigError

EVERYWHERE = "0.0.0.0"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "home"))
    yield opened
    opened.db.dispose()


def settings(store: Store, **changes: Any) -> Settings:
    return load_settings(home=store.home.path, **changes)


def refusal(given: Settings, store: Store | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        require_may_listen(given, store)
    assert "\n" not in caught.value.message
    return f"{caught.value.code}: {caught.value.message}"


def test_loopback_needs_nobody(store: Store) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        require_may_listen(settings(store, host=host), store)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.4"])
def test_other_machines_need_an_admin_and_tls(store: Store, pair: Pair, host: str) -> None:
    tls = {"tls_cert": pair.cert, "tls_key": pair.key}
    told = refusal(settings(store, host=host), store)
    assert told.startswith(f"not_loopback: --host {host}")
    assert "TLS" in told
    assert "admin" in told
    told = refusal(settings(store, host=host, **tls), store)
    assert "admin" in told
    assert "TLS (" not in told
    add(store, "root", "admin")
    assert "TLS (" in refusal(settings(store, host=host), store)
    require_may_listen(settings(store, host=host, **tls), store)
    require_may_listen(settings(store, host=host, **tls))


def test_a_disabled_admin_and_lesser_people_do_not_open_the_desk(store: Store, pair: Pair) -> None:
    given = settings(store, host=EVERYWHERE, tls_cert=pair.cert, tls_key=pair.key)
    add(store, "ann", "risk_officer")
    assert "admin" in refusal(given, store)
    add(store, "root", "admin")
    add(store, "other", "admin")
    people.disable(store, "root", by=ROOT)
    require_may_listen(given, store)
    with store.db.write() as session:
        session.connection().exec_driver_sql("UPDATE people SET disabled_wall = created_wall WHERE role = 'admin'")
    assert "admin" in refusal(given, store)


def test_a_proxy_needs_host_names_and_an_admin_even_on_loopback(store: Store) -> None:
    told = refusal(settings(store, behind_tls_proxy=True), store)
    assert "--behind-tls-proxy" in told
    assert "ALLOWED_HOSTS" in told
    add(store, "root", "admin")
    assert "ALLOWED_HOSTS" in refusal(settings(store, behind_tls_proxy=True), store)
    require_may_listen(settings(store, behind_tls_proxy=True, allowed_hosts="desk.example.com"), store)
    require_may_listen(settings(store, host=EVERYWHERE, behind_tls_proxy=True, allowed_hosts="desk.example.com"), store)


def test_a_home_that_is_not_there_has_no_admin_and_is_not_made(tmp_path: Path) -> None:
    assert "admin" in refusal(load_settings(home=tmp_path / "none", host=EVERYWHERE))
    assert not (tmp_path / "none").exists()


def test_a_name_is_no_address_to_listen_on(store: Store, pair: Pair) -> None:
    add(store, "root", "admin")
    given = settings(store, host="desk.example.com", tls_cert=pair.cert, tls_key=pair.key)
    assert "IP address" in refusal(given, store)


def test_half_a_pair_and_an_unusable_one_are_named(store: Store, pair: Pair, tmp_path: Path) -> None:
    other = make_pair(tmp_path / "other")
    for tls in (
        {"tls_cert": pair.cert}, {"tls_key": pair.key}, {"tls_cert": pair.cert, "tls_key": other.key},
        {"tls_cert": tmp_path / "none.pem", "tls_key": pair.key}, {"tls_cert": pair.key, "tls_key": pair.cert},
    ):  # fmt: skip
        assert refusal(settings(store, **tls), store).startswith("bad_tls: ")


@pytest.mark.parametrize("hosts", ["*", "http://desk.example.com", "desk.example.com/", "a b", "-x", "desk:port"])
def test_a_host_list_that_would_let_in_anything_is_refused(hosts: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(allowed_hosts=hosts)
    assert "QUARTERDECK_ALLOWED_HOSTS" in caught.value.message


def test_only_addresses_are_trusted_as_proxies() -> None:
    assert load_settings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies == ("10.0.0.0/8", "::1")
    for given in ("*", "proxy.example.com"):
        with pytest.raises(ConfigError):
            load_settings(trusted_proxies=given)


def test_names_come_from_the_list_else_from_the_certificate(store: Store, pair: Pair) -> None:
    tls = {"tls_cert": pair.cert, "tls_key": pair.key}
    assert host_names(settings(store, **tls)) == {"desk.test", "127.0.0.1"}
    assert host_names(settings(store, allowed_hosts="Desk.Example.com:8443", **tls)) == {"desk.example.com:8443"}
    assert host_names(settings(store)) == frozenset()


def test_urls_for_programs_here_and_for_people_elsewhere(store: Store, pair: Pair) -> None:
    tls = {"tls_cert": pair.cert, "tls_key": pair.key}
    plain = settings(store)
    assert (local_url(plain), public_url(plain)) == ("http://127.0.0.1:8000",) * 2
    open_tls = settings(store, host="::", port=8443, allowed_hosts="desk.example.com", **tls)
    assert (local_url(open_tls), public_url(open_tls)) == ("https://[::1]:8443", "https://desk.example.com:8443")
    proxied = settings(store, host=EVERYWHERE, behind_tls_proxy=True, allowed_hosts="desk.example.com")
    assert (local_url(proxied), public_url(proxied)) == ("http://127.0.0.1:8000", "https://desk.example.com")


def test_no_secret_goes_to_the_command_line_of_a_child(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Child, "_spawn", lambda self: None)
    given = settings(store, api_key="qdk_x_hunter2", model_api_key="sk-hunter2", allowed_hosts="desk.example.com")
    child = Child("api", given, tmp_path / "log")
    assert "hunter2" not in child._arguments
    assert "*" not in child._arguments
    assert "desk.example.com" in child._arguments
