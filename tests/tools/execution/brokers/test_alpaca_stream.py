"""The stream of order messages: it reconnects, says when something may be missing, and repeats do no harm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.peers.alpaca_peer import STREAM_FAULTS, AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect
from tools.execution.brokers.alpaca_stream import EVENTS, message_of
from tools.execution.messages import Amendment, Gap, OrderMessage, OrderView, apply_message
from tools.execution.orders import OrderEvent
from tools.execution.types import OrderState

D = Decimal
BACKOFF = (0.01, 0.02)


@pytest.fixture
def peer() -> Iterator[AlpacaPeer]:
    with AlpacaPeer(seed=7) as made:
        yield made


class Listener:
    """Reads the stream in the background of a test."""

    def __init__(self, peer: AlpacaPeer, **changes: Any) -> None:
        self.broker = connect(peer, **changes)
        self.stream = self.broker.messages(backoff_s=BACKOFF)

    async def next(self) -> OrderMessage | Gap:
        return await asyncio.wait_for(anext(self.stream), 10)

    async def gap(self) -> Gap:
        told = await self.next()
        assert isinstance(told, Gap), told
        return told

    async def message(self) -> OrderMessage:
        told = await self.next()
        assert isinstance(told, OrderMessage), told
        return told


@pytest.fixture
async def listener(peer: AlpacaPeer) -> AsyncIterator[Listener]:
    made = Listener(peer)
    yield made
    await made.stream.aclose()


async def act(peer: AlpacaPeer, name: str, quantity: int) -> None:
    peer.book.fill(name, quantity)
    await asyncio.to_thread(peer.publish)


async def test_the_first_word_is_a_gap_and_then_come_the_messages(peer: AlpacaPeer, listener: Listener) -> None:
    assert "listening" in (await listener.gap()).reason
    await asyncio.to_thread(listener.broker.submit, buy())
    new = await listener.message()
    assert (new.client_order_id, new.event, new.cumulative) == ("o1", OrderEvent.ACCEPTED, 0)
    await act(peer, "o1", 4)
    part = await listener.message()
    assert (part.event, part.cumulative, part.execution) == (OrderEvent.PARTIAL_FILL, 4, None)
    await act(peer, "o1", 6)
    assert (await listener.message()).event == OrderEvent.FILL


async def test_a_broken_connection_says_so_and_says_again_when_it_listens(peer: AlpacaPeer, listener: Listener) -> None:
    await listener.gap()
    peer.stream_script.append("disconnect")
    await asyncio.to_thread(listener.broker.submit, buy())
    assert "closed" in (await listener.gap()).reason
    assert "listening" in (await listener.gap()).reason
    await act(peer, "o1", 10)
    assert (await listener.message()).event == OrderEvent.FILL


async def test_an_unreadable_message_is_a_gap_not_a_silence(peer: AlpacaPeer, listener: Listener) -> None:
    await listener.gap()
    peer.stream_script.append("garbage")
    await asyncio.to_thread(listener.broker.submit, buy())
    assert "broke" in (await listener.gap()).reason
    assert "listening" in (await listener.gap()).reason


async def test_a_wrong_key_is_told_and_tried_again(peer: AlpacaPeer) -> None:
    listener = Listener(peer, secret_key="wrong-secret")
    for _ in range(2):
        told = await listener.gap()
        assert "could not be opened" in told.reason
        assert "wrong-secret" not in told.reason
    await listener.stream.aclose()


async def test_a_dead_stream_is_told_and_tried_again() -> None:
    with AlpacaPeer() as gone:
        pass
    listener = Listener(gone)
    for _ in range(2):
        assert "could not be opened" in (await listener.gap()).reason
    await listener.stream.aclose()


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_stream_does_the_view_ends_as_the_book(peer: AlpacaPeer, seed: int) -> None:
    """Dropped messages show as missing shares; repeated and late ones change nothing."""
    peer.reset(seed)
    listener = Listener(peer)
    await listener.gap()
    await asyncio.to_thread(listener.broker.submit, buy(quantity=20))
    peer.stream_rates = dict.fromkeys(STREAM_FAULTS[:3], 0.2)
    view = OrderView(client_order_id="o1", quantity=20)
    for _ in range(19):
        await act(peer, "o1", 1)
    peer.stream_rates = {}
    await act(peer, "o1", 1)
    while view.state is not OrderState.FILLED:
        told = await listener.message()
        view = apply_message(apply_message(view, told), told)
    assert (view.missing, view.filled) == (20, 0)
    fills = await asyncio.to_thread(listener.broker.fills, 0)
    assert sum(fill.quantity for fill in fills) == view.reported == 20
    with contextlib.suppress(StopAsyncIteration):
        await listener.stream.aclose()


def update(event: str, **changes: Any) -> dict[str, Any]:
    order = {"id": "b1", "client_order_id": "o1", "status": "new", "symbol": "IBM", "qty": "10", "filled_qty": "0"}
    return {"event": event, "timestamp": "2026-03-02T14:30:00Z", "order": order, **changes}


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_has_one_meaning(event: str) -> None:
    told = message_of(update(event, execution_id="x1", qty="5", price="10"))
    assert isinstance(told, OrderMessage)
    assert told.event == EVENTS[event]
    assert (told.execution is not None) == isinstance(told.event, Amendment)


def test_every_event_that_alpaca_py_knows_is_in_the_table(peer: AlpacaPeer) -> None:
    connect(peer)
    from alpaca.trading.enums import TradeEvent

    assert set(EVENTS) >= {event.value for event in TradeEvent}


@pytest.mark.parametrize(
    "data",
    [
        update("teleported"),
        {"event": "fill"},
        update("trade_bust"),
        update("fill", timestamp="not a time"),
        "nothing",
        update("trade_correct", execution_id="x1"),
        update("trade_correct", execution_id="x1", price="10"),
        update("trade_correct", execution_id="x1", price="10", qty="1.5"),
    ],
)
def test_what_cannot_be_understood_is_a_gap(data: Any) -> None:
    assert isinstance(message_of(data), Gap)


def test_the_same_update_has_the_same_id_and_another_has_another() -> None:
    one, other = message_of(update("new")), message_of(update("canceled"))
    assert isinstance(one, OrderMessage)
    assert isinstance(other, OrderMessage)
    assert message_of(update("new")) == one
    assert one.id != other.id
    named = message_of(update("new", event_id="01J"))
    assert isinstance(named, OrderMessage)
    assert named.id == "01J"


def test_a_bust_names_the_execution_it_takes_back() -> None:
    told = message_of(update("trade_bust", execution_id="x2", previous_execution_id="x1", reason="TRADE_BUST"))
    assert isinstance(told, OrderMessage)
    assert told.execution is not None
    assert (told.event, told.execution.execution_id, told.reason) == (Amendment.BUST, "x1", "TRADE_BUST")
