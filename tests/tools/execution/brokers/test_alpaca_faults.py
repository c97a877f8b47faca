"""Hundreds of seeded fault schedules: whatever the wire does, an order is booked once and every fill is read once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.peers.alpaca_peer import FAULTS, AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect, posts, sell
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.brokers.alpaca import DOUBT_S, AlpacaBroker
from tools.execution.messages import Execution, OrderMessage, OrderView, apply_message
from tools.execution.orders import OrderEvent
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderRequest, OrderState

D = Decimal
SCHEDULES = 120
ROUNDS = 8


@pytest.fixture(scope="module")
def peer() -> Iterator[AlpacaPeer]:
    with AlpacaPeer(hang_s=0.1) as made:
        yield made


class Desk:
    """The smallest desk that is honest: asks before it sends again, books by execution id, keeps doubt as doubt."""

    def __init__(self, peer: AlpacaPeer, journal: Path) -> None:
        self.peer = peer
        self.journal = journal
        self.now = 0.0
        self.patience_s = 0.05
        self.broker = self.connect()
        self.wanted: dict[str, OrderRequest] = {}
        self.cancels: set[str] = set()
        self.known: dict[str, BrokerOrder] = {}
        self.denied: dict[str, str] = {}
        self.fills: dict[str, Fill] = {}
        self.cursor = 0

    def connect(self) -> AlpacaBroker:
        return connect(self.peer, self.journal, timeout_s=(5.0, self.patience_s), clock=lambda: self.now)

    def restart(self) -> None:
        """Die and come back: only the journal and the book survive."""
        self.broker.close()
        self.broker = self.connect()

    def round(self) -> None:
        self.now += 1
        for name, request in self.wanted.items():
            if name not in self.denied and (name not in self.known or self.known[name].state not in TERMINAL):
                self.settle(name, request)
        try:
            for fill in self.broker.fills(self.cursor):
                assert fill.execution_id not in self.fills, "a fill was given twice"
                assert fill.sequence == self.cursor + 1
                self.fills[fill.execution_id] = fill
                self.cursor = fill.sequence
        except RetryableToolError:
            return

    def settle(self, name: str, request: OrderRequest) -> None:
        try:
            found = self.broker.find(name)
            order = found if found is not None else self.broker.submit(request)
            if name in self.cancels and order.state not in TERMINAL:
                order = self.broker.cancel(name)
            self.known[name] = order
        except RetryableToolError:
            return
        except ExecutionError as error:
            self.denied[name] = error.code


def drive(peer: AlpacaPeer, seed: int, journal: Path) -> Desk:
    draw = random.Random(seed)
    peer.reset(seed, cash=D(draw.choice([5_000, 100_000])))
    peer.lively = True
    peer.book.refuse_duplicates = seed % 2 == 0
    peer.rates = dict.fromkeys(draw.sample(FAULTS, 5), 0.07)
    desk = Desk(peer, journal)
    for number in range(ROUNDS):
        if number < 4:
            name = f"s{seed}-{number}"
            make = sell if number == 3 else buy
            desk.wanted[name] = make(name, draw.randint(1, 25), symbol=draw.choice(["IBM", "DELL"]))
        if draw.random() < 0.25:
            desk.cancels.add(draw.choice(sorted(desk.wanted)))
        desk.round()
        if draw.random() < 0.1:
            desk.restart()
    return desk


def view_of(desk: Desk, name: str) -> OrderView:
    """The order as the message fold sees it, from a report and the booked fills."""
    order = desk.known[name]
    view = OrderView(client_order_id=name, quantity=order.quantity)
    for fill in desk.fills.values():
        if fill.client_order_id == name:
            execution = Execution(execution_id=fill.execution_id, quantity=fill.quantity, price=fill.price)
            message = OrderMessage(
                id=fill.execution_id,
                client_order_id=name,
                event=OrderEvent.PARTIAL_FILL,
                at=fill.at,
                execution=execution,
            )
            view = apply_message(view, message)
    return view


@pytest.mark.slow
@pytest.mark.parametrize("block", range(6))
def test_no_schedule_of_faults_books_an_order_or_a_fill_twice(peer: AlpacaPeer, block: int, tmp_path: Path) -> None:
    met: Counter[str] = Counter()
    size = SCHEDULES // 6
    for seed in range(block * size, (block + 1) * size):
        desk = drive(peer, seed, tmp_path / f"{seed}.sqlite")
        assert peer.duplicates() == {}
        peer.calm()
        desk.patience_s = 5.0
        desk.restart()
        desk.round()
        for _ in range(3):
            desk.now += DOUBT_S
            desk.round()
        peer.lively = False
        desk.round()
        book = peer.book
        assert peer.duplicates() == {}
        placed = {order["client_order_id"]: order for order in book.orders.values()}
        assert not set(placed) & set(desk.denied), "an order is alive that the desk takes for denied"
        assert set(placed) | set(desk.denied) == set(desk.wanted)
        assert {fill.execution_id for fill in desk.fills.values()} == {row["id"] for row in book.activities}
        for name, row in placed.items():
            found = desk.broker.find(name)
            assert found is not None
            desk.known[name] = found
            assert (found.quantity, found.filled_quantity) == (int(row["qty"]), int(row["filled_qty"]))
            assert view_of(desk, name).filled == found.filled_quantity
            assert (found.state is OrderState.FILLED) == (row["status"] == "filled")
        held: Counter[str] = Counter()
        for fill in desk.fills.values():
            held[fill.symbol] += fill.quantity if fill.side == "buy" else -fill.quantity
        assert {symbol: count for symbol, count in held.items() if count} == desk.broker.positions()
        assert desk.broker.cash() == book.cash
        assert +book.again == {}, "an order that was accepted was sent again"
        met["lost"] += posts(peer) - len(placed)
        met["orders"] += len(placed)
        met["denied"] += len(desk.denied)
        desk.broker.close()
    assert met["orders"] > size
    assert met["lost"], "every sending arrived: the faults prove nothing"
