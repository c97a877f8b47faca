"""Both books of a run: each difference is found, kept, blocks its symbol, and goes away when it is gone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlmodel import select

from memory.ledger import content_sha256
from memory.tables import BreakRow, ReconciliationRow
from pipeline import reconciliation
from pipeline.book import market_view
from pipeline.desk import Desk
from pipeline.execution import book_fills
from pipeline.session import SessionPlayer
from pipeline.store import Store
from tests.pipeline import life, scripted
from tests.pipeline.scripted import D, Scripted, breaks, compare, order, recorded, run_row, word, write
from tools.execution.types import OrderRequest, OrderState


def blocked(store: Store, symbol: str) -> bool:
    """Whether the control `unknown_order` would block what adds risk in a symbol."""
    with store.db.read() as session:
        found = market_view(
            session, run_row(store), life.MARKET, scripted.CLOSE, symbol, price=None, atr=None, adv=None, known_at=None
        )
    return bool(found.unknown_order)


def agreeing(store: Store) -> Scripted:
    """A broker with one working order and one execution of ours, both booked."""
    broker = Scripted()
    write(store, "o1")
    broker.orders["o1"] = word("o1")
    write(store, "o2", quantity=10)
    broker.orders["o2"] = word("o2", quantity=10)
    broker.fill("o2", 10)
    book_fills(store, broker, life.MARKET, life.RUN, scripted.CLOSE)
    assert order(store, "o2").state == "filled"
    return broker


def lose_order(store: Store, broker: Scripted) -> None:
    del broker.orders["o1"]


def place_outside(store: Store, broker: Scripted) -> None:
    broker.orders["theirs"] = word("theirs", symbol="IBM", quantity=7)


def reopen(store: Store, broker: Scripted) -> None:
    life.tamper(store, "UPDATE orders SET state = 'cancelled' WHERE client_order_id = 'o1'")


def resize(store: Store, broker: Scripted) -> None:
    broker.orders["o1"] = word("o1", quantity=99)


def claim(store: Store, broker: Scripted) -> None:
    broker.orders["o1"] = word("o1", OrderState.PARTIALLY_FILLED, filled_quantity=5)


def trade_outside(store: Store, broker: Scripted) -> None:
    broker.fill("theirs", 5)


def forget_fill(store: Store, broker: Scripted) -> None:
    gone = broker.executions.pop()
    broker.held["IBM"] -= gone.quantity
    broker.money += gone.price * gone.quantity + gone.commission


def reprice(store: Store, broker: Scripted) -> None:
    broker.executions[0] = broker.executions[0].model_copy(update={"price": D(119)})
    broker.money += 10


def transfer(store: Store, broker: Scripted) -> None:
    broker.held["IBM"] += 3


def pay_fee(store: Store, broker: Scripted) -> None:
    broker.money -= D("2.5")


CAUSES: list[tuple[Callable[[Store, Scripted], None], str, str]] = [
    (lose_order, "order_missing_at_broker", "o1"), (place_outside, "foreign_order", "theirs"),
    (reopen, "order_state", "o1"), (resize, "order_terms", "o1"), (claim, "order_filled", "o1"),
    (trade_outside, "fill_unbooked", "exec-2"), (forget_fill, "fill_missing_at_broker", "exec-1"),
    (reprice, "fill_differs", "exec-1"), (transfer, "position", "IBM"), (pay_fee, "cash", "cash"),
]  # fmt: skip


def test_books_that_agree_leave_a_report_and_nothing_in_the_record(store: Store) -> None:
    broker = agreeing(store)
    with store.db.read() as session:
        before = content_sha256(session, life.RUN)
    report = compare(store, broker, "start")
    assert (report.found, report.orders, report.fills, report.positions, report.error) == (0, 1, 1, 1, None)
    with store.db.read() as session:
        assert content_sha256(session, life.RUN) == before
        assert session.get_one(ReconciliationRow, life.RUN).body == report
    assert not blocked(store, "IBM")


@pytest.mark.parametrize(("cause", "kind", "subject"), CAUSES)
def test_each_difference_is_one_break_with_its_finding_and_blocks_what_adds_risk(
    store: Store, cause: Callable[[Store, Scripted], None], kind: str, subject: str
) -> None:
    broker = agreeing(store)
    cause(store, broker)
    for _ in range(2):
        assert compare(store, broker, "start").found == 1
    assert breaks(store) == [(kind, subject)]
    assert recorded(store).count("break.opened") == 1
    assert "break" in life.findings(store)
    assert blocked(store, "IBM")
    assert blocked(store, "GE") is (kind == "cash")


@pytest.mark.parametrize(("cause", "kind", "subject"), CAUSES)
def test_a_difference_that_goes_away_closes_its_break_with_the_reason(
    store: Store, cause: Callable[[Store, Scripted], None], kind: str, subject: str
) -> None:
    broker = agreeing(store)
    orders, executions, held, money = dict(broker.orders), list(broker.executions), dict(broker.held), broker.money
    cause(store, broker)
    compare(store, broker, "start")
    broker.orders, broker.executions, broker.held, broker.money = orders, executions, held, money
    life.tamper(store, "UPDATE orders SET state = 'new' WHERE client_order_id = 'o1'")
    life.tamper(store, "DELETE FROM fills WHERE case_id IS NULL")
    assert compare(store, broker, "start").found == 0
    assert breaks(store) == []
    with store.db.read() as session:
        assert scripted.the_break(session).reason == "the books agree again"
    assert recorded(store)[-1] == "break.closed"
    assert not blocked(store, "IBM")


def test_an_order_that_is_being_said_is_no_break(store: Store) -> None:
    broker = agreeing(store)
    lose_order(store, broker)
    life.tamper(store, "UPDATE outbox SET status = 'sent' WHERE client_order_id = 'o1'")
    assert compare(store, broker).found == 0


def test_what_the_broker_did_meanwhile_is_taken_and_is_no_break(store: Store) -> None:
    broker = agreeing(store)
    broker.fill("o1", 100)
    assert compare(store, broker).found == 0
    assert order(store, "o1").state == "filled"


def test_an_execution_after_the_tick_is_no_break_yet(store: Store) -> None:
    broker = agreeing(store)
    broker.fill("o1", 30, at=life.OPEN_TICK.as_of)
    assert compare(store, broker).found == 0
    assert order(store, "o1").filled_quantity == 0


def test_a_silent_broker_is_a_report_and_leaves_the_breaks_as_they_are(store: Store) -> None:
    broker = agreeing(store)
    transfer(store, broker)
    compare(store, broker)
    broker.silent = True
    report = compare(store, broker)
    assert report.error == "no answer"
    assert breaks(store) == [("position", "IBM")]


def test_a_look_at_new_fills_only_does_not_close_what_only_a_whole_look_finds(store: Store) -> None:
    broker = agreeing(store)
    reprice(store, broker)
    compare(store, broker, "start")
    compare(store, broker, "timer")
    assert ("fill_differs", "exec-1") in breaks(store)


def test_cash_of_a_real_broker_may_be_a_rounding_apart(store: Store) -> None:
    broker = agreeing(store)
    broker.money += D("0.004")
    assert compare(store, broker).found == 0


def test_a_start_with_a_break_is_in_safe_mode_until_none_is_open(store: Store) -> None:
    broker = agreeing(store)
    transfer(store, broker)
    compare(store, broker, "start")
    assert not store.reduce_only
    assert reconciliation.keep_safe_mode(store, life.RUN, starting=True)
    assert store.reduce_only == [reconciliation.SAFE]
    broker.held["IBM"] -= 3
    compare(store, broker)
    assert store.reduce_only == []


def outside(desk: Desk, name: str = "by-hand") -> None:
    """Somebody places an order at the venue behind the desk's back."""
    desk.broker.submit(
        OrderRequest(
            client_order_id=name, symbol="IBM", side="buy", quantity=10, order_type="limit", time_in_force="gtc",
            limit_price=Decimal(1),
        )
    )  # fmt: skip


async def test_an_order_placed_behind_the_desk_is_found_at_the_close_and_the_next_start_only_reduces(
    desk: Desk, player: SessionPlayer
) -> None:
    outside(desk)
    await player.play()
    with desk.db.read() as session:
        found = session.exec(select(BreakRow)).one()
    assert (found.kind, found.subject, found.symbol, found.status) == ("foreign_order", "by-hand", "IBM", "open")
    assert "placed outside the desk" in found.body.message
    reconciliation.at_start(desk)
    assert desk.store.reduce_only == [reconciliation.SAFE]
    desk.broker.cancel("by-hand")
    reconciliation.reconcile_desk(desk, "timer")
    assert desk.store.reduce_only == []


async def test_a_position_traded_behind_the_desk_is_one_break_of_its_execution(
    desk: Desk, player: SessionPlayer
) -> None:
    desk.broker.submit(
        OrderRequest(
            client_order_id="by-hand", symbol="IBM", side="buy", quantity=10, order_type="market", time_in_force="opg"
        )
    )
    await player.play()
    assert [kind for kind, _ in breaks(desk.store)] == ["fill_unbooked"]


def test_a_desk_in_the_middle_of_a_session_is_not_compared(desk: Desk) -> None:
    life.tamper(desk.store, "UPDATE runs SET stage = 'traded'")
    assert reconciliation.reconcile_desk(desk, "timer") is None


def test_a_venue_that_is_ahead_is_caught_up_with_first(desk: Desk) -> None:
    tick = desk.tick(61, "open")
    desk.venue.match_open(tick, {}, {})
    desk.venue.match_close(desk.tick(61, "close"), {})
    assert reconciliation.reconcile_desk(desk, "timer") is None
