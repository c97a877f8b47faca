"""people add | list | disable | ...: the same with a desk running and without one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline import access, people
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from tests.people_help import PASSWORD, add, key_of, make_passwords_cheap, records
from tools.errors import AccessError

from ..conftest import Seeded
from .conftest import Quarterdeck


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture(params=["local", "remote"])
def reached(request: pytest.FixtureRequest, seeded: Seeded) -> Seeded:
    """The same home, once held by nobody and once by a desk."""
    if request.param == "remote":
        request.getfixturevalue("desk")
    return seeded


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def opens(store: Store, key: str) -> str:
    try:
        return access.identify(store, bearer=key, cookie=None, address="127.0.0.1").name
    except AccessError as error:
        return error.code


def test_a_key_is_printed_once_and_opens_the_desk(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    told = quarterdeck("people", "add", "ann", "--role", "approver", "--api-key", "--order-limit", "50000", "--json")
    assert (told.status, told.err) == (0, "")
    key = told.json["api_key"]
    assert (told.json["name"], told.json["role"], told.json["order_limit"]) == ("ann", "approver", "50000.00")
    assert opens(reached.store, key) == "ann"
    listed = quarterdeck("people", "list", "--json")
    assert listed.json["items"][0]["keys"][0]["id"] == key.split("_")[1]
    assert key not in listed.out + quarterdeck("people", "list").out
    assert records(reached.store, "person.added")[0][0]["principal"] == "local operator"


def test_without_json_the_key_stands_on_its_own_line(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    told = quarterdeck("people", "add", "ann", "--role", "viewer", "--api-key", "--scopes", "read")
    (line,) = [line for line in told.out.splitlines() if "qdk_" in line]
    assert opens(reached.store, line.split()[-1]) == "ann"
    assert "qdk_" not in told.err


def test_a_password_comes_from_standard_input(
    quarterdeck: Quarterdeck, reached: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, PASSWORD + "\n")
    told = quarterdeck("people", "add", "ann", "--role", "viewer", "--password-stdin", "--json")
    assert (told.json["has_password"], told.json["api_key"]) == (True, None)
    assert PASSWORD not in told.out
    typed(monkeypatch, "another long secret\n")
    assert quarterdeck("people", "password", "ann", "--password-stdin").status == 0
    assert "[usage]" in quarterdeck("people", "password", "ann").err


def test_disable_enable_key_and_revoke(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    key = quarterdeck("people", "add", "ann", "--role", "viewer", "--api-key", "--json").json["api_key"]
    assert quarterdeck("people", "disable", "ann", "--json").json["state"] == "disabled"
    assert opens(reached.store, key) == "unauthorized"
    assert quarterdeck("people", "enable", "ann", "--json").json["state"] == "active"
    second = quarterdeck("people", "key", "ann", "--scopes", "read", "--json").json
    assert second["scopes"] == ["read"]
    assert quarterdeck("people", "revoke-key", key.split("_")[1], "--json").json["revoked"] is not None
    assert (opens(reached.store, key), opens(reached.store, second["api_key"])) == ("unauthorized", "ann")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("people", "add", "Ann", "--role", "viewer"), "invalid"),
        (("people", "add", "setup", "--role", "viewer"), "invalid"),
        (("people", "add", "ann", "--role", "king"), "usage"),
        (("people", "add", "ann"), "usage"),
        (("people", "add", "ann", "--role", "viewer", "--order-limit", "lots"), "invalid"),
        (("people", "add", "ann", "--role", "viewer", "--order-limit", "-5"), "invalid"),
        (("people", "add", "ann", "--role", "viewer", "--api-key", "--scopes", "admin"), "invalid"),
        (("people", "add", "ann", "--role", "viewer", "--api-key", "--scopes", "fly"), "invalid"),
        (("people", "disable", "nobody"), "not_found"),
        (("people", "revoke-key", "nope"), "not_found"),
        (("people", "bootstrap", "--token", "x"), "usage"),
    ],
)
def test_what_will_not_do_is_one_line_with_its_code(
    quarterdeck: Quarterdeck, reached: Seeded, arguments: tuple[str, ...], code: str
) -> None:
    told = quarterdeck(*arguments)
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert f"[{code}]" in told.err
    assert people.list_people(reached.store) == ()


def test_people_may_be_added_before_the_first_desk(quarterdeck: Quarterdeck, home: Path) -> None:
    assert "[no_home]" in quarterdeck("people", "list").err
    assert quarterdeck("people", "add", "root", "--role", "admin", "--api-key").status == 0
    store = open_store(load_settings(home=home))
    assert [person.name for person in people.list_people(store)] == ["root"]
    store.db.dispose()


def test_a_locked_home_without_a_desk_is_refused(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    with FileLock(str(seeded.store.home.path / "lock")):
        told = quarterdeck("people", "add", "ann", "--role", "viewer")
    assert (told.status, "[home_locked]" in told.err) == (2, True)


def test_bootstrap_makes_a_token_that_makes_the_first_admin(
    quarterdeck: Quarterdeck, reached: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = quarterdeck("people", "bootstrap", "--json").json["token"]
    typed(monkeypatch, PASSWORD)
    use = ("people", "bootstrap", "--token", token, "--name", "root", "--password-stdin", "--json")
    assert quarterdeck(*use).json["role"] == "admin"
    typed(monkeypatch, PASSWORD)
    assert "[unauthorized]" in quarterdeck(*use[:-1]).err
    assert "[exists]" in quarterdeck("people", "bootstrap").err


def test_a_command_acts_as_the_person_whose_key_it_is_given(
    quarterdeck: Quarterdeck, reached: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_API_KEY", key_of(add(reached.store, "vera", "viewer")))
    assert quarterdeck("cases", "list").status == 0
    told = quarterdeck("approvals", "approve", reached.approval_id, "--reason", "r")
    assert "[role]" in told.err
    monkeypatch.setenv("QUARTERDECK_API_KEY", key_of(add(reached.store, "ann", "approver")))
    told = quarterdeck("approvals", "approve", reached.approval_id, "--reason", "r", "--json")
    assert told.json["decided_by"] == "ann"


def test_a_command_beside_a_desk_needs_an_admins_key_to_change_people(
    quarterdeck: Quarterdeck, seeded: Seeded, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_API_KEY", key_of(add(seeded.store, "ann", "approver")))
    assert "[role]" in quarterdeck("people", "add", "friend", "--role", "admin").err
    monkeypatch.setenv("QUARTERDECK_API_KEY", key_of(add(seeded.store, "root", "admin")))
    assert quarterdeck("people", "add", "friend", "--role", "viewer", "--json").json["created_by"] == "root"


def test_the_key_in_the_environment_is_shown_nowhere(
    quarterdeck: Quarterdeck, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_API_KEY", "qdk_000000000000_hunter2")
    told = quarterdeck("cases", "list")
    assert told.status == 2
    assert "hunter2" not in told.out + told.err + repr(load_settings())


@pytest.mark.parametrize("more", [(), ("--behind-tls-proxy",), ("--tls-cert", "/none.pem", "--tls-key", "/none.pem")])
def test_serving_other_machines_is_refused_in_one_line(
    quarterdeck: Quarterdeck, home: Path, more: tuple[str, ...]
) -> None:
    told = quarterdeck("serve", "--host", "0.0.0.0", "--port", "0", *more)
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert "[not_loopback]" in told.err or "[bad_tls]" in told.err
    assert not home.exists()


def test_a_role_is_changed_with_a_reason(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    add(reached.store, "ann", "viewer")
    assert "--reason" in quarterdeck("people", "role", "ann", "approver").err
    told = quarterdeck("people", "role", "ann", "approver", "--reason", "trained", "--json")
    assert (told.status, told.json["role"]) == (0, "approver")
    ((content, _),) = records(reached.store, "person.role")
    assert (content["from"], content["to"], content["reason"]) == ("viewer", "approver", "trained")
    assert quarterdeck("people", "role", "ann", "king", "--reason", "x").status == 2
    assert "ann: operator, active" in quarterdeck("people", "role", "ann", "operator", "--reason", "back").out


def test_the_last_admin_keeps_the_role_in_the_terminal(quarterdeck: Quarterdeck, reached: Seeded) -> None:
    add(reached.store, "root", "admin")
    told = quarterdeck("people", "role", "root", "viewer", "--reason", "x")
    assert told.status != 0
    assert "last_admin" in told.err
