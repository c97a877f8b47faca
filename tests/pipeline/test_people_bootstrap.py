"""The first admin: one token, one use, one hour."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from memory.tables import BootstrapRow
from pipeline import bootstrap, people, throttle
from pipeline.settings import load_settings
from pipeline.store import Store, now, open_store
from tests.people_help import PASSWORD, add, everything_written, make_passwords_cheap, records
from tools.errors import AccessError


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture(params=["paper"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = open_store(load_settings(home=tmp_path / "home", mode=request.param))
    yield opened
    opened.db.dispose()


def use(store: Store, token: SecretStr, name: str = "root", password: str = PASSWORD) -> str:
    """The name of the admin that was made, or the code of the refusal."""
    try:
        return bootstrap.use(store, token=token, name=name, password=SecretStr(password), address="127.0.0.1").name
    except AccessError as error:
        return error.code


def test_a_token_makes_one_admin_and_is_then_worthless(store: Store) -> None:
    token = bootstrap.issue(store)
    assert use(store, token) == "root"
    (person,) = people.list_people(store)
    assert (person.role, person.has_password) == ("admin", True)
    assert use(store, token, "second") == "unauthorized"
    assert [person.name for person in people.list_people(store)] == ["root"]
    assert len(records(store, "bootstrap.used")) == 1


def test_a_newer_token_replaces_the_older(store: Store) -> None:
    older, newer = bootstrap.issue(store), bootstrap.issue(store)
    assert use(store, older) == "unauthorized"
    assert use(store, newer) == "root"


def test_a_token_lasts_an_hour(store: Store) -> None:
    token = bootstrap.issue(store)
    with store.db.write() as session:
        session.exec(select(BootstrapRow)).one().expires_wall = now() - timedelta(seconds=1)
    assert use(store, token) == "unauthorized"
    assert people.list_people(store) == ()


def test_a_name_or_password_that_will_not_do_leaves_the_token_good(store: Store) -> None:
    token = bootstrap.issue(store)
    for _ in range(throttle.TRIES + 1):
        assert use(store, token, "Root") == "invalid"
        assert use(store, token, "root", "short") == "invalid"
    assert use(store, token) == "root"


def test_no_token_is_made_or_taken_once_there_is_an_admin(store: Store) -> None:
    token = bootstrap.issue(store)
    add(store, "boss", "admin")
    assert use(store, token) == "exists"
    with pytest.raises(AccessError) as caught:
        bootstrap.issue(store)
    assert caught.value.code == "exists"


def test_a_start_offers_a_token_where_nobody_could_log_in(store: Store, tmp_path: Path) -> None:
    token = bootstrap.issue_at_start(store)
    assert token is not None
    assert use(store, token) == "root"
    assert bootstrap.issue_at_start(store) is None
    replay = open_store(load_settings(home=tmp_path / "replay"))
    assert bootstrap.issue_at_start(replay) is None
    replay.db.dispose()


def test_guessing_is_limited_and_recorded(store: Store) -> None:
    token = bootstrap.issue(store)
    for _ in range(throttle.TRIES):
        assert use(store, SecretStr("qdb_guess")) == "unauthorized"
    assert use(store, token) == "too_many_attempts"
    assert [body["why"] for body, _ in records(store, "login.failed")] == ["bootstrap token"] * throttle.TRIES


def test_of_many_who_use_the_token_at_once_one_becomes_admin(store: Store) -> None:
    token = bootstrap.issue(store)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda number: use(store, token, f"root{number}"), range(5)))
    assert sum(answer.startswith("root") for answer in answers) == 1
    assert len(people.list_people(store)) == 1


def test_the_token_is_kept_as_a_hash_only(store: Store) -> None:
    token = bootstrap.issue(store).get_secret_value()
    with store.db.read() as session:
        row = session.exec(select(BootstrapRow)).one()
    assert row.token_sha256 not in repr(row)
    use(store, SecretStr(token))
    assert token.encode() not in everything_written(store)
