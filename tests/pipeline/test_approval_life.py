"""Whatever happens to a question in whatever order, there are never two orders and never one unapproved."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline import people
from pipeline.activation import in_force
from pipeline.store import Principal
from tests.people_help import ROOT
from tests.pipeline import life
from tests.pipeline.life_machine import ANN, BEA, PEOPLE, RITA, SAM, VIC, ApprovalLife
from tests.pipeline.life_model import LARGE_SHARE, STOP


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> type[ApprovalLife]:
    """The machine over a home with people and a policy of four eyes in it."""
    home = tmp_path_factory.mktemp("life") / "home"
    store = life.new_store(home)
    life.seed_run(store)
    life.activate_policy(store, profile="desk", second_signature_share=str(LARGE_SHARE))
    cast = {}
    for who in PEOPLE:
        added = people.add(store, by=ROOT, name=who.name, role=who.role, with_key=True, order_limit=who.order_limit)
        cast[who.name] = Principal(who.name, "person", "127.0.0.1", f"key:{added.person.keys[0].id}")
    law = in_force(store)
    store.publish_head()
    store.db.dispose()
    return type("Life", (ApprovalLife,), {"template": home, "principals": cast, "law": law, "met": Counter()})


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_order_of_events_gives_two_orders_or_one_without_enough_people(machine: type[ApprovalLife]) -> None:
    told = settings(
        max_examples=12, stateful_step_count=14, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    for number in range(5):
        run_state_machine_as_test(seed(number)(machine), settings=told)
    wanted = {
        "submitted",
        "edited submitted",
        "edited voided",
        "rejected",
        "expired",
        "decided",
        "stale_digest",
        "role",
    }
    assert wanted <= set(machine.met), f"the machine never met {wanted - set(machine.met)}: {machine.met}"


def test_every_bar_that_the_machine_knows_is_met(machine: type[ApprovalLife]) -> None:
    """One life that runs into each of them, so that the model is known to be held against each."""
    one = machine()
    try:
        one.ask(2, "approver", 60, True, False, ())
        one.answer([ANN, VIC], "approve", "now")
        for who in PEOPLE:
            one.open_evidence(who)
        one.answer([SAM], "approve", "now")
        one.change(RITA, 80, STOP)
        one.answer([RITA, BEA], "approve", "now")
        one.change(ANN, 67, STOP)
        one.answer([RITA, ANN], "approve", "now")
        one.shut_out_or_let_in(BEA)
        one.answer([BEA], "reject", "now")
        one.engage("no_new")
        one.answer([SAM, ANN], "approve", "now")
        one.change(RITA, 101, STOP)
        codes = {"evidence_unopened", "role", "own_limit", "separation", "unauthorized", "forbidden", "invalid"}
        assert codes <= set(one.met)
        one.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
    finally:
        one.teardown()


def test_the_machine_knows_that_a_clock_turned_back_lends_nothing_again(machine: type[ApprovalLife]) -> None:
    one = machine()
    try:
        one.ask(1, "approver", 60, False, False, ())
        one.lend_a_role(RITA, VIC, 20)
        for minutes in (31, -20):
            one.turn_the_clock(minutes)
            one.watch()
        one.answer([VIC], "approve", "now")
        assert one.state() == "awaiting"
    finally:
        one.teardown()


FORGERIES = {
    "a grant that was used and is minted again": "UPDATE grants SET status = 'minted'",
    "a signer made up": """UPDATE grants SET body = replace(body, '"ann"', '"bea"')""",
    "more than was approved": "UPDATE orders SET quantity = 101",
    "another digest": "UPDATE grants SET digest = '0'",
    "a decision that nobody took": "UPDATE decisions SET principal = 'bea'",
    "an editor unknown to anybody": (
        "INSERT INTO edits (approval_id, principal, old_digest, new_digest, reason, reason_code, edited_wall) "
        "SELECT approval_id, 'ann', digest, digest, 'r', 'other', decided_wall FROM decisions"
    ),
}


@pytest.mark.parametrize("forged", FORGERIES)
def test_the_machine_would_notice(machine: type[ApprovalLife], forged: str) -> None:
    """The invariant is worth something: an order that was not approved like that is seen."""
    life_of_one = machine()
    try:
        life_of_one.ask(1, "approver", None, False, False, ("go on", "go on"))
        life_of_one.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
        assert life_of_one.state() == "submitted"
        life.tamper(life_of_one.store, FORGERIES[forged])
        with pytest.raises(AssertionError):
            life_of_one.an_order_exists_only_under_one_consumed_grant_of_enough_people_for_this_digest()
    finally:
        life_of_one.teardown()
