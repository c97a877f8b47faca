"""Shut out in the middle of something: whoever commits first wins, and nobody who is out writes anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from memory.tables import DecisionRow, GrantRow, PersonRow
from pipeline import access, api_keys, approvals, halt, logins, people, throttle
from pipeline.halt_scope import in_force
from pipeline.people import Identity
from pipeline.standing import acting_for
from pipeline.store import Store
from tests.people_help import PASSWORD, ROOT, add, key_of, make_passwords_cheap
from tests.pipeline import life
from tools.errors import AccessError, QuarterdeckError

ROUNDS = 12


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def people_store(tmp_path: Path) -> Iterator[Store]:
    opened = life.new_store(tmp_path / "home")
    life.seed_run(opened)
    yield opened
    opened.db.dispose()


def known(store: Store, name: str, role: str = "approver") -> Identity:
    return access.identify(store, bearer=key_of(add(store, name, role)), cookie=None, address="127.0.0.1")


def approve(store: Store, who: Identity, approval_id: str, digest: str) -> str:
    try:
        return approvals.decide(
            store, approval_id, principal=who.principal(), decision="approve", digest=digest, reason="fits"
        ).status
    except QuarterdeckError as error:
        return error.code


def test_whoever_is_disabled_between_the_door_and_the_decision_decides_nothing(people_store: Store) -> None:
    ann = known(people_store, "ann")
    asked = life.ask(people_store)
    people.disable(people_store, "ann", by=ROOT)
    assert approve(people_store, ann, asked.approval_id, asked.digest) == "unauthorized"
    people.enable(people_store, "ann", by=ROOT)
    api_keys.revoke(people_store, str(ann.session_id).removeprefix("key:"), by=ROOT)
    assert approve(people_store, ann, asked.approval_id, asked.digest) == "unauthorized"
    with people_store.db.read() as session:
        assert session.exec(select(DecisionRow)).all() == []
        assert session.exec(select(GrantRow)).all() == []


def test_whoever_lost_the_role_meanwhile_is_told_so(people_store: Store) -> None:
    ann = known(people_store, "ann")
    asked = life.ask(people_store)
    with people_store.db.write() as session:
        session.get_one(PersonRow, "ann").role = "viewer"
    assert approve(people_store, ann, asked.approval_id, asked.digest) == "role"


def test_disable_and_decide_at_once_leave_a_decision_before_or_none(people_store: Store) -> None:
    """Of each race either the decision was recorded before the person was disabled, or it was not taken."""
    outcomes: set[str] = set()
    for number in range(ROUNDS):
        name = f"ann{number}"
        who, asked = known(people_store, name), life.ask(people_store, life.proposal(number))
        start = threading.Barrier(2)

        def decide(who: Identity = who, asked: life.Question = asked, start: threading.Barrier = start) -> str:
            start.wait()
            return approve(people_store, who, asked.approval_id, asked.digest)

        def shut_out(name: str = name, start: threading.Barrier = start) -> None:
            start.wait()
            people.disable(people_store, name, by=ROOT)

        with ThreadPoolExecutor(2) as pool:
            outcome, _ = pool.submit(decide), pool.submit(shut_out).result()
            outcomes.add(outcome.result())
        with people_store.db.read() as session:
            decided = session.exec(select(DecisionRow).where(DecisionRow.principal == name)).first()
            gone = session.get_one(PersonRow, name).disabled_wall
        assert (decided is not None) == (outcome.result() == "approved")
        assert gone is not None
        if decided is not None:
            assert decided.decided_wall <= gone
    assert outcomes <= {"approved", "unauthorized"}


def test_a_halt_by_somebody_who_is_out_is_not_written(people_store: Store) -> None:
    oscar = known(people_store, "oscar", "operator")
    people.disable(people_store, "oscar", by=ROOT)
    with pytest.raises(AccessError):
        halt.engage(
            acting_for(people_store, oscar, "operator"), action="no_new", reason="storm", principal=oscar.principal()
        )
    with people_store.db.read() as session:
        assert in_force(session) == ()


def test_two_admins_who_disable_each_other_leave_one(people_store: Store) -> None:
    one, other = known(people_store, "one", "admin"), known(people_store, "other", "admin")

    def disable(who: Identity, name: str) -> str:
        try:
            people.disable(people_store, name, by=who.principal())
        except AccessError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(disable, (one, other), ("other", "one")))
    assert sorted(answers) == ["done", "unauthorized"]
    assert [person.disabled for person in people.list_people(people_store)].count(False) == 1


def test_a_name_added_twice_at_once_is_one_person(people_store: Store) -> None:
    def try_to_add(role: str) -> str:
        try:
            return add(people_store, "ann", role).person.role
        except AccessError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(try_to_add, ("viewer", "approver", "operator", "admin")))
    assert answers.count("exists") == 3
    assert len(people.list_people(people_store)) == 1


@pytest.mark.postgres
def test_the_same_holds_on_postgresql(tmp_path: Path, new_postgres: Callable[[], str]) -> None:
    store = life.new_store(tmp_path / "home", new_postgres())
    life.seed_run(store)
    ann, asked = known(store, "ann"), life.ask(store)
    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(lambda _: life.code_of(lambda: guess(store)), range(12)))
    assert (codes.count("unauthorized"), codes.count("too_many_attempts")) == (throttle.TRIES, 12 - throttle.TRIES)
    opened = logins.login(store, name="ann", password=SecretStr(PASSWORD), address="10.0.0.1")
    cookie = opened.token.get_secret_value()
    assert access.identify(store, bearer=None, cookie=cookie, address=None, active=True).name == "ann"
    for name in ("\0", "ann\0"):
        with pytest.raises(AccessError):
            logins.login(store, name=name, password=SecretStr("x"), address="10.0.0.1")
    people.disable(store, "ann", by=ROOT)
    assert approve(store, ann, asked.approval_id, asked.digest) == "unauthorized"
    people.enable(store, "ann", by=ROOT)
    assert approve(store, ann, asked.approval_id, asked.digest) == "approved"
    store.db.dispose()


def guess(store: Store) -> None:
    logins.login(store, name="ann", password=SecretStr("wrong wrong wrong"), address="127.0.0.1")
