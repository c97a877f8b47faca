"""The book of the Alpaca peer: orders, fills, positions and cash of one account, in Alpaca's own words.

Written from the public Trading API. It decides nothing about faults; time only moves when something happens.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
OPEN = frozenset({"new", "accepted", "partially_filled", "pending_cancel", "pending_replace", "held"})


class Refused(Exception):
    """What Alpaca answers when it says no: a status, and a body with its own code (None: a gateway answered)."""

    def __init__(self, status: int, code: int | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message} if code is None else {"code": code, "message": message}


class AlpacaBook:
    """One account. `prices` are what market orders fill at; `updates` grows by one trade update per event.

    `again` counts what came for an order that was accepted before, whether it is refused then or not. With
    `trades_at_once` a market order fills on arrival, in two executions.
    """

    def __init__(self, seed: int, *, cash: Decimal, prices: dict[str, Decimal]) -> None:
        self.random = random.Random(seed)
        self.cash = cash
        self.prices = prices
        self.account_number = "PA123456789"
        self.refuse_duplicates = True
        self.orders: dict[str, Json] = {}
        self.activities: list[Json] = []
        self.positions: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        self.trades_at_once = False
        self.updates: list[Json] = []
        self.now = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
        self.calendar: Callable[[], Json] | None = None
        self.listed: tuple[str, ...] = ()

    def account(self) -> Json:
        return {
            "id": self._id(), "account_number": self.account_number, "status": "ACTIVE", "currency": "USD",
            "cash": str(self.cash), "buying_power": str(self.cash), "equity": str(self.cash),
            "trading_blocked": False, "account_blocked": False,
        }  # fmt: skip

    def clock(self) -> Json:
        if self.calendar is not None:
            return self.calendar()
        return {
            "timestamp": _text(self.now), "is_open": True, "next_open": _text(self.now + timedelta(days=1)),
            "next_close": _text(self.now + timedelta(hours=6)),
        }  # fmt: skip

    def open_positions(self) -> list[Json]:
        return [
            {
                "symbol": symbol, "qty": str(quantity), "side": "long" if quantity > 0 else "short",
                "asset_class": "us_equity", "avg_entry_price": "1",
            }
            for symbol, quantity in sorted(self.positions.items()) if quantity
        ]  # fmt: skip

    def by_client_id(self, client_order_id: str) -> Json:
        for order in self.orders.values():
            if order["client_order_id"] == client_order_id:
                return order
        raise Refused(404, 40410000, f"order not found for {client_order_id}")

    def by_id(self, order_id: str) -> Json:
        if order_id not in self.orders:
            raise Refused(404, 40410000, f"order not found for {order_id}")
        return self.orders[order_id]

    def submit(self, body: Json, *, replaces: Json | None = None) -> Json:
        """Take an order, or refuse it as Alpaca does."""
        name = body.get("client_order_id") or self._id()
        self.attempts[name] += 1
        self.again[name] += self.accepted[name]
        if self.refuse_duplicates and self.accepted[name]:
            raise Refused(422, 40010001, "client_order_id must be unique")
        quantity = Decimal(str(body["qty"]))
        if quantity <= 0:
            raise Refused(422, 42210000, "qty must be > 0")
        price = Decimal(body.get("limit_price") or self.prices[body["symbol"]])
        if body["side"] == "buy" and price * quantity > self.cash:
            raise Refused(403, 40310000, "insufficient buying power")
        if body["side"] == "sell" and quantity > (free := self._free(body["symbol"], replaces)):
            raise Refused(
                403, 40310000, f"insufficient qty available for order (requested: {quantity}, available: {free})"
            )
        self.accepted[name] += 1
        order = self._new(name, body, replaces)
        for leg, terms in (("take_profit", "limit"), ("stop_loss", "stop")):
            if leg in body:
                exit_side = "sell" if body["side"] == "buy" else "buy"
                order["legs"] = [
                    *(order["legs"] or []),
                    self._new(self._id(), {**body, **body[leg], "side": exit_side, "type": terms}, None, "held"),
                ]
        self._tell("new", order)
        if self.trades_at_once and body["type"] == "market":
            for part in (int(quantity) // 3, int(quantity) - int(quantity) // 3):
                self.fill(name, part)
        return order

    def cancel(self, order_id: str) -> None:
        order = self.by_id(order_id)
        if order["status"] not in OPEN:
            raise Refused(422, 42210000, f'order is already in "{order["status"]}" state')
        order["status"] = "pending_cancel"
        self._tell("pending_cancel", order)

    def replace(self, order_id: str, body: Json) -> Json:
        old = self.by_id(order_id)
        if old["status"] not in OPEN:
            raise Refused(422, 42210000, f'order is already in "{old["status"]}" state')
        kept = {
            name: old[name] for name in ("symbol", "side", "type", "qty", "time_in_force", "limit_price", "stop_price")
        }
        if "trail" in body:
            body = {**body, "trail_price": body["trail"]}
        new = self.submit({**kept, **body}, replaces=old)
        old["status"], old["replaced_by"] = "replaced", new["id"]
        self._tell("replaced", old)
        return new

    def finish(self, client_order_id: str, status: str = "canceled") -> None:
        """End an open order: canceled, expired or rejected."""
        order = self.by_client_id(client_order_id)
        order["status"] = status
        self._tell(status, order)

    def fill(self, client_order_id: str, quantity: int, price: Decimal | None = None) -> Json:
        """Trade a part of an open order and write the activity."""
        order = self.by_client_id(client_order_id)
        assert order["status"] in OPEN, order["status"]
        at_price = price or self.prices[order["symbol"]]
        done = Decimal(order["filled_qty"]) + quantity
        total, spent = Decimal(order["qty"]), Decimal(order["filled_avg_price"] or 0) * Decimal(order["filled_qty"])
        assert done <= total
        order["filled_qty"] = str(done)
        order["filled_avg_price"] = str(((spent + at_price * quantity) / done).quantize(Decimal("0.0001")))
        if done == total:
            order["status"] = "filled"
        elif order["status"] != "pending_cancel":
            order["status"] = "partially_filled"
        sign = 1 if order["side"] == "buy" else -1
        self.positions[order["symbol"]] += sign * quantity
        self.cash -= sign * quantity * at_price
        kind = "fill" if done == total else "partial_fill"
        execution = self._id()
        at = self._tell(kind, order, execution_id=execution, price=str(at_price), qty=str(quantity))
        activity = {
            "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{execution}", "activity_type": "FILL",
            "transaction_time": _text(at), "type": kind, "price": str(at_price), "qty": str(quantity),
            "side": order["side"], "symbol": order["symbol"], "order_id": order["id"], "cum_qty": str(done),
            "leaves_qty": str(total - done), "order_status": order["status"],
        }  # fmt: skip
        self.activities.append(activity)
        return activity

    def amend(self, activity: Json, quantity: int = 0, price: Decimal | None = None) -> None:
        """Take an execution back (no `quantity`) or restate it. Only the stream tells: the activity stays as it was."""
        order = self.by_id(activity["order_id"])
        sign = 1 if order["side"] == "buy" else -1
        was, at_price = int(activity["qty"]), Decimal(activity["price"])
        now = price or at_price
        self.positions[order["symbol"]] += sign * (quantity - was)
        self.cash -= sign * (quantity * now - was * at_price)
        order["filled_qty"] = str(Decimal(order["filled_qty"]) + quantity - was)
        self._tell(
            "trade_correct" if quantity else "trade_bust", order, execution_id=self._id(),
            previous_execution_id=activity["id"].rpartition("::")[2], qty=str(quantity or was), price=str(now),
        )  # fmt: skip

    def open_orders(self) -> list[Json]:
        return [order for order in self.orders.values() if order["status"] in OPEN]

    def live(self) -> None:
        """Let the market do one thing: fill a part of an open order, carry out a cancel, or nothing."""
        orders = [order for order in self.open_orders() if order["status"] != "held"]
        if not orders or self.random.random() < 0.4:
            return
        order = self.random.choice(orders)
        left = int(Decimal(order["qty"]) - Decimal(order["filled_qty"]))
        if order["status"] == "pending_cancel" and self.random.random() < 0.7:
            self.finish(order["client_order_id"])
        else:
            move = Decimal(self.random.randint(-50, 50)) / 100
            part = min(left, self.random.randint(1, max(1, left)))
            self.fill(order["client_order_id"], part, self.prices[order["symbol"]] + move)

    def _free(self, symbol: str, replaces: Json | None) -> Decimal:
        """Shares that no open sell order holds."""
        selling = [
            order for order in self.open_orders()
            if (order["symbol"], order["side"]) == (symbol, "sell") and order["status"] != "held"
            and order is not replaces
        ]  # fmt: skip
        return self.positions[symbol] - sum(
            (Decimal(order["qty"]) - Decimal(order["filled_qty"]) for order in selling), Decimal(0)
        )

    def _new(self, name: str, body: Json, replaces: Json | None, status: str = "new") -> Json:
        self.now += timedelta(milliseconds=1)
        order = {
            "id": self._id(), "client_order_id": name, "created_at": _text(self.now), "submitted_at": _text(self.now),
            "updated_at": _text(self.now), "symbol": body["symbol"], "asset_class": "us_equity",
            "qty": str(body["qty"]), "filled_qty": "0", "filled_avg_price": None, "side": body["side"],
            "type": body["type"], "time_in_force": body["time_in_force"], "limit_price": body.get("limit_price"),
            "stop_price": body.get("stop_price"), "trail_price": body.get("trail_price"),
            "trail_percent": body.get("trail_percent"), "order_class": body.get("order_class", ""), "status": status,
            "extended_hours": False, "legs": None, "replaces": replaces["id"] if replaces else None,
            "replaced_by": None,
        }  # fmt: skip
        self.orders[order["id"]] = order
        return order

    def _tell(self, event: str, order: Json, **more: Any) -> datetime:
        self.now += timedelta(milliseconds=1)
        data = {"event": event, "timestamp": _text(self.now), "order": {**order, "legs": None}, **more}
        self.updates.append({"stream": "trade_updates", "data": data})
        return self.now

    def _id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def asset(name: str, **changes: Any) -> Json:
    """The body of one line of GET /v2/assets."""
    return {
        "id": name, "class": "us_equity", "exchange": "NYSE", "symbol": name, "name": name, "status": "active",
        "tradable": True, "marginable": True, "shortable": True, "easy_to_borrow": True, "fractionable": True,
        **changes,
    }  # fmt: skip
