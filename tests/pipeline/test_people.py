"""People, roles, keys: who may act, from when to when, and that no secret can be read back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlmodel import select

from memory.tables import ApiKeyRow, PersonRow
from pipeline import access, api_keys, people
from pipeline.people import ROLES, SCOPES_OF, Identity
from pipeline.roles import SCOPE_OF_ROLE, reaches
from pipeline.settings import load_settings
from pipeline.store import Principal, Store, open_store
from tests.people_help import PASSWORD, ROOT, add, everything_written, key_of, make_passwords_cheap, records
from tools.errors import AccessError


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "home"))
    yield opened
    opened.db.dispose()


def identify(store: Store, key: str) -> Identity:
    return access.identify(store, bearer=key, cookie=None, address="127.0.0.1")


def refused(store: Store, key: str) -> str:
    with pytest.raises(AccessError) as caught:
        identify(store, key)
    return caught.value.code


def test_a_person_has_role_limits_and_a_key_that_speaks_for_them(store: Store) -> None:
    added = add(store, "ann", "approver", order_limit=Decimal(50_000), day_limit=Decimal("200000.50"))
    who = identify(store, key_of(added))
    assert (who.name, who.role, who.kind, who.scopes) == ("ann", "approver", "person", SCOPES_OF["approver"])
    assert who.session_id == f"key:{added.person.keys[0].id}"
    assert who.principal() == Principal("ann", "person", "127.0.0.1", who.session_id)
    with store.db.read() as session:
        assert people.limits_of(session, "ann") == (Decimal(50_000), Decimal("200000.50"))
        assert people.limits_of(session, "local operator") == (None, None)
    ((body, envelope),) = records(store, "person.added")
    assert (body["name"], body["role"], body["principal"]) == ("ann", "approver", "local operator")
    assert envelope["address"] == "cli"


@pytest.mark.parametrize(
    "name",
    ["", "a", "A", "Ann", "1ann", "-ann", "ann!", "ann smith", "local operator", "stand-in", "stand-in.1", "stand-inn",
     "policy", "policy-1", "setup", "file", "keys", "bootstrap", "a" * 33, "ann\n", "änn", "ann/../bob"],
)  # fmt: skip
def test_a_name_that_could_be_mistaken_is_refused(store: Store, name: str) -> None:
    with pytest.raises(AccessError) as caught:
        add(store, name, "viewer")
    assert caught.value.code == "invalid"
    assert people.list_people(store) == ()


@pytest.mark.parametrize("name", ["ab", "ann", "ann.smith", "a-b_c.1", "a" * 32])
def test_a_plain_name_is_taken(store: Store, name: str) -> None:
    assert add(store, name, "viewer").person.name == name


def test_a_name_is_never_given_twice_even_after_its_person_was_disabled(store: Store) -> None:
    add(store, "ann", "viewer")
    people.disable(store, "ann", by=ROOT)
    with pytest.raises(AccessError) as caught:
        add(store, "ann", "admin")
    assert caught.value.code == "exists"


@pytest.mark.parametrize(
    "changes",
    [{"role": "king"}, {"order_limit": Decimal(0)}, {"day_limit": Decimal(-1)}, {"order_limit": Decimal("NaN")},
     {"password": SecretStr("short")}, {"password": SecretStr("x" * 257)}, {"password": SecretStr("ann1234567")},
     {"scopes": ["admin"]}, {"scopes": ["read", "fly"]}, {"scopes": []}, {"scopes": ["read"], "with_key": False}],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_leaves_nobody(store: Store, changes: dict[str, object]) -> None:
    with pytest.raises(AccessError) as caught:
        add(store, "ann", **{"role": "approver", **changes})  # type: ignore[arg-type]
    assert caught.value.code == "invalid"
    assert people.list_people(store) == ()
    assert records(store, "person.added") == []


def test_a_disabled_person_is_out_at_once_and_in_again_when_enabled(store: Store) -> None:
    key = key_of(add(store, "ann", "viewer"))
    people.disable(store, "ann", by=ROOT)
    assert refused(store, key) == "unauthorized"
    people.enable(store, "ann", by=ROOT)
    assert identify(store, key).name == "ann"
    assert [len(records(store, kind)) for kind in ("person.disabled", "person.enabled")] == [1, 1]


def test_the_only_admin_cannot_be_disabled_and_another_can(store: Store) -> None:
    add(store, "root", "admin")
    with pytest.raises(AccessError) as caught:
        people.disable(store, "root", by=ROOT)
    assert caught.value.code == "last_admin"
    add(store, "deputy", "admin")
    assert people.disable(store, "root", by=ROOT).disabled
    with pytest.raises(AccessError):
        people.disable(store, "deputy", by=ROOT)


def test_disabling_twice_is_one_record_and_an_unknown_name_is_not_found(store: Store) -> None:
    add(store, "ann", "viewer")
    assert people.disable(store, "ann", by=ROOT).disabled
    assert people.disable(store, "ann", by=ROOT).disabled
    assert len(records(store, "person.disabled")) == 1
    for change in (people.disable, people.enable):
        with pytest.raises(AccessError) as caught:
            change(store, "nobody", by=ROOT)
        assert caught.value.code == "not_found"


def test_a_revoked_key_is_dead_and_its_sister_lives(store: Store) -> None:
    first = add(store, "ann", "approver")
    second = people.new_key(store, "ann", by=ROOT, scopes=["read"])
    api_keys.revoke(store, first.person.keys[0].id, by=ROOT)
    assert refused(store, key_of(first)) == "unauthorized"
    assert identify(store, second.secret.get_secret_value()).scopes == {"read"}
    assert api_keys.revoke(store, first.person.keys[0].id, by=ROOT).revoked is not None
    assert len(records(store, "key.revoked")) == 1
    with pytest.raises(AccessError) as caught:
        api_keys.revoke(store, "nope", by=ROOT)
    assert caught.value.code == "not_found"


def test_a_disabled_person_gets_no_new_key(store: Store) -> None:
    add(store, "ann", "viewer")
    people.disable(store, "ann", by=ROOT)
    with pytest.raises(AccessError) as caught:
        people.new_key(store, "ann", by=ROOT)
    assert caught.value.code == "invalid"


def test_no_part_of_a_key_will_do_for_another(store: Store) -> None:
    ann, bob = key_of(add(store, "ann", "viewer")), key_of(add(store, "bob", "admin"))
    _, ann_id, ann_secret = ann.split("_", 2)
    _, bob_id, _ = bob.split("_", 2)
    wrong = [
        f"qdk_{bob_id}_{ann_secret}", f"qdk_{ann_id}_", f"qdk_{ann_id}", "qdk_", "qdk__", f"qdk_{ann_id}_{ann_secret}x",
        f"qdk_{ann_id}_{ann_secret[:-1]}", ann.upper(), f"qdk_{ann_id}_\udcff", f"qdk_x_{ann_secret}",
    ]  # fmt: skip
    assert {refused(store, key) for key in wrong} == {"unauthorized"}


def test_a_key_keeps_no_scope_that_its_person_has_lost(store: Store) -> None:
    key = key_of(add(store, "ann", "admin"))
    add(store, "root", "admin")
    with store.db.write() as session:
        session.get_one(PersonRow, "ann").role = "viewer"
    who = identify(store, key)
    assert who.role == "viewer"
    assert who.scopes == {"read"}


def test_secrets_are_in_no_file_no_row_no_record_and_no_repr(store: Store) -> None:
    added = add(store, "ann", "admin")
    secret = key_of(added).split("_", 2)[2]
    written = everything_written(store)
    assert secret.encode() not in written
    assert PASSWORD.encode() not in written
    with store.db.read() as session:
        rows = (session.exec(select(PersonRow)).one(), session.exec(select(ApiKeyRow)).one())
        shown = f"{added!r} {people.list_people(store)!r} {rows!r} {added.model_dump_json()}"
        assert "argon2" not in shown
        assert rows[1].secret_sha256 not in shown
    assert secret not in shown
    assert PASSWORD not in shown


def test_confirm_looks_again_at_person_role_and_credential(store: Store) -> None:
    ann, bob = identify(store, key_of(add(store, "ann", "approver"))), add(store, "bob", "approver")
    mine = ann.principal()
    theirs = Principal("ann", "person", None, f"key:{bob.person.keys[0].id}")

    def confirm(principal: Principal, needed: people.Role = "approver") -> str:
        with store.db.write() as session:
            try:
                people.confirm(session, principal, needed)
            except AccessError as error:
                return error.code
        return "passes"

    assert confirm(mine) == "passes"
    assert confirm(mine, "risk_officer") == "role"
    assert confirm(theirs) == "unauthorized"
    assert confirm(Principal("ann", "person", None, "sess_none")) == "unauthorized"
    assert confirm(Principal("policy:1", "policy")) == "passes"
    people.disable(store, "ann", by=ROOT)
    assert confirm(mine) == "unauthorized"
    people.enable(store, "ann", by=ROOT)
    api_keys.revoke(store, str(mine.session_id).removeprefix("key:"), by=ROOT)
    assert confirm(mine) == "unauthorized"


def test_a_disabled_admin_changes_nobody(store: Store) -> None:
    add(store, "root", "admin")
    boss = identify(store, key_of(add(store, "boss", "admin"))).principal()
    people.disable(store, "boss", by=ROOT)
    for change in (
        lambda: people.add(store, by=boss, name="friend", role="admin"),
        lambda: people.disable(store, "root", by=boss),
        lambda: people.enable(store, "boss", by=boss),
        lambda: people.new_key(store, "root", by=boss),
    ):
        with pytest.raises(AccessError) as caught:
            change()
        assert caught.value.code == "unauthorized"


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_a_higher_role_may_all_that_a_lower_may(one: people.Role, other: people.Role) -> None:
    lower, higher = sorted((one, other), key=ROLES.index)
    assert SCOPES_OF[lower] <= SCOPES_OF[higher]
    assert reaches(higher, lower)
    assert reaches(lower, higher) == (lower == higher)
    assert SCOPE_OF_ROLE[lower] in SCOPES_OF[lower]


@given(st.sampled_from(ROLES), st.sampled_from(ROLES), st.sets(st.sampled_from(sorted(SCOPES_OF["admin"]))))
def test_an_identity_may_what_both_role_and_scope_allow(
    has: people.Role, needs: people.Role, scopes: set[people.Scope]
) -> None:
    who = Identity("ann", has, "person", frozenset(scopes))
    try:
        who.must(needs)
        code = "passes"
    except AccessError as error:
        code = error.code
    expected = "role" if not reaches(has, needs) else "passes" if SCOPE_OF_ROLE[needs] in scopes else "scope"
    assert code == expected


def test_an_unknown_role_in_the_database_may_nothing(store: Store) -> None:
    key = key_of(add(store, "ann", "viewer"))
    with store.db.write() as session:
        session.get_one(PersonRow, "ann").role = "emperor"
    assert refused(store, key) == "unauthorized"
    assert not reaches("emperor", "viewer")
