"""What a venue tells by itself, taken into our book as it comes, and asked for where it may have been missed.

The stream is the fast way and never the only one: executions are booked from the broker's own list alone, and after
every gap the books are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.desk import Desk
from pipeline.heartbeats import beat
from pipeline.order_messages import take_message
from pipeline.venue_time import VenueTime
from tools.execution.messages import Gap, OrderMessage, TellingVenue
from tools.types import Tick

STREAM = "stream"


def where(desk: Desk) -> Tick:
    """The tick of the part of a session that a real venue is in, with the moment up to which it may be booked."""
    run = desk.run()
    tick = desk.tick(max(run.session_index, 0), "open" if run.stage == "traded" else "close")
    return VenueTime(desk.broker).seen_at(tick)


def hear(desk: Desk, told: OrderMessage | Gap) -> bool:
    """Take one message into the book; True when the broker must be asked for what it does not say."""
    if isinstance(told, Gap):
        beat(desk.store, STREAM, "ok" if told.listening else "down", told.reason)
        return True
    return take_message(desk.store, desk.run_id, told, where(desk))


async def listen(desk: Desk, ask: Callable[[bool], None], stopping: asyncio.Event) -> None:
    """Hear a venue that tells, until stopped; `ask(gap)` whenever the broker must be asked. Nothing at any other."""
    if not isinstance(desk.broker, TellingVenue):
        return
    messages = desk.broker.messages()
    ended = asyncio.create_task(stopping.wait())
    try:
        while not stopping.is_set():
            coming = asyncio.ensure_future(anext(messages))
            await asyncio.wait((coming, ended), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                await asyncio.wait((coming,))
                return
            told = coming.result()
            if await asyncio.to_thread(hear, desk, told):
                ask(isinstance(told, Gap))
    finally:
        ended.cancel()
        await messages.aclose()
