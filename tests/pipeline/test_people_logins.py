"""Logins: what opens a session, what locks it, what ends it, and how often somebody may guess."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.profiles import RFC_9106_LOW_MEMORY
from pydantic import SecretStr
from sqlmodel import select

from memory.tables import FindingRow, LoginAttemptRow, LoginSessionRow
from pipeline import access, logins, passwords, people, throttle
from pipeline.logins import Login
from pipeline.people import Identity
from pipeline.settings import load_settings
from pipeline.store import Store, now, open_store
from tests.people_help import PASSWORD, ROOT, add, everything_written, make_passwords_cheap, records
from tools.errors import AccessError

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "home", idle_lock_minutes=15, login_hours=12))
    add(opened, "ann", "approver")
    yield opened
    opened.db.dispose()


def login(store: Store, name: str = "ann", password: str = PASSWORD, address: str | None = HERE) -> Login:
    return logins.login(store, name=name, password=SecretStr(password), address=address)


def code(attempt: Any) -> str:
    with pytest.raises(AccessError) as caught:
        attempt()
    return caught.value.code


def resume(store: Store, opened: Login, *, active: bool = False) -> Identity:
    return access.identify(store, bearer=None, cookie=opened.token.get_secret_value(), address=HERE, active=active)


def shift(store: Store, opened: Login, **columns: timedelta) -> None:
    """Move times of a session into the past (or the future, when negative)."""
    with store.db.write() as session:
        row = session.get_one(LoginSessionRow, opened.identity.session_id)
        for name, by in columns.items():
            setattr(row, name, getattr(row, name) - by)


def age_attempts(store: Store, by: timedelta) -> None:
    with store.db.write() as session:
        for row in session.exec(select(LoginAttemptRow)).all():
            row.at_wall = row.at_wall - by


def test_a_login_opens_a_session_that_carries_name_role_and_its_own_id(store: Store) -> None:
    opened = login(store)
    who = resume(store, opened)
    assert (who.name, who.role, who.kind, who.address) == ("ann", "approver", "person", HERE)
    assert who.session_id == opened.identity.session_id
    assert who.principal().session_id == who.session_id
    ((body, envelope),) = records(store, "login.succeeded")
    assert (body, envelope["address"], envelope["session"]) == (
        {"name": "ann", "principal": "ann"}, HERE, who.session_id,
    )  # fmt: skip


def test_the_store_holds_a_hash_of_the_session_and_nothing_that_opens_it(store: Store) -> None:
    token = login(store).token.get_secret_value()
    with store.db.read() as session:
        row = session.exec(select(LoginSessionRow)).one()
    assert row.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    written = everything_written(store)
    assert token.encode() not in written
    assert token.removeprefix(logins.PREFIX).encode() not in written
    assert PASSWORD.encode() not in written
    assert row.token_sha256 not in repr(row)


@pytest.mark.parametrize("cookie", ["qds_", "qds_wrong", "qds_" + "0" * 64, "qds_\udcff"])
def test_a_made_up_session_opens_nothing(store: Store, cookie: str) -> None:
    login(store)
    assert code(lambda: access.identify(store, bearer=None, cookie=cookie, address=HERE)) == "unauthorized"


def test_the_hash_from_the_store_is_no_session(store: Store) -> None:
    login(store)
    with store.db.read() as session:
        digest = session.exec(select(LoginSessionRow.token_sha256)).one()
    for cookie in (digest, "qds_" + digest):
        assert code(lambda cookie=cookie: access.identify(store, bearer=None, cookie=cookie, address=HERE)) == (
            "unauthorized"
        )


def test_fifteen_idle_minutes_lock_for_good(store: Store) -> None:
    opened = login(store)
    shift(store, opened, seen_wall=timedelta(minutes=14, seconds=50))
    assert resume(store, opened).name == "ann"
    shift(store, opened, seen_wall=timedelta(seconds=11))
    assert code(lambda: resume(store, opened, active=True)) == "session_locked"
    shift(store, opened, seen_wall=-timedelta(minutes=15))
    assert code(lambda: resume(store, opened)) == "session_locked"
    assert len(records(store, "session.locked")) == 1


def test_what_a_person_does_holds_off_the_lock_and_what_a_page_reads_does_not(store: Store) -> None:
    opened = login(store)
    for _ in range(3):
        shift(store, opened, seen_wall=timedelta(minutes=10))
        resume(store, opened, active=True)
    shift(store, opened, seen_wall=timedelta(minutes=10))
    resume(store, opened)
    shift(store, opened, seen_wall=timedelta(minutes=6))
    assert code(lambda: resume(store, opened)) == "session_locked"


def test_no_activity_extends_a_session_beyond_its_lifetime(store: Store) -> None:
    opened = login(store)
    shift(store, opened, created_wall=timedelta(hours=12))
    assert code(lambda: resume(store, opened, active=True)) == "unauthorized"
    assert records(store, "session.ended")[0][0]["why"] == "lifetime"


def test_a_clock_that_jumps_back_ends_sessions_rather_than_extending_them(store: Store) -> None:
    opened = login(store)
    shift(store, opened, seen_wall=-timedelta(hours=1))
    assert code(lambda: resume(store, opened)) == "unauthorized"


def test_a_logout_ends_this_session_and_no_other(store: Store) -> None:
    one, other = login(store), login(store)
    logins.logout(store, one.identity)
    assert code(lambda: resume(store, one)) == "unauthorized"
    assert resume(store, other).name == "ann"
    logins.logout(store, one.identity)
    assert [envelope["session"] for _, envelope in records(store, "logout")] == [one.identity.session_id]


def test_disabling_ends_open_sessions_and_enabling_does_not_open_them_again(store: Store) -> None:
    opened = login(store)
    people.disable(store, "ann", by=ROOT)
    assert code(lambda: resume(store, opened)) == "unauthorized"
    assert code(lambda: login(store)) == "unauthorized"
    people.enable(store, "ann", by=ROOT)
    assert code(lambda: resume(store, opened)) == "unauthorized"
    assert login(store).identity.name == "ann"


def test_a_new_password_ends_sessions_and_the_old_one_is_worthless(store: Store) -> None:
    opened = login(store)
    new = "another long secret"
    logins.change_password(store, opened.identity, current=SecretStr(PASSWORD), new=SecretStr(new))
    assert code(lambda: resume(store, opened)) == "unauthorized"
    assert code(lambda: login(store)) == "unauthorized"
    assert login(store, password=new).identity.name == "ann"


def test_a_wrong_current_password_changes_nothing_and_counts(store: Store) -> None:
    who = login(store).identity
    wrong, new = SecretStr("wrong wrong wrong"), SecretStr("another long secret")
    for _ in range(throttle.TRIES):
        assert code(lambda: logins.change_password(store, who, current=wrong, new=new)) == "unauthorized"
    assert code(lambda: logins.change_password(store, who, current=wrong, new=new)) == "too_many_attempts"


@pytest.mark.parametrize("name", ["bob", "", "ANN", "ann ", "local operator", "' OR 1=1 --", "x" * 500])
def test_an_unknown_name_gets_the_answer_of_a_wrong_password(store: Store, name: str) -> None:
    with pytest.raises(AccessError) as unknown:
        login(store, name)
    with pytest.raises(AccessError) as wrong:
        login(store, "ann", "wrong wrong wrong")
    assert (unknown.value.code, unknown.value.message) == (wrong.value.code, wrong.value.message)


def test_an_unknown_a_passwordless_and_a_disabled_person_cost_a_password_check(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "keyed", "viewer", password=None)
    add(store, "gone", "viewer")
    people.disable(store, "gone", by=ROOT)
    checked: list[str] = []
    hasher = passwords.HASHER

    class Counting:
        def verify(self, stored: str, given: bytes) -> bool:
            checked.append(stored)
            return hasher.verify(stored, given)

    monkeypatch.setattr(passwords, "HASHER", Counting())
    for name in ("nobody", "keyed", "gone", "ann"):
        assert code(lambda name=name: login(store, name, "wrong wrong wrong")) == "unauthorized"
    assert len(checked) == 4
    assert checked[0] == checked[1] == passwords.NOBODY


def test_the_hash_of_nobody_costs_what_a_hash_of_somebody_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert RFC_9106_LOW_MEMORY.time_cost == passwords.HASHER.time_cost
    assert not passwords.HASHER.check_needs_rehash(passwords.NOBODY)
    mine = passwords.hash_password("ann", SecretStr(PASSWORD))
    assert mine.startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    def cost(stored: str | None) -> float:
        spent = []
        for _ in range(3):
            start = time.perf_counter()
            assert not passwords.is_password(stored, SecretStr("wrong wrong wrong"))
            spent.append(time.perf_counter() - start)
        return statistics.median(spent)

    assert 0.2 < cost(None) / cost(mine) < 5


def test_the_same_characters_typed_otherwise_are_the_same_password(store: Store) -> None:
    add(store, "zoe", "viewer", password=SecretStr("Zo\u00eb-passw\u00f6rter"))
    assert login(store, "zoe", "Zoe\u0308-passwo\u0308rter").identity.name == "zoe"


def test_five_failures_from_one_place_stop_even_the_right_password_for_a_while(store: Store) -> None:
    for _ in range(throttle.TRIES):
        assert code(lambda: login(store, password="wrong wrong wrong")) == "unauthorized"
    with pytest.raises(AccessError) as caught:
        login(store)
    assert caught.value.code == "too_many_attempts"
    assert caught.value.retry_after is not None
    assert 290 <= caught.value.retry_after <= 300
    age_attempts(store, throttle.WINDOW)
    assert login(store).identity.name == "ann"


def test_the_wait_ends_when_the_oldest_failure_is_five_minutes_old(store: Store) -> None:
    assert code(lambda: login(store, password="wrong wrong wrong")) == "unauthorized"
    age_attempts(store, timedelta(minutes=4))
    for _ in range(throttle.TRIES - 1):
        assert code(lambda: login(store, password="wrong wrong wrong")) == "unauthorized"
    with pytest.raises(AccessError) as caught:
        login(store)
    assert caught.value.retry_after is not None
    assert 50 <= caught.value.retry_after <= 60


def test_refused_attempts_do_not_lengthen_the_wait(store: Store) -> None:
    for _ in range(throttle.TRIES):
        code(lambda: login(store, password="wrong wrong wrong"))
    with store.db.read() as session:
        before = len(session.exec(select(LoginAttemptRow)).all())
    for _ in range(10):
        assert code(lambda: login(store)) == "too_many_attempts"
    with store.db.read() as session:
        assert len(session.exec(select(LoginAttemptRow)).all()) == before
    assert len(records(store, "login.failed")) == throttle.TRIES


def test_a_limit_belongs_to_a_name_and_a_place(store: Store) -> None:
    add(store, "bob", "viewer")
    for _ in range(throttle.TRIES):
        code(lambda: login(store, password="wrong wrong wrong"))
    assert login(store, "bob").identity.name == "bob"
    assert login(store, address="10.0.0.9").identity.name == "ann"
    assert code(lambda: login(store)) == "too_many_attempts"


def test_many_places_guessing_one_name_are_stopped(store: Store) -> None:
    for number in range(throttle.TRIES_OF_A_NAME):
        assert (
            code(lambda n=number: login(store, password="wrong wrong wrong", address=f"10.0.0.{n}")) == "unauthorized"
        )
    assert code(lambda: login(store, address="10.9.9.9")) == "too_many_attempts"


def test_one_place_guessing_many_names_is_stopped_also_within_an_ipv6_network(store: Store) -> None:
    for number in range(throttle.TRIES_OF_AN_ADDRESS):
        place = f"2001:db8::{number + 1:x}"
        assert code(lambda n=number, p=place: login(store, f"guess{n}", "summer2026!", p)) == "unauthorized"
    assert code(lambda: login(store, address="2001:db8::ffff")) == "too_many_attempts"
    assert login(store, address="2001:db8:0:1::1").identity.name == "ann"


def test_a_success_forgives_what_was_mistyped_before(store: Store) -> None:
    for _ in range(3):
        for _ in range(throttle.TRIES - 1):
            assert code(lambda: login(store, password="wrong wrong wrong")) == "unauthorized"
        assert login(store).identity.name == "ann"


def test_attempts_at_the_same_moment_cannot_slip_past_the_count(store: Store) -> None:
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda _: code(lambda: login(store, password="wrong wrong wrong")), range(16)))
    assert codes.count("unauthorized") == throttle.TRIES
    assert codes.count("too_many_attempts") == 16 - throttle.TRIES


def test_another_process_and_a_restart_see_the_same_count(store: Store) -> None:
    for _ in range(throttle.TRIES):
        code(lambda: login(store, password="wrong wrong wrong"))
    again = open_store(store.settings)
    assert code(lambda: login(again)) == "too_many_attempts"
    again.db.dispose()


def test_each_failure_is_recorded_without_what_was_typed(store: Store) -> None:
    typed = "my secret typed as a name"
    code(lambda: login(store, typed, "hunter2hunter2"))
    code(lambda: login(store, "ann", "hunter2hunter2"))
    failed = records(store, "login.failed")
    assert [(body["name"], body["why"]) for body, _ in failed] == [(None, "unknown"), ("ann", "password")]
    assert [envelope["address"] for _, envelope in failed] == [HERE, HERE]
    assert HERE not in str(failed[0][0])
    written = everything_written(store)
    for secret in (typed, "hunter2"):
        assert secret.encode() not in written
    assert hashlib.sha256(typed.encode()).hexdigest()[:32].encode() not in written


def test_the_failure_that_uses_up_the_tries_raises_one_finding(store: Store) -> None:
    for _ in range(throttle.TRIES - 1):
        code(lambda: login(store, password="wrong wrong wrong"))
    with store.db.read() as session:
        assert session.exec(select(FindingRow)).all() == []
    for _ in range(4):
        code(lambda: login(store, password="wrong wrong wrong"))
    with store.db.read() as session:
        found = session.exec(select(FindingRow)).one()
    assert (found.code, found.severity) == ("login_failures", "warning")
    assert "ann" in found.body.message


def test_neither_a_login_nor_an_error_shows_its_secrets(store: Store) -> None:
    opened = login(store)
    assert opened.token.get_secret_value() not in repr(opened)
    with pytest.raises(AccessError) as caught:
        login(store, password="hunter2hunter2")
    assert "hunter2" not in repr(caught.value)


def test_a_password_check_does_not_fail_on_odd_input(store: Store) -> None:
    assert not passwords.is_password("not a hash", SecretStr(PASSWORD))
    assert not passwords.is_password(PasswordHasher(1, 8, 1).hash("x"), SecretStr("\udcff"))
    assert code(lambda: login(store, "\udcff", "\udcff")) == "unauthorized"


def test_old_attempts_are_forgotten(store: Store) -> None:
    code(lambda: login(store, password="wrong wrong wrong"))
    age_attempts(store, throttle.WINDOW + timedelta(seconds=1))
    code(lambda: login(store, "bob", "wrong wrong wrong"))
    with store.db.read() as session:
        rows = session.exec(select(LoginAttemptRow)).all()
    assert len(rows) == 1
    assert rows[0].at_wall > now() - timedelta(minutes=1)
