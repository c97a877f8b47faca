"""What controls are told of the flow: orders, trades of the session, settled cash, losses, automatic entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlmodel import select

from memory.tables import CaseRow, FillRow, OrderRow, RunRow
from pipeline.activation import in_force
from pipeline.book import book_fill
from pipeline.flow import automatic_executions, checked_view
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ANN, OPEN_TICK, SESSION
from tools.execution.types import Fill
from tools.risk.types import PortfolioView
from tools.types import CaseState


def view(store: Store, **limits: object) -> PortfolioView:
    law = in_force(store).limits.model_copy(update=limits)
    with store.db.read() as session:
        return checked_view(session, session.get_one(RunRow, life.RUN), life.MARKET, OPEN_TICK, law)


def entered(store: Store, number: int = 0, **changes: object) -> life.Question:
    """An entry that a person released and that became an order."""
    question = life.ask(store, life.proposal(number, **changes))
    life.say(store, question)
    assert life.submit(store, question) is CaseState.SUBMITTED
    return question


def sold(store: Store, number: int, money: int, days_ago: int) -> None:
    day = OPEN_TICK.session - timedelta(days=days_ago)
    body = fill("sell", money, f"x{number}").model_copy(update={"session": day, "quantity": 1})
    with store.db.write() as session:
        session.add(
            FillRow(
                execution_id=f"x{number}", run_id=life.RUN, client_order_id="o", symbol="IBM", side="sell", quantity=1,
                price=Decimal(money), commission=Decimal(1), session=day, at=life.AS_OF, body=body,
            )
        )  # fmt: skip


def fill(side: str, price: int, name: str = "x") -> Fill:
    return Fill.model_validate(
        {
            "execution_id": name, "sequence": 1, "client_order_id": "o", "symbol": "IBM", "side": side, "quantity": 10,
            "price": Decimal(price), "commission": Decimal(0), "reference_price": Decimal(price), "session": SESSION,
            "at": life.AS_OF,
        }
    )  # fmt: skip


def trade(store: Store, bought: int, sold_at: int) -> int:
    """Open and close a position; the losing streak afterwards."""
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        order = OrderRow(client_order_id="o", case_id="case_none", symbol="IBM", leg="entry")  # type: ignore[call-arg]
        for side, price in (("buy", bought), ("sell", sold_at)):
            book_fill(session, run, fill(side, price), order, "Technology")
            session.flush()
        return run.loss_streak


def test_an_order_that_is_live_is_told_with_its_age_on_the_desk_clock(store: Store) -> None:
    entered(store)
    (order,) = view(store).orders or ()
    assert (order.symbol, order.side, order.quantity, order.age_seconds, order.live) == ("IBM", "buy", 100, 0.0, True)


def test_an_order_that_ended_long_ago_is_not_told(store: Store) -> None:
    entered(store)
    life.tamper(store, "UPDATE orders SET state = 'filled'")
    assert len(view(store).orders or ()) == 1
    life.tamper(store, "UPDATE orders SET created = '2009-11-13T14:30:00.000000Z'")
    assert view(store).orders == ()


def test_the_same_order_again_within_the_window_is_void(store: Store) -> None:
    entered(store)
    twice = life.ask(store, life.proposal(1))
    life.say(store, twice)
    assert life.submit(store, twice) is CaseState.VOIDED
    with store.db.read() as session:
        assert "duplicate_order" in (session.get_one(CaseRow, twice.case_id).reason or "")


def test_trades_of_the_session_count_entries_and_nothing_else(store: Store) -> None:
    assert view(store).trades_today == 0
    entered(store)
    entered(store, 1, quantity=90)
    life.tamper(store, "UPDATE orders SET leg = 'exit' WHERE quantity = 90")
    assert view(store).trades_today == 1


@pytest.mark.parametrize(("days", "settled"), [(0, 0), (1, 999), (2, 999), (3, 999)])
def test_money_of_a_sale_settles_after_its_sessions(store: Store, days: int, settled: int) -> None:
    """The market here has two sessions: today and the one before it, three days ago."""
    sold(store, 1, 1_000, 3)
    seen = view(store, settlement_days=days)
    assert seen.settled_cash is not None
    expected = seen.cash if days < 2 else seen.cash - settled
    assert seen.settled_cash == expected


def test_losses_in_a_row_are_counted_by_closed_positions_and_a_gain_ends_them(store: Store) -> None:
    assert [trade(store, 100, 90), trade(store, 100, 95), trade(store, 100, 100), trade(store, 90, 80)] == [1, 2, 0, 1]
    assert view(store).loss_streak == 1


def test_only_entries_that_nobody_released_count_as_automatic(store: Store) -> None:
    entered(store)
    alone = life.ask(store, life.proposal(1, quantity=90), life.NOBODY)
    assert life.submit(store, alone) is CaseState.SUBMITTED
    life.hold(store, symbol="IBM", strategy="trend-2")
    leaving = life.ask(store, life.exit_proposal(2), life.NOBODY, exposure=100)
    assert life.submit(store, leaving) is CaseState.SUBMITTED
    with store.db.read() as session:
        assert automatic_executions(session, life.RUN) == {"trend-1": 1}


def test_outside_the_market_s_sessions_nothing_is_known(store: Store) -> None:
    away = OPEN_TICK.model_copy(update={"session": SESSION.replace(year=2030)})
    with store.db.read() as session:
        run = session.get_one(RunRow, life.RUN)
        seen = checked_view(session, run, life.MARKET, away, in_force(store).limits)
    assert (seen.trades_today, seen.settled_cash) == (None, None)


def test_a_control_that_was_told_too_many_trades_blocks_the_next(store: Store) -> None:
    entered(store)
    law = in_force(store)
    strict = replace(law, limits=law.limits.model_copy(update={"max_trades_per_day": 1}))
    more = life.ask(store, life.proposal(1, quantity=90))
    life.say(store, more, ANN)
    with store.db.read() as session:
        assert session.exec(select(OrderRow)).one().leg == "entry"
    assert life.submit(store, more, law=strict) is CaseState.VOIDED
