"""Busts and corrections as Alpaca tells them, from the stream to the books; and one that nobody heard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.drills.order_desk import OrderDesk
from tests.peers.alpaca_book import Json
from tests.peers.alpaca_peer import AlpacaPeer

CASH = Decimal(100_000)
SEEDS = itertools.count()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrderDesk]:
    with AlpacaPeer() as peer:
        desk = OrderDesk(tmp_path_factory.mktemp("amended"), peer)
        yield desk
        desk.close()
        desk.store.db.dispose()


@pytest.fixture
def desk(made: OrderDesk) -> OrderDesk:
    """A desk that bought 10 IBM in two executions."""
    seed = next(SEEDS)
    made.peer.reset(seed, cash=CASH)
    made.begin(seed, CASH)
    name = made.grant(0, "IBM", "buy", 10, limit=None)
    made.round(missed=False, stops=False)
    made.peer.book.fill(name, 4, Decimal(127))
    made.peer.book.fill(name, 6, Decimal(128))
    made.peer.publish()
    return made


def tell(desk: OrderDesk, activity: Json, quantity: int = 0, price: Decimal | None = None) -> None:
    desk.peer.book.amend(activity, quantity, price)
    desk.peer.publish()


def agree(desk: OrderDesk) -> bool:
    held, cash = desk.books()
    return held == {name: n for name, n in desk.peer.book.positions.items() if n} and cash == desk.peer.book.cash


@pytest.mark.parametrize("read_before", [True, False])
@pytest.mark.parametrize("change", [(0, None), (5, None), (6, Decimal("127.50"))])
def test_an_amendment_that_the_stream_tells_is_booked_once(
    desk: OrderDesk, read_before: bool, change: tuple[int, Decimal | None]
) -> None:
    if read_before:
        desk.round(missed=True, stops=False)
        assert agree(desk)
    desk.peer.stream_script.append("repeat")
    tell(desk, desk.peer.book.activities[1], *change)
    for _ in range(2):
        desk.round(missed=True, stops=False)
    assert agree(desk)
    assert desk.books()[0]["IBM"] == 4 + change[0]
    assert desk.reconcile("asked") is None
    kinds = [row.body.kind for row in desk.breaks()]
    assert kinds == ([] if change[0] == 6 else ["order_state"]), "what was complete and no longer is waits for a person"


def test_an_amendment_that_nobody_heard_is_a_break_that_blocks_its_symbol(desk: OrderDesk) -> None:
    desk.round(missed=True, stops=False)
    desk.peer.stream_script.append("drop")
    tell(desk, desk.peer.book.activities[1])
    desk.round(missed=True, stops=False)
    assert not agree(desk)
    assert desk.reconcile() is None
    assert {row.body.kind for row in desk.breaks()} == {"position", "cash"}
    assert desk.blocks("IBM")


def test_an_amendment_of_an_execution_that_is_not_known_asks_and_changes_nothing(desk: OrderDesk) -> None:
    desk.round(missed=True, stops=False)
    before = desk.books()
    tell(desk, {**desk.peer.book.activities[0], "id": "20260302::elsewhere", "qty": "0", "price": "1"})
    desk.round(missed=True, stops=False)
    assert desk.books() == before
    assert desk.reconcile("asked") is None
    assert desk.breaks() == []
