"""Delegation: a role lent for a time; and the limits of one's own that lending does not lift."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from memory.tables import DecisionRow, DelegationRow, HeartbeatRow, LedgerRow
from pipeline import authority, delegation, people, signer
from pipeline.permissions import effective_role
from pipeline.store import Principal, Store, now
from tests.people_help import ROOT, records
from tests.pipeline import life
from tests.pipeline.life import ONE, Question, code_of, say, truth
from tools.errors import ApprovalError

RISK = ONE.model_copy(update={"roles": ("risk_officer",)})
HOUR = timedelta(hours=1)


def person(store: Store, name: str, role: str, **limits: Decimal | None) -> Principal:
    """Somebody who acts by an API key."""
    made = people.add(store, by=ROOT, name=name, role=role, with_key=True, **limits)  # type: ignore[arg-type]
    return Principal(name, "person", "127.0.0.1", f"key:{made.person.keys[0].id}")


@pytest.fixture
def rita(store: Store) -> Principal:
    return person(store, "rita", "risk_officer")


@pytest.fixture
def abe(store: Store) -> Principal:
    return person(store, "abe", "approver")


@pytest.fixture
def asked(store: Store) -> Question:
    """One entry that waits for a risk officer."""
    return life.ask(store, ruling=RISK)


def lend(store: Store, by: Principal, giver: str = "rita", to: str = "abe", **changes: Any) -> DelegationRow:
    at = now()
    wished: dict[str, Any] = {"starts": at - HOUR, "ends": at + HOUR, "reason": "away", **changes}
    return delegation.delegate(store, principal=by, giver=giver, to=to, **wished)


def set_clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("pipeline.permissions.now", lambda: at)


def test_an_approver_with_a_lent_role_satisfies_a_ruling_that_needs_it(
    store: Store, asked: Question, rita: Principal, abe: Principal
) -> None:
    assert code_of(lambda: say(store, asked, abe)) == "role"
    assert code_of(lambda: say(store, asked, abe, "reject")) == "role"
    lend(store, rita)
    assert say(store, asked, abe).decided_by == "abe"
    assert truth(store, asked).state == "approved"


def test_the_giver_keeps_the_role(store: Store, asked: Question, rita: Principal, abe: Principal) -> None:
    lend(store, rita)
    assert say(store, asked, rita).status == "approved"


def test_a_lent_role_counts_from_its_start_until_before_its_end(
    store: Store, asked: Question, rita: Principal, abe: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = lend(store, rita)
    for at in (row.starts_wall - timedelta(seconds=1), row.ends_wall):
        set_clock(monkeypatch, at)
        assert code_of(lambda: say(store, asked, abe)) == "role"
    set_clock(monkeypatch, row.ends_wall - timedelta(seconds=1))
    assert say(store, asked, abe).status == "approved"


def test_a_lent_role_does_not_come_back_with_a_clock_turned_back(
    store: Store, asked: Question, rita: Principal, abe: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = lend(store, rita)
    with store.db.write() as session:
        session.add(HeartbeatRow(component="clock", pid=1, state="ok", detail="", at_wall=row.ends_wall))
    set_clock(monkeypatch, row.starts_wall)
    assert code_of(lambda: say(store, asked, abe)) == "role"


@pytest.mark.parametrize("ender", ["rita", "abe", "local operator"])
def test_a_lent_role_is_over_when_it_was_ended(
    store: Store, asked: Question, rita: Principal, abe: Principal, ender: str
) -> None:
    row = lend(store, rita)
    by = {"rita": rita, "abe": abe}.get(ender, ROOT)
    first = delegation.end(store, row.id, principal=by).ended_wall
    assert delegation.end(store, row.id, principal=by).ended_wall == first
    assert code_of(lambda: say(store, asked, abe)) == "role"
    with store.db.read() as session:
        assert len(session.exec(select(LedgerRow).where(LedgerRow.kind == "delegation.ended")).all()) == 1


def test_what_a_disabled_giver_lent_is_void_for_good(
    store: Store, asked: Question, rita: Principal, abe: Principal
) -> None:
    lend(store, rita)
    people.disable(store, "rita", by=ROOT)
    assert code_of(lambda: say(store, asked, abe)) == "role"
    people.enable(store, "rita", by=ROOT)
    assert code_of(lambda: say(store, asked, abe)) == "role"


def test_what_a_demoted_giver_lent_is_void_for_good(
    store: Store, asked: Question, rita: Principal, abe: Principal
) -> None:
    lend(store, rita)
    for role in ("approver", "risk_officer"):
        people.change_role(store, "rita", role, by=ROOT, reason="leave")
        assert code_of(lambda: say(store, asked, abe)) == "role"


def test_a_giver_who_rises_goes_on_lending(store: Store, asked: Question, rita: Principal, abe: Principal) -> None:
    lend(store, rita)
    people.change_role(store, "rita", "admin", by=ROOT, reason="promoted")
    assert say(store, asked, abe).status == "approved"


def test_a_disabled_delegate_can_do_nothing(store: Store, asked: Question, rita: Principal, abe: Principal) -> None:
    lend(store, rita)
    people.disable(store, "abe", by=ROOT)
    assert code_of(lambda: say(store, asked, abe)) == "unauthorized"


def test_a_lower_role_takes_nothing_away(store: Store, rita: Principal, abe: Principal) -> None:
    lend(store, abe, giver="abe", to="rita")
    with store.db.read() as session:
        assert effective_role(session, rita, now()) == "risk_officer"


def test_a_role_that_was_lent_is_not_lent_on(store: Store, rita: Principal, abe: Principal) -> None:
    zoe = person(store, "zoe", "viewer")
    lend(store, rita)
    lend(store, abe, giver="abe", to="zoe")
    with store.db.read() as session:
        assert effective_role(session, zoe, now()) == "approver"


@pytest.mark.parametrize(
    ("starts", "ends"),
    [(timedelta(0), timedelta(days=14, seconds=1)), (HOUR, HOUR), (HOUR, timedelta(0)), (-2 * HOUR, -HOUR)],
)
def test_a_time_that_is_too_long_backward_or_over_is_refused(
    store: Store, rita: Principal, abe: Principal, starts: timedelta, ends: timedelta
) -> None:
    at = now()
    assert code_of(lambda: lend(store, rita, starts=at + starts, ends=at + ends)) == "invalid"
    assert life.count(store, DelegationRow) == 0


def test_fourteen_days_are_taken(store: Store, rita: Principal, abe: Principal) -> None:
    at = now()
    assert lend(store, rita, starts=at, ends=at + delegation.LONGEST).giver == "rita"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "rita"}, "invalid"), ({"to": "nobody"}, "invalid"), ({"giver": "nobody"}, "role"),
        ({"giver": "abe", "to": "rita"}, "role"), ({"reason": " "}, "invalid"),
    ],
)  # fmt: skip
def test_what_may_not_be_lent_is_refused_by_code(
    store: Store, rita: Principal, abe: Principal, changes: dict[str, Any], code: str
) -> None:
    assert code_of(lambda: lend(store, rita, **changes)) == code
    assert life.count(store, DelegationRow) == 0


def test_an_admin_may_record_it_for_an_absent_person_who_exists(store: Store, rita: Principal, abe: Principal) -> None:
    chief = person(store, "chief", "admin")
    assert lend(store, chief).created_by == "chief"
    assert code_of(lambda: lend(store, chief, giver="nobody")) == "invalid"
    people.disable(store, "abe", by=ROOT)
    assert code_of(lambda: lend(store, chief)) == "invalid"


def test_only_the_two_and_an_admin_may_end_it(store: Store, rita: Principal, abe: Principal) -> None:
    other = person(store, "otto", "risk_officer")
    row = lend(store, rita)
    assert code_of(lambda: delegation.end(store, row.id, principal=other)) == "role"
    assert code_of(lambda: delegation.end(store, "dele_none", principal=rita)) == "unknown"


def test_an_own_order_limit_keeps_from_approving_and_not_from_refusing(store: Store) -> None:
    small = person(store, "small", "approver", order_limit=Decimal("12049.99"))
    exact = person(store, "exact", "approver", order_limit=Decimal(12_050))
    first, second = life.ask(store), life.ask(store, life.proposal(1))
    assert code_of(lambda: say(store, first, small)) == "own_limit"
    assert truth(store, first).decisions == 0
    assert say(store, first, small, "reject").status == "rejected"
    assert say(store, second, exact).status == "approved"


def test_an_own_day_limit_counts_what_was_released_today(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    daily = person(store, "daily", "approver", day_limit=Decimal(24_100))
    asked = [life.ask(store, life.proposal(number)) for number in range(4)]
    assert [say(store, asked[number], daily).status for number in range(2)] == ["approved", "approved"]
    assert code_of(lambda: say(store, asked[2], daily)) == "own_limit"
    assert say(store, asked[2], daily, "reject").status == "rejected"
    set_clock(monkeypatch, now() + timedelta(days=1))
    assert say(store, asked[3], daily).status == "approved"


def test_a_lent_role_does_not_lift_ones_own_limit(store: Store, asked: Question, rita: Principal) -> None:
    person(store, "small", "approver", order_limit=Decimal(1))
    with store.db.read() as session:
        made = people.limits_of(session, "small")
    assert made.order == 1
    keyed = people.new_key(store, "small", by=ROOT)
    small = Principal("small", "person", "127.0.0.1", f"key:{keyed.key.id}")
    lend(store, rita, to="small")
    assert code_of(lambda: say(store, asked, small)) == "own_limit"


BOTH = ONE.model_copy(update={"required": 2})


@pytest.fixture
def cora(store: Store) -> Principal:
    return person(store, "cora", "operator")


def test_an_operator_with_a_lent_role_answers_and_both_stand_in_the_record(
    store: Store, abe: Principal, cora: Principal
) -> None:
    asked = life.ask(store)
    assert code_of(lambda: say(store, asked, cora)) == "role"
    lend(store, abe, giver="abe", to="cora")
    told = say(store, asked, cora)
    assert (told.status, told.decided_by, told.on_behalf_of) == ("approved", "cora", "abe")
    ((content, _),) = records(store, "case.approved")
    assert (content["principal"], content["on_behalf_of"], content["principals"]) == ("cora", "abe", ["cora"])


def test_who_needs_no_lent_role_signs_in_their_own_name(store: Store, rita: Principal, abe: Principal) -> None:
    lend(store, rita)
    assert say(store, life.ask(store), abe).on_behalf_of is None


@pytest.mark.parametrize("first", ["giver", "delegate"])
def test_giver_and_delegate_are_one_of_two_signatures(
    store: Store, abe: Principal, cora: Principal, first: str
) -> None:
    asked = life.ask(store, ruling=BOTH)
    row = lend(store, abe, giver="abe", to="cora")
    one, two = (abe, cora) if first == "giver" else (cora, abe)
    assert say(store, asked, one).given == 1
    assert code_of(lambda: say(store, asked, two)) == "separation"
    if first == "delegate":
        delegation.end(store, row.id, principal=abe)
        assert code_of(lambda: say(store, asked, two)) == "separation"
    assert truth(store, asked).approval == "pending"
    assert say(store, asked, person(store, "zoe", "approver")).status == "approved"


def test_two_delegates_of_one_giver_are_one_person(store: Store, abe: Principal, cora: Principal) -> None:
    asked = life.ask(store, ruling=BOTH)
    dave = person(store, "dave", "operator")
    for name in ("cora", "dave"):
        lend(store, abe, giver="abe", to=name)
    assert say(store, asked, cora).given == 1
    assert code_of(lambda: say(store, asked, dave)) == "separation"


def test_a_delegate_of_two_givers_acts_for_the_one_who_has_not_signed(
    store: Store, rita: Principal, abe: Principal, cora: Principal
) -> None:
    asked = life.ask(store, ruling=BOTH)
    lend(store, rita, to="cora")
    say(store, asked, abe)
    assert say(store, asked, cora).on_behalf_of == "rita"
    assert truth(store, asked).state == "approved"


def test_people_with_a_loan_between_them_are_one_while_it_runs(store: Store, rita: Principal, abe: Principal) -> None:
    asked = life.ask(store, ruling=BOTH)
    row = lend(store, rita)
    say(store, asked, abe)
    assert code_of(lambda: say(store, asked, rita)) == "separation"
    delegation.end(store, row.id, principal=rita)
    assert say(store, asked, rita).status == "approved"


def test_the_signer_itself_counts_a_forged_pair_once(store: Store, abe: Principal, cora: Principal) -> None:
    asked = life.ask(store, ruling=BOTH)
    lend(store, abe, giver="abe", to="cora")
    say(store, asked, cora)
    life.tamper(
        store,
        "INSERT INTO decisions (approval_id, case_id, principal, decision, digest, reason, decided_wall) "
        "SELECT approval_id, case_id, 'abe', 'approve', digest, 'forged', decided_wall FROM decisions",
    )
    life.tamper(store, "UPDATE approvals SET status='approved'")
    with store.db.read() as session, pytest.raises(ApprovalError, match="too few signatures"):
        signer.approval_body(session, asked.approval_id)


@pytest.mark.parametrize("strict", ["abe", "cora"])
def test_the_stricter_of_both_order_limits_holds(store: Store, strict: str) -> None:
    tight = {"order_limit": Decimal(12_049)}
    abe = person(store, "abe", "approver", **(tight if strict == "abe" else {}))
    cora = person(store, "cora", "operator", **(tight if strict == "cora" else {}))
    lend(store, abe, giver="abe", to="cora")
    assert code_of(lambda: say(store, life.ask(store), cora)) == "own_limit"


def test_what_is_signed_for_the_giver_uses_up_the_givers_day(store: Store, cora: Principal) -> None:
    abe = person(store, "abe", "approver", day_limit=Decimal(12_050))
    asked = [life.ask(store, life.proposal(number)) for number in range(2)]
    lend(store, abe, giver="abe", to="cora")
    assert say(store, asked[0], cora).status == "approved"
    assert code_of(lambda: say(store, asked[1], abe)) == "own_limit"


def test_a_clock_set_back_extends_no_lent_role(
    store: Store, abe: Principal, cora: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = lend(store, abe, giver="abe", to="cora")
    with store.db.write() as session:
        session.add(HeartbeatRow(component="clock", pid=1, state="ok", detail="", at_wall=row.ends_wall))
    assert code_of(lambda: say(store, life.ask(store), cora)) == "role"


def test_what_has_run_out_is_closed_once_and_for_good(
    store: Store, abe: Principal, cora: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = lend(store, abe, giver="abe", to="cora")
    assert authority.end_due(store) == 0
    monkeypatch.setattr("pipeline.authority.now", lambda: row.ends_wall)
    assert [authority.end_due(store), authority.end_due(store)] == [1, 0]
    monkeypatch.undo()
    assert code_of(lambda: say(store, life.ask(store), cora)) == "role"
    ((content, _),) = records(store, "delegation.ended")
    assert (content["principal"], content["from"], content["to"]) == ("the clock", "abe", "cora")


def test_a_lent_admin_gives_nothing_away(store: Store, abe: Principal, cora: Principal) -> None:
    chief = person(store, "chief", "admin")
    lend(store, chief, giver="chief", to="cora")
    assert code_of(lambda: lend(store, cora, giver="abe", to="cora")) == "role"


def test_a_delegate_may_refuse_what_the_giver_approved(store: Store, abe: Principal, cora: Principal) -> None:
    asked = life.ask(store, ruling=BOTH)
    lend(store, abe, giver="abe", to="cora")
    say(store, asked, abe)
    assert say(store, asked, cora, "reject").status == "rejected"


SIGNATURES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.none() | st.sampled_from("abcd")), max_size=5, unique_by=lambda pair: pair[0]
)


@given(SIGNATURES)
def test_no_lent_name_ever_adds_a_person(pairs: list[tuple[str, str | None]]) -> None:
    rows = [
        DecisionRow(
            approval_id="a", case_id="c", principal=who, on_behalf_of=giver, decision="approve", digest="d", reason="",
            decided_wall=now(),
        )
        for who, giver in pairs
    ]  # fmt: skip
    counted = authority.distinct(rows)
    assert counted <= len({giver or who for who, giver in pairs})
    assert counted == authority.distinct(reversed(rows))
    assert counted == len(pairs) or any(giver not in (None, who) for who, giver in pairs)
