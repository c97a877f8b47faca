"""A person decides a break: explained, adopted into the book, or left; by name, with a reason, once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import BreakRow, CaseRow, LedgerRow, OrderRow, PositionRow, RunRow
from pipeline import adoption, execution
from pipeline.desk import Desk
from pipeline.reconciliation import reconcile
from pipeline.store import Principal, Store
from tests.pipeline import life, scripted
from tests.pipeline.life import code_of
from tests.pipeline.scripted import D, Scripted, breaks, word
from tools.execution.reconciliation.types import Decision
from tools.execution.types import OrderState

OFFICER = Principal("olga", "person")


class Books:
    """A real desk's book against a scripted broker."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tick = desk.tick(60, "close")
        self.broker = Scripted()

    @property
    def store(self) -> Store:
        return self.desk.store

    def trade(self, name: str, quantity: int, **changes: Any) -> None:
        self.broker.fill(name, quantity, "126", **{"at": self.tick.as_of, "session": self.tick.session, **changes})

    def compare(self) -> int:
        return reconcile(self.store, self.broker, self.desk.market, self.desk.run_id, self.tick, "asked").found

    def decide(self, decision: Decision, reason: str = "seen with the broker") -> BreakRow:
        with self.store.db.read() as session:
            row = session.exec(select(BreakRow).where(BreakRow.status != "closed")).one()
        return adoption.decide(self.store, row.id, decision, principal=OFFICER, reason=reason)

    def position(self, symbol: str = "IBM") -> int:
        with self.store.db.read() as session:
            row = session.get(PositionRow, (self.desk.run_id, symbol))
        return 0 if row is None else row.quantity

    def cash(self) -> Decimal:
        with self.store.db.read() as session:
            return session.get_one(RunRow, self.desk.run_id).cash

    def our_order(self, name: str = "o1", state: str = "new") -> None:
        scripted.write(self.store, name, state)


@pytest.fixture
def books(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setattr(adoption, "market_of", lambda _store, _run: desk.market)
    monkeypatch.setattr(life, "RUN", desk.run_id)
    return Books(desk)


def test_an_adopted_order_lives_on_in_our_book_under_a_manual_case(books: Books) -> None:
    books.broker.orders["theirs"] = word("theirs", quantity=10)
    assert books.compare() == 1
    row = books.decide("adopt")
    with books.store.db.read() as session:
        order = session.get_one(OrderRow, "theirs")
        case = session.get_one(CaseRow, order.case_id)
    assert (row.status, row.principal, row.case_id) == ("adopted", "olga", case.id)
    assert (case.strategy, case.kind, case.state, case.order.risk_effect) == (
        "manual",
        "order.entry",
        "done",
        "increases",
    )
    assert books.compare() == 0
    books.trade("theirs", 10)
    execution.book_fills(books.store, books.broker, books.desk.market, books.desk.run_id, books.tick)
    assert (books.position(), books.compare()) == (10, 0)


def test_an_adopted_execution_is_booked_with_its_order(books: Books) -> None:
    books.broker.orders["theirs"] = word("theirs", quantity=10)
    books.trade("theirs", 10)
    assert books.compare() == 1
    books.decide("adopt")
    assert (books.position(), books.cash()) == (10, books.broker.money)
    assert books.compare() == 0
    assert breaks(books.store) == []


def test_a_left_order_is_not_repeated_and_goes_on_blocking_what_adds_risk(books: Books) -> None:
    books.broker.orders["theirs"] = word("theirs", quantity=10)
    books.compare()
    books.decide("leave")
    books.broker.orders["theirs"] = word("theirs", OrderState.PARTIALLY_FILLED, quantity=10, filled_quantity=0)
    books.compare()
    assert breaks(books.store) == []
    assert breaks(books.store, "left") == [("foreign_order", "theirs")]
    with books.store.db.read() as session:
        assert session.exec(select(BreakRow.reason)).one() == "seen with the broker"
    del books.broker.orders["theirs"]
    books.compare()
    assert breaks(books.store, "closed") == [("foreign_order", "theirs")]


def test_what_was_left_may_still_be_adopted(books: Books) -> None:
    books.broker.orders["theirs"] = word("theirs", quantity=10)
    books.compare()
    books.decide("leave")
    assert books.decide("adopt").status == "adopted"


def test_an_explained_difference_is_explained_for_what_it_was(books: Books) -> None:
    books.broker.money -= 5
    books.compare()
    books.decide("explain", "the exchange fee of October")
    books.compare()
    assert breaks(books.store) == []
    books.broker.money -= 1
    books.compare()
    assert breaks(books.store) == [("cash", "cash")]


def test_adopted_cash_is_the_broker_s(books: Books) -> None:
    books.broker.money += D("12.34")
    books.compare()
    books.decide("adopt", "dividend")
    assert books.cash() == books.broker.money
    assert books.compare() == 0


@pytest.mark.parametrize(("here", "there"), [(0, 25), (25, 40), (25, 10), (25, 0), (25, -5)])
def test_an_adopted_position_is_the_broker_s_and_moves_no_money(books: Books, here: int, there: int) -> None:
    if here:
        life.hold(books.store, here)
    books.broker.held["IBM"] = there
    books.compare()
    before = books.cash()
    books.decide("adopt", "transfer")
    assert (books.position(), books.cash(), books.compare()) == (there, before, 0)


def test_a_position_that_moved_since_is_not_adopted(books: Books) -> None:
    books.broker.held["IBM"] = 25
    books.compare()
    life.hold(books.store, 10)
    assert code_of(lambda: books.decide("adopt")) == "stale_digest"
    assert books.position() == 10


def vanish(books: Books) -> str:
    books.our_order()
    return "cancelled"


def end_elsewhere(books: Books) -> str:
    books.our_order(state="cancelled")
    books.broker.orders["o1"] = word("o1")
    return "new"


def shrink(books: Books) -> str:
    books.our_order()
    books.broker.orders["o1"] = word("o1", quantity=60)
    return "new"


@pytest.mark.parametrize("cause", [vanish, end_elsewhere, shrink])
def test_an_adopted_order_state_is_the_broker_s(books: Books, cause: Callable[[Books], str]) -> None:
    after = cause(books)
    assert books.compare() == 1
    books.decide("adopt")
    with books.store.db.read() as session:
        assert session.get_one(OrderRow, "o1").state == after
    assert books.compare() == 0


@pytest.mark.parametrize("busted", [True, False])
def test_an_execution_that_the_broker_took_back_or_changed_is_taken_over(books: Books, busted: bool) -> None:
    books.our_order()
    books.broker.orders["o1"] = word("o1")
    books.trade("o1", 100)
    assert books.compare() == 0
    if busted:
        books.broker.executions.clear()
        books.broker.held, books.broker.money = {}, D(1_000_000)
        books.broker.orders["o1"] = word("o1")
    else:
        books.broker.executions[0] = books.broker.executions[0].model_copy(update={"price": D(125)})
        books.broker.money += 100
    assert books.compare() == 1
    books.decide("adopt", "the venue says so")
    assert books.position() == (0 if busted else 100)
    assert books.cash() == books.broker.money
    books.compare()
    assert breaks(books.store) == []


def test_an_order_in_a_name_without_prices_is_not_adopted_but_may_be_left(books: Books) -> None:
    books.broker.orders["theirs"] = word("theirs", symbol="ZZZ")
    books.compare()
    assert code_of(lambda: books.decide("adopt")) == "invalid"
    assert books.decide("leave").status == "left"


def test_a_break_is_decided_once_and_only_by_a_person_with_a_reason(books: Books) -> None:
    books.broker.money += 1
    books.compare()
    with books.store.db.read() as session:
        name = session.exec(select(BreakRow.id)).one()

    def say(principal: Principal = OFFICER, reason: str = "seen", break_id: str = name) -> str:
        return code_of(lambda: adoption.decide(books.store, break_id, "explain", principal=principal, reason=reason))

    assert say(Principal("policy:entry", "policy")) == "role"
    assert say(reason="  ") == "invalid"
    assert say(break_id="break_none") == "unknown"
    assert breaks(books.store) == [("cash", "cash")]
    books.decide("explain")
    assert say() == "decided"
    with books.store.db.read() as session:
        (entry,) = session.exec(select(LedgerRow).where(LedgerRow.kind == "break.explained")).all()
    assert '"principal":"olga"' in entry.content
    assert books.store.verify_ledger().verified


def test_an_order_that_was_adopted_as_living_may_end_again_as_it_had(books: Books) -> None:
    books.our_order()
    books.broker.orders["o1"] = word("o1", OrderState.CANCELLED)
    books.compare()
    books.broker.orders["o1"] = word("o1")
    assert books.compare() == 1
    books.decide("adopt")
    books.broker.orders["o1"] = word("o1", OrderState.CANCELLED)
    books.compare()
    with books.store.db.read() as session:
        assert session.get_one(OrderRow, "o1").state == "cancelled"
    assert scripted.recorded(books.store).count("order.cancelled") == 2
    assert books.store.verify_ledger().verified
