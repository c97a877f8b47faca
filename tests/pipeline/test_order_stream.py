"""The engine hears its venue: messages move the book, gaps and executions let the broker be asked, silence is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

from memory.tables import HeartbeatRow
from pipeline import order_stream
from pipeline.desk import Desk
from pipeline.store import Store
from tests.pipeline import life, scripted
from tests.pipeline.scripted import Scripted
from tools.execution.messages import Gap, OrderMessage
from tools.execution.orders import OrderEvent
from tools.execution.types import Broker


class Telling(Scripted):
    """A broker that tells what the test wrote down, then nothing for ever."""

    def __init__(self, *told: OrderMessage | Gap) -> None:
        super().__init__()
        self.told = told
        self.closed = False

    async def messages(self) -> AsyncGenerator[OrderMessage | Gap, None]:
        try:
            for item in self.told:
                yield item
            await asyncio.Event().wait()
        finally:
            self.closed = True


def told(event: OrderEvent, cumulative: int | None = None) -> OrderMessage:
    return OrderMessage(id=event.value, client_order_id="o1", event=event, at=life.AS_OF, cumulative=cumulative)


def desk_of(store: Store, broker: Broker) -> Desk:
    life.tamper(store, "UPDATE runs SET session_index = 0, stage = 'traded'")
    return Desk(
        store=store, run_id=life.RUN, market=life.MARKET, broker=broker, law=cast(Any, None), recall=None, seed=0
    )


async def heard(store: Store, broker: Telling) -> list[bool]:
    """What the engine was asked to look at, until everything was told."""
    asked: list[bool] = []
    stopping = asyncio.Event()
    listening = asyncio.create_task(order_stream.listen(desk_of(store, broker), asked.append, stopping))
    wanted = sum(isinstance(item, Gap) or item.event is OrderEvent.FILL for item in broker.told)
    async with asyncio.timeout(20):
        while len(asked) < wanted:
            await asyncio.sleep(0.005)
    stopping.set()
    await listening
    assert broker.closed
    return asked


def beat_of(store: Store) -> tuple[str, str]:
    with store.db.read() as session:
        row = session.get_one(HeartbeatRow, order_stream.STREAM)
    return row.state, row.detail


async def test_a_state_is_taken_at_once_and_an_execution_is_asked_for(store: Store) -> None:
    scripted.write(store, "o1", state="pending_new")
    asked = await heard(store, Telling(told(OrderEvent.ACCEPTED), told(OrderEvent.FILL, 100)))
    assert asked == [False]
    assert scripted.order(store).state == "new"


async def test_a_gap_is_told_and_lets_the_books_be_compared(store: Store) -> None:
    asked = await heard(store, Telling(Gap(reason="listening from now on", listening=True), Gap(reason="it broke")))
    assert asked == [True, True]
    assert beat_of(store) == ("down", "it broke")


async def test_a_stream_that_listens_again_is_well(store: Store) -> None:
    await heard(store, Telling(Gap(reason="it broke"), Gap(reason="listening from now on", listening=True)))
    assert beat_of(store) == ("ok", "listening from now on")


async def test_a_venue_that_tells_nothing_is_not_listened_to(store: Store) -> None:
    await order_stream.listen(desk_of(store, Scripted()), lambda gap: None, asyncio.Event())
    with store.db.read() as session:
        assert session.get(HeartbeatRow, order_stream.STREAM) is None
