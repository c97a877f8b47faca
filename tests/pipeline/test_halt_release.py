"""Letting go: with a reason, by the profile's rule, one halt or all, and only what that halt held is voided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from memory.tables import HaltRow, LedgerRow
from pipeline import halt, halt_release
from pipeline.activation import activate, in_force
from pipeline.policy import default_policy_text, load_policy
from pipeline.store import Principal, Store, now
from tests.pipeline import life
from tests.pipeline.halting import asked, halt_row, order_of, unsent, working
from tests.pipeline.life import ANN, AS_OF, BOB, CARL, code_of, say, truth
from tools.errors import ConfigError

CONTROL = Principal("control:drawdown", "control")


def engage(store: Store, who: Principal = BOB, **changes: str) -> str:
    wish = {"action": "no_new", "reason": "drill", "principal": who}
    return halt.engage(store, **{**wish, **changes}).id  # type: ignore[arg-type]


def release(store: Store, who: Principal = BOB, halt_id: str | None = None) -> halt_release.ReleaseResult:
    return halt_release.release(store, reason="all clear", principal=who, halt_id=halt_id)


def controlled(store: Store, sessions: int = 3, minutes: int = 60) -> str:
    with store.db.write() as session:
        ending = halt.Ending(60 + sessions, now() + timedelta(minutes=minutes))
        return halt.write(
            session, action="reduce_only", reason="beyond its limit", principal=CONTROL, source=CONTROL.name,
            ending=ending,
        ).id  # fmt: skip


def end_due(store: Store, index: int, *, replay: bool = True, run: str = life.RUN) -> tuple[str, ...]:
    with store.db.write() as session:
        return halt_release.end_due(session, run, index, AS_OF, replay=replay)


@pytest.fixture
def desk_profile(store: Store) -> None:
    in_force(store)
    path = store.home.config / "policy.yaml"
    path.write_text(path.read_text().replace("profile: single_operator", "profile: desk"))
    activate(store, "policy", principal=ANN, reason="we are several")


def test_one_halt_is_released_and_the_other_stands_with_what_it_holds(store: Store) -> None:
    ibm, msft = asked(store, 0), asked(store, 1, "MSFT")
    first = engage(store, scope="symbol", target="IBM")
    second = engage(store, scope="symbol", target="MSFT")
    found = release(store, halt_id=first)
    assert (found.released, found.voided_cases) == ((first,), (ibm.case_id,))
    assert (truth(store, ibm).state, truth(store, msft).state) == ("voided", "awaiting")
    assert code_of(lambda: say(store, msft)) == "forbidden"
    assert release(store).released == (second,)


def test_a_release_voids_unsent_orders_that_were_held_and_leaves_others(store: Store) -> None:
    ibm, msft = unsent(store, 0), unsent(store, 1, "MSFT")
    release(store, halt_id=engage(store, scope="symbol", target="IBM"))
    assert (order_of(store, ibm).state, order_of(store, msft).state) == ("denied", "pending_new")
    assert truth(store, ibm).state == "cancelled"


def test_a_release_leaves_working_orders_and_reductions_alone(store: Store) -> None:
    sent = working(store, 0)
    life.hold(store, 100, "MSFT")
    leaving = life.ask(store, life.exit_proposal(1, symbol="MSFT"), exposure=100)
    engage(store)
    assert release(store).voided_cases == ()
    assert (order_of(store, sent).state, truth(store, leaving).state) == ("new", "awaiting")


@pytest.mark.parametrize("halt_id", ["halt_nobody", "file"])
def test_a_halt_that_is_not_in_force_cannot_be_released(store: Store, halt_id: str) -> None:
    engage(store)
    assert code_of(lambda: release(store, halt_id=halt_id)) == "invalid"
    assert halt.stands(store)


def test_a_halt_that_is_not_the_file_leaves_the_file_in_force(store: Store) -> None:
    key = engage(store)
    store.home.halt_file.write_text("smoke\n")
    release(store, halt_id=key)
    assert store.home.halt_file.exists()
    assert halt.stands(store)
    release(store, halt_id="file")
    assert not halt.stands(store)


def test_an_operator_alone_releases_his_own_halt_with_a_reason(store: Store) -> None:
    key = engage(store)
    assert release(store).released == (key,)
    row = halt_row(store, key)
    assert (row.released_by, row.release_reason) == ("bob", "all clear")


@pytest.mark.usefixtures("desk_profile")
def test_on_a_desk_another_person_releases_what_one_engaged(store: Store) -> None:
    key = engage(store)
    assert code_of(lambda: release(store)) == "separation"
    assert halt.stands(store)
    assert release(store, ANN).released == (key,)


@pytest.mark.usefixtures("desk_profile")
def test_on_a_desk_a_flatten_takes_two_people_and_the_same_one_twice_is_one(store: Store) -> None:
    waiting = asked(store, 0, "MSFT")
    key = engage(store, action="flatten", scope="symbol", target="IBM")
    for who in (ANN, ANN):
        found = release(store, who)
        assert (found.released, found.waiting) == ((), (key,))
    assert halt_row(store, key).asked_release == ["ann"]
    assert release(store, CARL).released == (key,)
    assert truth(store, waiting).state == "awaiting"


@pytest.mark.usefixtures("desk_profile")
def test_on_a_desk_anybody_with_the_role_releases_what_a_control_engaged(store: Store) -> None:
    key = controlled(store)
    assert release(store).released == (key,)


def test_a_control_s_halt_ends_by_itself_with_a_record_and_voids_what_it_held(store: Store) -> None:
    key = controlled(store, sessions=3)
    waiting = asked(store, 0)
    assert end_due(store, 62) == ()
    assert end_due(store, 63) == (key,)
    assert not halt.stands(store)
    assert truth(store, waiting).state == "voided"
    with store.db.read() as session:
        assert session.exec(select(LedgerRow).where(LedgerRow.kind == "halt.ended")).one().run_id == life.RUN
    assert end_due(store, 63) == ()


def test_outside_replay_the_minutes_must_have_passed_as_well(store: Store) -> None:
    key = controlled(store, sessions=1, minutes=60)
    assert end_due(store, 99, replay=False) == ()
    life.tamper(store, "UPDATE halts SET ends_wall = '2020-01-01T00:00:00.000000Z'")
    assert end_due(store, 60, replay=False) == ()
    assert end_due(store, 61, replay=False) == (key,)


def test_a_control_s_halt_ends_with_its_run(store: Store) -> None:
    key = controlled(store)
    assert end_due(store, 0, run="run_2") == (key,)


def test_a_person_s_halt_never_ends_by_itself(store: Store) -> None:
    engage(store)
    assert end_due(store, 10_000, run="run_2") == ()
    assert halt.stands(store)


def test_a_control_s_halt_that_a_person_keeps_ends_only_by_release(store: Store) -> None:
    key = controlled(store)
    assert not halt.holds_clock(store)
    halt_release.keep(store, key, reason="not before the auditor was here", principal=ANN)
    assert end_due(store, 10_000) == ()
    assert halt.holds_clock(store)
    assert release(store).released == (key,)


def test_only_a_halt_with_an_end_can_be_kept(store: Store) -> None:
    key = engage(store)
    assert code_of(lambda: halt_release.keep(store, key, reason="why", principal=ANN)) == "invalid"


def test_the_policy_names_the_rule_and_refuses_one_nobody_knows() -> None:
    assert load_policy(default_policy_text()).release.flatten_people == 2
    with pytest.raises(ConfigError, match=r"release\.flatten_peple"):
        load_policy(default_policy_text().replace("flatten_people", "flatten_peple"))
    with pytest.raises(ConfigError, match=r"release\.flatten_people"):
        load_policy(default_policy_text().replace("flatten_people: 2", "flatten_people: 0"))


def test_the_same_halts_in_two_homes_have_the_same_ids(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = life.new_store(tmp_path_factory.mktemp("other") / "home")
    life.seed_run(other)
    ids = [[engage(home), engage(home), engage(home, action="cancel")] for home in (store, other)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3
    with other.db.read() as session:
        assert len(session.exec(select(HaltRow)).all()) == 3
    other.db.dispose()
