"""Limits and policy: a file is a candidate, a row activates it; a wrong file stops the start or means safe mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from memory.tables import ActivationRow, LedgerRow
from pipeline.activation import Kind, activate, at_start, in_force
from pipeline.policy import default_policy_text
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ANN
from tools.canonical import sha256_hex
from tools.errors import ConfigError

KINDS: tuple[Kind, ...] = ("limits", "policy")


def remove(path: Path) -> None:
    path.unlink()


def change(path: Path) -> None:
    path.write_text(path.read_text() + "\n# one more line\n")


def garble(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00 not utf-8")


def empty(path: Path) -> None:
    path.write_text("")


def misspell(path: Path) -> None:
    path.write_text(path.read_text().replace("version", "versoin"))


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


INVALID = {"limits_invalid", "limits_unreadable", "bad_policy"}
"""Codes of the two loaders for a text that is no limits or policy file."""
DAMAGES: list[tuple[Callable[[Path], None], set[str]]] = [
    (remove, {"no_limits", "no_policy"}), (change, {"limits_not_activated", "policy_not_activated"}),
    (garble, {"unreadable_limits", "unreadable_policy"}), (empty, INVALID), (misspell, INVALID),
    (unreadable, {"unreadable_limits", "unreadable_policy"}),
]  # fmt: skip


def test_the_first_start_writes_and_activates_both_files(store: Store) -> None:
    law = in_force(store)
    text = (store.home.config / "policy.yaml").read_text()
    assert text == default_policy_text()
    assert law.policy_sha256 == sha256_hex(text.encode())
    with store.db.read() as session:
        rows = session.exec(select(ActivationRow)).all()
        kinds = session.exec(select(LedgerRow.kind)).all()
    assert sorted(row.kind for row in rows) == ["limits", "policy"]
    assert kinds == ["limits.activated", "policy.activated"]


def test_a_second_start_activates_nothing_again(store: Store) -> None:
    first = in_force(store)
    before = life.everything(store)
    assert in_force(store) == first
    assert life.everything(store) == before


def test_a_file_that_was_there_before_the_first_start_is_the_one_in_force(store: Store) -> None:
    (store.home.config / "policy.yaml").write_text(default_policy_text().replace("capacity: 5", "capacity: 2"))
    assert in_force(store).policy.capacity == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_file_before_the_first_start_stops_it_and_activates_nothing(store: Store, kind: Kind) -> None:
    (store.home.config / f"{kind}.yaml").write_text("nonsense: true")
    with pytest.raises(ConfigError) as caught:
        in_force(store)
    assert caught.value.code in INVALID
    with store.db.read() as session:
        assert session.exec(select(ActivationRow).where(ActivationRow.kind == kind)).all() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("damage", "codes"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_without_positions_a_wrong_file_stops_the_start(
    store: Store, kind: Kind, damage: Callable[[Path], None], codes: set[str]
) -> None:
    at_start(store)
    damage(store.home.config / f"{kind}.yaml")
    with pytest.raises(ConfigError) as caught:
        at_start(store)
    assert caught.value.code in codes
    assert kind in caught.value.code
    assert store.reduce_only == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("damage", "codes"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_with_open_positions_a_wrong_file_means_safe_mode_on_the_activated_text(
    store: Store, kind: Kind, damage: Callable[[Path], None], codes: set[str]
) -> None:
    law = at_start(store)
    life.hold(store)
    damage(store.home.config / f"{kind}.yaml")
    assert at_start(store) == law
    assert len(store.reduce_only) == 1
    assert kind in store.reduce_only[0]
    at_start(store)
    assert len(store.reduce_only) == 1, "the same trouble is said once"


def test_a_closed_position_is_no_reason_for_safe_mode(store: Store) -> None:
    at_start(store)
    life.hold(store, 0)
    change(store.home.config / "limits.yaml")
    with pytest.raises(ConfigError):
        at_start(store)


def test_a_desk_that_was_started_goes_into_safe_mode_and_does_not_end_whatever_is_held(store: Store) -> None:
    """The supervisor starts an engine again for as long as it ends; in safe mode somebody still watches."""
    in_force(store)
    change(store.home.config / "limits.yaml")
    with pytest.raises(ConfigError):
        at_start(store)
    assert at_start(store, started=True).limits
    assert len(store.reduce_only) == 1


def test_in_safe_mode_the_last_position_may_close(store: Store) -> None:
    in_force(store)
    life.hold(store)
    change(store.home.config / "policy.yaml")
    at_start(store)
    life.hold(store, 0)
    assert at_start(store).policy
    assert len(store.reduce_only) == 1


def test_an_activated_change_is_in_force_and_recorded_with_who_and_why(store: Store) -> None:
    in_force(store)
    path = store.home.config / "policy.yaml"
    path.write_text(path.read_text().replace("capacity: 5", "capacity: 3"))
    activate(store, "policy", principal=ANN, reason="fewer people this week")
    assert in_force(store).policy.capacity == 3
    with store.db.read() as session:
        newest = session.exec(select(LedgerRow).order_by(LedgerRow.seq.desc())).first()  # type: ignore[attr-defined]
    assert newest is not None
    assert '"principal":"ann"' in newest.content
    assert "fewer people this week" in newest.content


def test_a_file_that_does_not_parse_cannot_be_activated(store: Store) -> None:
    law = in_force(store)
    path = store.home.config / "limits.yaml"
    good = path.read_text()
    path.write_text("max_gross_share: all of it")
    with pytest.raises(ConfigError):
        activate(store, "limits", principal=ANN, reason="try")
    path.write_text(good)
    assert in_force(store) == law


def outdate(store: Store) -> None:
    """A law as an earlier version of the desk wrote it."""
    in_force(store)
    path = store.home.config / "limits.yaml"
    old = path.read_text().replace("cure_sessions: 3\n", "")
    path.write_text(old)
    life.tamper(store, "UPDATE activations SET body = :body WHERE kind = 'limits'", body=old)


def test_a_law_of_an_earlier_version_says_what_it_lacks_and_what_to_do(store: Store) -> None:
    outdate(store)
    with pytest.raises(ConfigError) as refused:
        in_force(store)
    assert refused.value.code == "law_outdated"
    assert "cure_sessions is missing" in refused.value.message
    assert "--shipped" in refused.value.message


def test_the_shipped_law_takes_its_place_and_the_old_file_stays(store: Store) -> None:
    outdate(store)
    activate(store, "limits", principal=ANN, reason="an upgrade", shipped=True)
    assert in_force(store).limits.cure_sessions == 3
    assert "cure_sessions" not in (store.home.config / "limits.yaml.before").read_text()
