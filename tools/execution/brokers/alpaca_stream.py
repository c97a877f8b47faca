"""Alpaca's trade updates as order messages that admit when something may have been missed.

alpaca-py's own loop reconnects in silence and drops what it cannot read. This one uses its connection, login and
subscription, and says Gap each time it listens anew and for each message it could not read.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from tools.canonical import stable_id
from tools.execution.brokers.alpaca_words import WireOrder
from tools.execution.messages import Amendment, Execution, Gap, OrderMessage
from tools.execution.orders import OrderEvent

if TYPE_CHECKING:
    from alpaca.trading.stream import TradingStream

OPEN_TIMEOUT_S = 10.0
_E = OrderEvent

EVENTS: dict[str, OrderEvent | Amendment] = {
    "accepted": _E.ACCEPTED,
    "pending_new": _E.ACCEPTED,
    "new": _E.ACCEPTED,
    "held": _E.ACCEPTED,
    "restated": _E.ACCEPTED,
    "stopped": _E.ACCEPTED,
    "suspended": _E.ACCEPTED,
    "calculated": _E.ACCEPTED,
    "done_for_day": _E.ACCEPTED,
    "partial_fill": _E.PARTIAL_FILL,
    "fill": _E.FILL,
    "pending_cancel": _E.CANCEL_REQUESTED,
    "order_cancel_rejected": _E.CANCEL_REFUSED,
    "canceled": _E.CANCELLED,
    "pending_replace": _E.REPLACE_REQUESTED,
    "order_replace_rejected": _E.REPLACE_REFUSED,
    "replaced": _E.REPLACED,
    "rejected": _E.REJECTED,
    "expired": _E.EXPIRED,
    "trade_bust": Amendment.BUST,
    "trade_correct": Amendment.CORRECT,
}
"""Alpaca's trade events. What only says that the order is alive counts as accepted."""


class _Update(BaseModel):
    """The `data` of a trade update."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event: str
    timestamp: AwareDatetime
    order: WireOrder
    event_id: str | None = None
    execution_id: str | None = None
    previous_execution_id: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    reason: str | None = None


async def order_messages(
    key_id: str, secret_key: str, *, live: bool, url: str | None, backoff_s: tuple[float, float]
) -> AsyncGenerator[OrderMessage | Gap, None]:
    """Yield a Gap for each connection and the messages after it; reconnect for ever, waiting `backoff_s` (first, most).

    A fill's message carries the order's cumulative quantity, never an execution: executions are booked from the
    account's activities alone, so that one trade has one id.
    """
    wait = backoff_s[0]
    while True:
        stream = _stream(key_id, secret_key, live=live, url=url)
        failed = "could not be opened"
        try:
            socket = await asyncio.wait_for(_listen(stream), OPEN_TIMEOUT_S)
            yield Gap(reason="listening from now on", listening=True)
            wait, failed = backoff_s[0], "broke"
            async for raw in socket:
                if (told := heard(raw)) is not None:
                    yield told
            yield Gap(reason="the stream was closed")
        except _failures() as error:
            yield Gap(reason=f"the stream {failed} ({type(error).__name__})")
        finally:
            await _close(stream)
        await asyncio.sleep(wait)
        wait = min(wait * 2, backoff_s[1])


def heard(raw: bytes | str) -> OrderMessage | Gap | None:
    """What one frame of the stream says; None for one that is about no order. ValueError for what is not JSON."""
    told = json.loads(raw, parse_float=Decimal)
    return message_of(told["data"]) if told.get("stream") == "trade_updates" else None


def message_of(data: Any) -> OrderMessage | Gap:
    """Our words for one trade update; a Gap for one that cannot be read or is not known."""
    try:
        update: _Update = TypeAdapter(_Update).validate_python(data)
    except ValidationError:
        return Gap(reason="a trade update could not be read")
    event = EVENTS.get(update.event)
    if event is None:
        return Gap(reason=f"the trade event {update.event!r} is not known")
    execution = None
    if isinstance(event, Amendment):
        amended = update.previous_execution_id or update.execution_id
        if amended is None:
            return Gap(reason=f"a {update.event} does not say which execution it amends")
        if event is Amendment.CORRECT and not (update.price and update.qty and update.qty == int(update.qty)):
            return Gap(reason=f"a {update.event} does not say what whole shares at what price it states anew")
        execution = Execution(execution_id=amended, quantity=int(update.qty or 0), price=update.price or Decimal(0))
    filled = update.order.filled_qty
    name = update.event_id or stable_id(
        "msg", update.order.id, update.event, update.timestamp, update.execution_id, filled
    )
    return OrderMessage(
        id=name, client_order_id=update.order.client_order_id, event=event, at=update.timestamp, execution=execution,
        cumulative=None if isinstance(event, Amendment) else int(filled), reason=update.reason,
    )  # fmt: skip


async def _listen(stream: TradingStream) -> Any:
    """Connect, log in, subscribe, and wait until Alpaca says that it listens; only then can nothing be missed."""
    await stream._start_ws()  # type: ignore[no-untyped-call]
    socket: Any = stream._ws
    while True:
        told = json.loads(await socket.recv())
        if told.get("stream") == "listening":
            if "trade_updates" not in told["data"]["streams"]:
                raise ValueError("trade_updates is not offered")
            return socket


async def _close(stream: TradingStream) -> None:
    try:
        await asyncio.wait_for(stream.close(), OPEN_TIMEOUT_S)
    except _failures():
        return


def _failures() -> tuple[type[BaseException], ...]:
    """What a broken, refused or garbled connection raises."""
    from websockets.exceptions import WebSocketException

    return (OSError, TimeoutError, ValueError, KeyError, AttributeError, TypeError, WebSocketException)


def _stream(key_id: str, secret_key: str, *, live: bool, url: str | None) -> TradingStream:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
        from alpaca.trading.stream import TradingStream

    stream = TradingStream(
        key_id, secret_key, paper=not live, raw_data=True, url_override=url or "",
        websocket_params={"ping_interval": 5, "ping_timeout": 10, "close_timeout": 2, "max_queue": 1024},
    )  # fmt: skip
    stream.subscribe_trade_updates(_ignore)
    return stream


async def _ignore(_: Any) -> None:
    """alpaca-py subscribes only when it has a handler; the messages are read from the socket instead."""
