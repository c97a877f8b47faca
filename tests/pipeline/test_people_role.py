"""Changing a role: at once for sessions and keys, never one's own, never the last admin's, and on the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline import access, logins, people
from pipeline.roles import ROLES, SCOPES_OF, Identity
from pipeline.settings import load_settings
from pipeline.standing import confirm
from pipeline.store import Principal, Store, open_store
from tests.people_help import PASSWORD, ROOT, add, key_of, make_passwords_cheap, records
from tools.errors import AccessError

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "home"))
    yield opened
    opened.db.dispose()


def by_key(store: Store, key: str) -> Identity:
    return access.identify(store, bearer=key, cookie=None, address=HERE)


def refusal(store: Store, name: str, role: str, by: Principal = ROOT, reason: str = "because") -> str:
    with pytest.raises(AccessError) as caught:
        people.change_role(store, name, role, by=by, reason=reason)
    return caught.value.code


@pytest.mark.parametrize(("before", "after"), [("operator", "approver"), ("risk_officer", "viewer")])
def test_open_sessions_and_full_keys_take_the_new_role_at_once(store: Store, before: str, after: str) -> None:
    key = key_of(add(store, "ann", before))
    login = logins.login(store, name="ann", password=SecretStr(PASSWORD), address=HERE)
    assert people.change_role(store, "ann", after, by=ROOT, reason="moved desks").role == after
    session = access.identify(store, bearer=None, cookie=login.token.get_secret_value(), address=HERE)
    for who in (by_key(store, key), session):
        assert (who.role, who.scopes) == (after, SCOPES_OF[after])  # type: ignore[index]


def test_a_narrowed_key_gains_nothing_and_loses_what_the_role_loses(store: Store) -> None:
    add(store, "chief", "admin")
    key = key_of(add(store, "ann", "approver", scopes=["read", "decide"]))
    people.change_role(store, "ann", "admin", by=ROOT, reason="up")
    assert by_key(store, key).scopes == {"read", "decide"}
    people.change_role(store, "ann", "viewer", by=ROOT, reason="down")
    assert by_key(store, key).scopes == {"read"}


def test_a_role_that_was_lost_stops_what_was_begun_with_it(store: Store) -> None:
    who = by_key(store, key_of(add(store, "ann", "approver")))
    people.change_role(store, "ann", "viewer", by=ROOT, reason="left the desk")
    with store.db.read() as session, pytest.raises(AccessError) as caught:
        confirm(session, who.principal(), "approver")
    assert caught.value.code == "role"


def test_who_from_to_why_and_where_are_on_the_record_once(store: Store) -> None:
    chief = by_key(store, key_of(add(store, "chief", "admin")))
    added = add(store, "ann", "operator")
    for _ in range(2):
        people.change_role(store, "ann", "approver", by=chief.principal(), reason="  trained  ")
    ((content, envelope),) = records(store, "person.role")
    assert content == {
        "name": "ann", "from": "operator", "to": "approver", "reason": "trained", "principal": "chief",
        "keys_changed": [added.person.keys[0].id],
    }  # fmt: skip
    assert (envelope["address"], envelope["session"]) == (HERE, chief.session_id)


def test_nobody_changes_their_own_role(store: Store) -> None:
    add(store, "other", "admin")
    chief = by_key(store, key_of(add(store, "chief", "admin"))).principal()
    for role in ROLES:
        assert refusal(store, "chief", role, by=chief) == "separation"


def test_the_last_admin_keeps_the_role(store: Store) -> None:
    add(store, "chief", "admin")
    assert refusal(store, "chief", "approver") == "last_admin"
    add(store, "second", "admin")
    people.disable(store, "second", by=ROOT)
    assert refusal(store, "chief", "approver") == "last_admin"
    people.enable(store, "second", by=ROOT)
    assert people.change_role(store, "chief", "approver", by=ROOT, reason="two of us").role == "approver"


def test_a_disabled_admin_is_not_the_last_one(store: Store) -> None:
    add(store, "chief", "admin")
    add(store, "gone", "admin")
    people.disable(store, "gone", by=ROOT)
    assert people.change_role(store, "gone", "viewer", by=ROOT, reason="tidy").disabled


@pytest.mark.parametrize(
    ("name", "role", "reason", "code"),
    [
        ("nobody", "viewer", "x", "not_found"), ("ann", "owner", "x", "invalid"), ("ann", "viewer", "  ", "invalid"),
        ("ann", "viewer", "x" * 2_001, "invalid"), ("../etc", "viewer", "x", "not_found"),
    ],
)  # fmt: skip
def test_a_bad_wish_is_refused_by_code_and_changes_nothing(
    store: Store, name: str, role: str, reason: str, code: str
) -> None:
    add(store, "ann", "approver")
    assert refusal(store, name, role, reason=reason) == code
    assert people.list_people(store)[0].role == "approver"
    assert records(store, "person.role") == []


def test_only_an_admin_changes_roles(store: Store) -> None:
    add(store, "ann", "viewer")
    rita = by_key(store, key_of(add(store, "rita", "risk_officer"))).principal()
    assert refusal(store, "ann", "operator", by=rita) == "role"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "cat"]), st.sampled_from(ROLES)), max_size=8))
def test_there_is_always_an_admin_left(store: Store, wishes: list[tuple[str, str]]) -> None:
    for name in ("ann", "bob", "cat"):
        if name not in {person.name for person in people.list_people(store)}:
            add(store, name, "admin", password=None, with_key=False)
    for name, role in wishes:
        try:
            people.change_role(store, name, role, by=ROOT, reason="x")
        except AccessError as error:
            assert error.code == "last_admin"  # noqa: PT017
    assert any(person.role == "admin" for person in people.list_people(store))
