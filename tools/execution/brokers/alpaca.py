"""An Alpaca account as a Broker: paper unless live is asked for by name.

Every POST and PATCH is sent once. What is no clear yes or no is RetryableToolError: unknown, ask with `find`. While an
order may still be on its way (`DOUBT_S` after its sending) it is asked for and never sent again: that Alpaca refuses a
client id that it knows is the second line, not the first. A refusal is believed only after a look-up by client id,
because a second sending of an order that did arrive may be refused for want of the money that the first one took.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tools.alpaca_wire import TIMEOUT_S
from tools.errors import ConfigError, ExecutionError, RetryableToolError
from tools.execution.brokers.alpaca_client import AlpacaClient, AlpacaRefusal, Method
from tools.execution.brokers.alpaca_journal import AlpacaJournal
from tools.execution.brokers.alpaca_stream import order_messages
from tools.execution.brokers.alpaca_words import (
    BrokerAccount,
    MarketClock,
    WireFill,
    WireOrder,
    WirePosition,
    held_of,
    order_body,
    order_of,
    read,
    terms,
    text_of,
)
from tools.execution.messages import Amendment, Gap, OrderMessage
from tools.execution.types import BrokerOrder, Fill, OrderRequest

PAGE = 100
ORDERS_PAGE = 500
DOUBT_S = 60.0
"""For how long after a sending a look-up that finds nothing proves nothing: until then it is not sent again."""
ORDER_NOT_FOUND = 40410000
SHORT_OF = 40310000
NOT_TAKEN = frozenset({"broker_busy", "broker_unauthorized"})
"""Answers of Alpaca's doorkeepers: what was sent went no further, so it may be sent again at once."""


class AlpacaBroker:
    """The Broker Protocol over one Alpaca account.

    `live` needs the account's number typed in `account_number`; ConfigError `live_not_confirmed` otherwise. `since`
    hides fills before the desk's start; `journal` is the file that keeps what must survive the process (None: memory).
    `base_url` and `stream_url` replace Alpaca's addresses, for a peer or a proxy. `timeout_s` is (connect, read).

    Busts and corrections come by the trading stream alone (`trade_bust` and `trade_correct`, with
    `previous_execution_id`): the list of FILL activities that this reads knows only `fill` and `partial_fill`. One that
    the stream missed is found by the reconciliation, as an order, a position and cash that differ, and blocks its
    symbol until a person decides. Alpaca reports no charge per order: fees, borrow and interest are activities of the
    day after, which a reconciliation finds as cash that differs.
    """

    def __init__(
        self,
        *,
        key_id: str,
        secret_key: str,
        live: bool = False,
        account_number: str | None = None,
        base_url: str | None = None,
        stream_url: str | None = None,
        journal: Path | None = None,
        since: datetime | None = None,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._live = live
        self._keys = (key_id, secret_key)
        self._stream_url = stream_url
        self._since = since
        self._clock = clock
        self._client = AlpacaClient(key_id, secret_key, live=live, base_url=base_url, timeout_s=timeout_s)
        if live:
            self._confirm(account_number)
        self._journal = AlpacaJournal(journal)
        self._bound = False

    def __repr__(self) -> str:
        return f"AlpacaBroker({'live' if self._live else 'paper'})"

    @property
    def name(self) -> str:
        return "alpaca"

    @property
    def live(self) -> bool:
        return self._live

    def close(self) -> None:
        """Release the journal. Not needed for durability."""
        self._journal.close()

    def account(self) -> BrokerAccount:
        """The account's state and money."""
        account: BrokerAccount = read(BrokerAccount, self._client.call("GET", "/account"), "the account")
        return account

    def market_clock(self) -> MarketClock:
        """Whether the market is open, by the venue's clock."""
        clock: MarketClock = read(MarketClock, self._client.call("GET", "/clock"), "the clock")
        return clock

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Send an order once, or return the one that is known by its client id.

        A `reduce_only` order beyond the position is refused here: Alpaca has no such flag. Raises ExecutionError
        `rejected` for Alpaca's no, `no_position`, `invalid_order`, `duplicate_differs`; RetryableToolError for unknown.
        """
        body = order_body(request)
        if request.reduce_only and (known := self._beyond_position(request)) is not None:
            return known
        return self._send("POST", "/orders", body, request)

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """The order as it is now; None only when Alpaca itself says that it has no such order.

        RetryableToolError `broker_lagging` for one that was sent so lately that its absence proves nothing.
        """
        wire = self._find(client_order_id)
        if wire is None and self._recent(client_order_id):
            raise _lagging(client_order_id, "Alpaca does not find it")
        return None if wire is None else order_of(wire)

    def cancel(self, client_order_id: str) -> BrokerOrder:
        """Ask for a cancel and return the order as it is then (mostly `pending_cancel`); an ended one as it ended.

        Raises ExecutionError `unknown_order` for an id that Alpaca never saw.
        """
        wire = self._known(client_order_id)
        try:
            self._client.call("DELETE", f"/orders/{wire.id}")
        except AlpacaRefusal as refusal:
            if refusal.status not in (404, 422):
                raise
        return order_of(self._known(client_order_id))

    def replace(self, client_order_id: str, request: OrderRequest) -> BrokerOrder:
        """Put another order in the place of an open one; `request` is the new one, with an id of its own.

        Quantity, prices and time in force may differ; ExecutionError `invalid_replace` for anything else, `rejected`
        when Alpaca refuses (the old order then stands).
        """
        old = self._known(client_order_id)
        if (old.symbol, old.side, old.type) != (request.symbol, request.side, request.order_type) or request.bracket:
            raise ExecutionError(
                f"{client_order_id} cannot become {request.order_type} {request.side} {request.symbol}: only quantity, "
                "prices and time in force can be replaced; cancel it and send a new order",
                code="invalid_replace",
            )
        body = {"qty": str(request.quantity), "time_in_force": request.time_in_force}
        prices = terms(request)
        if (trail := prices.pop("trail_price", None) or prices.pop("trail_percent", None)) is not None:
            prices["trail"] = trail
        order_body(request)
        return self._send(
            "PATCH", f"/orders/{old.id}", {**body, **prices, "client_order_id": request.client_order_id}, request
        )

    def legs(self, client_order_id: str) -> tuple[BrokerOrder, ...]:
        """The exits of a bracket, under the client ids that Alpaca gave them."""
        wire = self._known(client_order_id)
        nested: WireOrder = read(
            WireOrder, self._client.call("GET", f"/orders/{wire.id}", {"nested": "true"}), "an order with legs"
        )
        return tuple(order_of(leg, parent=client_order_id) for leg in nested.legs or ())

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Every order that can still fill, whoever placed it, in the order of submission."""
        found: dict[str, WireOrder] = {}
        query = {"status": "open", "limit": str(ORDERS_PAGE), "direction": "asc", "nested": "false"}
        while True:
            page: list[WireOrder] = read(list[WireOrder], self._client.call("GET", "/orders", query), "the open orders")
            before = len(found)
            found |= {wire.id: wire for wire in page}
            last = page[-1].submitted_at if page else None
            if len(page) < ORDERS_PAGE or last is None or len(found) == before:
                return tuple(order_of(wire) for wire in found.values())
            query["after"] = text_of(last - timedelta(microseconds=1))

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        """Fills with a higher sequence, ascending. Each execution has one number for ever, given at first sight."""
        if not self._bound:
            self._journal.bind(self.account().account_number)
            self._bound = True
        query = {"direction": "asc", "page_size": str(PAGE)}
        if (start := self._journal.look_back(self._since)) is not None:
            query["after"] = text_of(start)
        while True:
            answer = self._client.call("GET", "/account/activities/FILL", query)
            page: list[WireFill] = read(list[WireFill], answer, "the fills")
            self._journal.add(page, self._client_id_of)
            if len(page) < PAGE:
                self._journal.looked()
                return self._journal.after(after_sequence)
            query["page_token"] = page[-1].id

    def positions(self) -> dict[str, int]:
        """Signed shares by symbol."""
        answer = self._client.call("GET", "/positions")
        return dict(held_of(wire) for wire in read(list[WirePosition], answer, "the positions"))

    def cash(self) -> Decimal:
        return self.account().cash

    def messages(self, *, backoff_s: tuple[float, float] = (1.0, 30.0)) -> AsyncGenerator[OrderMessage | Gap, None]:
        """The account's order messages, for ever. After each Gap reconcile; executions are read with `fills`."""
        key_id, secret_key = self._keys
        stream = order_messages(key_id, secret_key, live=self._live, url=self._stream_url, backoff_s=backoff_s)
        return self._named(stream)

    async def _named(
        self, stream: AsyncGenerator[OrderMessage | Gap, None]
    ) -> AsyncGenerator[OrderMessage | Gap, None]:
        async with aclosing(stream):
            async for told in stream:
                amends = isinstance(told, OrderMessage) and isinstance(told.event, Amendment)
                yield await asyncio.to_thread(self.named, told) if amends else told

    def named(self, told: OrderMessage | Gap) -> OrderMessage | Gap:
        """A bust or correction under the id that the amended execution has here; a Gap where it cannot be told.

        The stream names executions by their own id, the account's activities, from which they are booked, by another
        one that ends with it. Anything else is left as it is.
        """
        if isinstance(told, Gap) or not isinstance(told.event, Amendment) or told.execution is None:
            return told
        name, order = told.execution.execution_id, told.client_order_id
        found = self._journal.execution(name, order)
        if found is None:
            try:
                self.fills(0)
            except RetryableToolError as error:
                return Gap(reason=f"a {told.event.value} of execution {name} was heard while {error.message}")
            found = self._journal.execution(name, order) or self._journal.only_execution(order)
        if found is None:
            return Gap(reason=f"a {told.event.value} names execution {name} of {order}, which is not known here")
        return told.model_copy(update={"execution": told.execution.model_copy(update={"execution_id": found})})

    def _send(self, method: Method, path: str, body: dict[str, Any], request: OrderRequest) -> BrokerOrder:
        name = request.client_order_id
        before = self._journal.last_sent(name)
        if self._recent(name):
            known = self._find(name)
            if known is None:
                raise _lagging(name, "Alpaca does not find it")
            return _same(request, known)
        self._journal.sending(name, self._clock())
        try:
            wire: WireOrder = read(WireOrder, self._client.call(method, path, body), f"order {name}")
        except AlpacaRefusal as refusal:
            return self._after_refusal(request, refusal, False)
        except RetryableToolError as error:
            if error.code in NOT_TAKEN:
                self._journal.sending(name, before)
            raise
        if wire.client_order_id != name:
            raise RetryableToolError(f"Alpaca answered {name} with another order's id; ask", code="broker_garbled")
        return order_of(wire)

    def _after_refusal(self, request: OrderRequest, refusal: ExecutionError, in_doubt: bool) -> BrokerOrder:
        """The order that an earlier sending left, or the refusal when none can still be on its way."""
        known = self._find(request.client_order_id)
        if known is not None:
            return _same(request, known)
        if in_doubt or "client_order_id" in refusal.message:
            raise _lagging(request.client_order_id, refusal.message)
        self._journal.sending(request.client_order_id, None)
        if request.reduce_only and isinstance(refusal, AlpacaRefusal) and refusal.venue_code == SHORT_OF:
            raise RetryableToolError(
                f"{refusal.message}; the account's other orders hold the shares until they have ended: ask again",
                code="broker_holds_shares",
            )
        raise refusal

    def _beyond_position(self, request: OrderRequest) -> BrokerOrder | None:
        """None when the position covers the order; else the order that took it, if it was ours."""
        held = self.positions().get(request.symbol, 0)
        reducible = held if request.side == "sell" else -held
        if request.quantity <= reducible:
            return None
        refusal = ExecutionError(
            f"{request.client_order_id} would {request.side} {request.quantity} {request.symbol} to reduce, but the "
            f"account holds {held}; order at most the position",
            code="no_position",
        )
        return self._after_refusal(request, refusal, self._recent(request.client_order_id))

    def _recent(self, client_order_id: str) -> bool:
        """Whether the order was sent so lately that a look-up may not show it yet."""
        sent = self._journal.last_sent(client_order_id)
        return sent is not None and self._clock() - sent < DOUBT_S

    def _find(self, client_order_id: str) -> WireOrder | None:
        try:
            answer = self._client.call("GET", "/orders:by_client_order_id", {"client_order_id": client_order_id})
        except AlpacaRefusal as refusal:
            if refusal.status == 404 and refusal.venue_code == ORDER_NOT_FOUND:
                return None
            raise RetryableToolError(
                f"{refusal.message}; whether Alpaca has {client_order_id} is unknown", code="broker_unreachable"
            ) from None
        wire: WireOrder = read(WireOrder, answer, f"order {client_order_id}")
        if wire.client_order_id != client_order_id:
            raise RetryableToolError(
                f"asked for {client_order_id}, got another order; ask again", code="broker_garbled"
            )
        return wire

    def _known(self, client_order_id: str) -> WireOrder:
        wire = self._find(client_order_id)
        if wire is None and self._recent(client_order_id):
            raise _lagging(client_order_id, "Alpaca does not find it")
        if wire is None:
            raise ExecutionError(f"Alpaca has no order {client_order_id}", code="unknown_order")
        return wire

    def _client_id_of(self, order_id: str) -> str:
        wire: WireOrder = read(WireOrder, self._client.call("GET", f"/orders/{order_id}"), f"order {order_id}")
        return wire.client_order_id

    def _confirm(self, account_number: str | None) -> None:
        if not account_number or self.account().account_number != account_number:
            raise ConfigError(
                "live trading was asked for, but the account number typed is not the account's own; "
                "type the number of the account that the key belongs to",
                code="live_not_confirmed",
            )


def _lagging(client_order_id: str, said: str) -> RetryableToolError:
    return RetryableToolError(
        f"{said}; but {client_order_id} was sent moments ago and may still arrive: ask again", code="broker_lagging"
    )


def _same(request: OrderRequest, wire: WireOrder) -> BrokerOrder:
    known = order_of(wire)
    asked = (request.symbol, request.side, request.quantity, request.order_type)
    if (known.symbol, known.side, known.quantity, known.order_type) != asked:
        raise ExecutionError(
            f"order id {request.client_order_id} was already used for another request; raise the attempt number",
            code="duplicate_differs",
        )
    return known
