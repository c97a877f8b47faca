"""Start and end of day: what the checks find, who may sign over what, and what an unsigned start holds back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import LedgerRow, PersonRow, RunRow, SignOffRow, VenueFactsRow
from pipeline import day_life, halt
from pipeline.activation import in_force
from pipeline.day_facts import look_again
from pipeline.store import Principal, Store, now
from pipeline.submission import submit_case
from tests.pipeline import life
from tests.pipeline.life import ANN, code_of
from tools.errors import RetryableToolError
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import BrokerOrder, OrderState, VenueFacts

CASH = Decimal(1_000_000)
STOP = BrokerOrder(
    client_order_id="stop_1", broker_order_id="bo_1", symbol="IBM", side="sell", quantity=100, order_type="stop",
    stop_price=Decimal(114), state=OrderState.NEW,
)  # fmt: skip


def seen(store: Store, **changes: Any) -> None:
    """What the engine saw of the venue at the close."""
    facts: dict[str, Any] = {
        "broker": "simulation", "session": life.SESSION, "session_index": 60, "next_session": life.OPEN_TICK.session,
        "as_of": life.AS_OF, "cash": CASH, "data_known_at": life.AS_OF,
    }  # fmt: skip
    with store.db.write() as session:
        session.merge(VenueFactsRow(run_id=life.RUN, body=VenueFacts(**{**facts, **changes}), seen_wall=now()))
    store.publish_head()


@pytest.fixture
def calm(store: Store) -> Store:
    """A home in order: an empty book as at the broker, a published head."""
    seen(store)
    in_force(store)
    store.publish_head()
    return store


def states(store: Store, moment: str) -> dict[str, str]:
    view = day_life.day_view(store)
    return {check.id: check.state for check in (view.start if moment == "start" else view.end).checks}


def sign(store: Store, moment: day_life.Moment = "start", who: Principal = ANN, **more: Any) -> day_life.SignResult:
    return day_life.sign(store, moment=moment, session=None, note="looked at it", principal=who, **more)


def person(store: Store, name: str, role: str) -> Principal:
    """Somebody with a login of their own, so that their role counts."""
    from memory.tables import LoginSessionRow

    with store.db.write() as session:
        session.add(PersonRow(name=name, role=role, created_by="setup", created_wall=now()))
        session.flush()
        session.add(
            LoginSessionRow(
                id=f"login_{name}", token_sha256=name, person=name, created_wall=now(), seen_wall=now()
            )
        )  # fmt: skip
    return Principal(name, "person", "127.0.0.1", f"login_{name}")


def test_a_home_in_order_passes_every_check(calm: Store) -> None:
    assert set(states(calm, "start").values()) == {"ok"}
    assert set(states(calm, "end").values()) == {"ok"}


def _fact(**changes: Any) -> Any:
    return lambda store: seen(store, **changes)


def _hold(store: Store) -> None:
    life.hold(store)
    seen(store, positions={"IBM": 100})


def _forget(store: Store) -> None:
    life.ask(store)
    life.move_clock(store, 61)


BREAKS: dict[str, tuple[str, Any]] = {
    "calendar": ("start", _fact(next_session=None)),
    "data_age": ("start", _fact(data_known_at=None)),
    "data_quality": ("start", _fact(issues={"critical": 1})),
    "broker": ("start", _fact(error="no answer", cash=None)),
    "positions": ("start", _fact(positions={"IBM": 3})),
    "cash": ("end", _fact(cash=CASH - 1)),
    "unknown_orders": ("start", _fact(orders=(STOP,))),
    "halts": ("start", lambda store: halt.engage(store, action="no_new", reason="stop", principal=ANN)),
    "law": ("start", lambda store: store.reduce_only.append("limits.yaml differs")),
    "ledger_verified": ("start", lambda store: life.tamper(store, "UPDATE ledger SET content = '{}' WHERE seq = 1")),
    "session_closed": ("end", lambda store: life.tamper(store, "UPDATE runs SET stage = 'traded'")),
    "fills": ("end", _fact(unbooked=1)),
    "equity": ("end", _fact(cash=CASH - 1)),
    "protected": ("end", _hold),
    "approvals": ("end", _forget),
}


@pytest.mark.parametrize("check", BREAKS)
def test_each_check_fails_on_what_it_is_there_for(calm: Store, check: str) -> None:
    moment, spoil = BREAKS[check]
    spoil(calm)
    assert states(calm, moment)[check] == "fail"


def test_a_position_with_its_whole_stop_at_the_broker_is_protected_and_with_a_part_it_is_not(calm: Store) -> None:
    life.hold(calm)
    seen(calm, positions={"IBM": 100}, orders=(STOP,))
    assert states(calm, "end")["protected"] == "ok"
    seen(calm, positions={"IBM": 100}, orders=(STOP.model_copy(update={"filled_quantity": 1}),))
    assert states(calm, "end")["protected"] == "fail"


def test_before_the_engine_looked_nothing_of_the_venue_passes(store: Store) -> None:
    found = states(store, "start")
    assert {found[name] for name in ("calendar", "broker", "positions", "cash", "data_age")} == {"fail"}


class SilentVenue(SimulationBroker):
    def cash(self) -> Decimal:
        raise RetryableToolError("no answer", code="broker_unreachable")


def test_a_silent_broker_is_what_was_seen(calm: Store) -> None:
    broker = SilentVenue(calm.home.broker, seed=0, starting_cash=CASH, account=life.RUN)
    with calm.db.read() as session:
        run = session.get_one(RunRow, life.RUN)
    look_again(calm, broker, run)
    assert states(calm, "start")["broker"] == "fail"


def test_a_signature_binds_the_checks_and_stands_in_the_ledger(calm: Store) -> None:
    result = sign(calm)
    with calm.db.read() as session:
        row = session.exec(select(LedgerRow).where(LedgerRow.kind == "day.signed")).one()
        kept = session.exec(select(SignOffRow)).one()
    body = json.loads(row.content)["body"]
    assert (body["principal"], body["moment"], body["session"]) == ("ann", "start", "2009-11-16")
    assert body["checks_sha256"] == result.sign_off.checks_sha256 == kept.checks_sha256
    assert row.run_id is None
    assert day_life.day_view(calm).start.signed == result.sign_off
    assert calm.verify_ledger().verified


def test_signing_twice_is_the_same_result_and_another_person_is_told_who_signed(calm: Store) -> None:
    first = sign(calm)
    again = sign(calm)
    assert (again.repeated, again.sign_off) == (True, first.sign_off)
    assert code_of(lambda: sign(calm, who=life.BOB)) == "decided"
    assert life.count(calm, SignOffRow) == 1


def test_checks_that_changed_since_they_were_shown_are_not_signed(calm: Store) -> None:
    shown = day_life.day_view(calm).start.checks_sha256
    seen(calm, issues={"info": 1})
    assert code_of(lambda: sign(calm, checks_sha256=shown)) == "stale_digest"


def test_another_session_than_the_one_due_is_refused(calm: Store) -> None:
    def other() -> None:
        day_life.sign(calm, moment="start", session=life.SESSION, note="x", principal=ANN)

    assert code_of(other) == "invalid"


@pytest.mark.parametrize(
    ("moment", "role", "code"),
    [("start", "viewer", "role"), ("start", "operator", ""), ("end", "operator", "role"), ("end", "approver", "")],
)
def test_who_may_sign_what(calm: Store, moment: day_life.Moment, role: str, code: str) -> None:
    who = person(calm, "eve", role)
    calm.publish_head()
    assert code_of(lambda: sign(calm, moment, who)) == code


def test_over_a_failed_check_only_a_risk_officer_signs_and_only_with_a_code(calm: Store) -> None:
    approver, officer = person(calm, "abe", "approver"), person(calm, "rose", "risk_officer")
    seen(calm, positions={"IBM": 3})
    assert code_of(lambda: sign(calm, who=approver, reason_code="known_break")) == "role"
    assert code_of(lambda: sign(calm, who=officer)) == "invalid"
    result = sign(calm, who=officer, reason_code="known_break")
    assert result.sign_off.failed == ("positions",)
    assert (result.sign_off.role, result.sign_off.reason_code) == ("risk_officer", "known_break")


def test_a_stand_in_signs_nothing(calm: Store) -> None:
    assert code_of(lambda: sign(calm, who=life.STAND_IN)) == "role"


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Store]:
    """A home with a released entry."""
    store = life.new_store(tmp_path / "strict")
    life.seed_run(store)
    seen(store)
    yield store
    store.db.dispose()


def send(store: Store, question: life.Question, required: bool) -> str:
    law = in_force(store)
    law = replace(law, policy=law.policy.model_copy(update={"require_sign_off": required}))
    return submit_case(store, life.MARKET, law, question.case_id, life.OPEN).value


def test_where_the_policy_wants_it_an_unsigned_start_holds_back_what_adds_risk(strict: Store) -> None:
    question = life.ask(strict)
    life.say(strict, question)
    assert send(strict, question, required=True) == "voided"
    other = life.ask(strict, life.proposal(1))
    life.say(strict, other)
    sign(strict)
    assert send(strict, other, required=True) == "submitted"


def test_an_unsigned_start_never_holds_back_an_exit_nor_a_desk_that_does_not_want_it(strict: Store) -> None:
    life.hold(strict)
    leaving = life.ask(strict, life.exit_proposal(), life.NOBODY, exposure=100)
    assert send(strict, leaving, required=True) == "submitted"
    entry = life.ask(strict, life.proposal(2, symbol="XOM"))
    life.say(strict, entry)
    open_xom = replace(
        life.OPEN, opens={"XOM": Decimal("120.6")}, adv={"XOM": Decimal(500_000_000)},
        groups={"XOM": frozenset({"XOM"})},
    )  # fmt: skip
    assert submit_case(strict, life.MARKET, in_force(strict), entry.case_id, open_xom).value == "submitted"
