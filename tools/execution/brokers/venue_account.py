"""One account of the simulated venue inside one transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tools.canonical import decimal_text, instant_text, stable_id
from tools.data.types import CorporateAction
from tools.errors import ExecutionError
from tools.execution.matching import Decision, Execution, Resting
from tools.execution.positions import (
    AVERAGE_STEP,
    adjust_resting,
    apply_corporate_action,
    apply_fill,
    cash_effect,
)
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderRequest, OrderState, Position
from tools.types import Tick


@dataclass(frozen=True)
class VenueOrder:
    """What was asked, and the order as it stands."""

    request: OrderRequest
    report: BrokerOrder

    @property
    def resting(self) -> Resting:
        order = self.report
        return Resting(
            client_order_id=order.client_order_id, side=order.side, remaining=order.quantity - order.filled_quantity,
            filled=order.filled_quantity, order_type=order.order_type, time_in_force=self.request.time_in_force,
            limit_price=order.limit_price, stop_price=order.stop_price, reduce_only=self.request.reduce_only,
        )  # fmt: skip


class VenueAccount:
    """Reads and writes of one account. The caller holds the transaction."""

    def __init__(self, db: sqlite3.Connection, account: str) -> None:
        self._db = db
        self._account = account

    def open(self, seed: int, starting_cash: Decimal) -> None:
        """Create the account, or confirm that it was created with the same seed and cash."""
        row = self._db.execute(
            "SELECT seed, starting_cash FROM accounts WHERE account = ?", (self._account,)
        ).fetchone()
        text = decimal_text(starting_cash)
        if row is None:
            self._db.execute(
                "INSERT INTO accounts (account, seed, starting_cash, cash) VALUES (?, ?, ?, ?)",
                (self._account, seed, text, text),
            )
        elif row != (seed, text):
            raise ExecutionError(
                f"account {self._account} was opened with seed {row[0]} and cash {row[1]}, not {seed} and {text}; "
                "open it with those, or use another account",
                code="account_mismatch",
            )

    def order(self, client_order_id: str) -> VenueOrder | None:
        row = self._db.execute(
            "SELECT request, report FROM orders WHERE account = ? AND client_order_id = ?",
            (self._account, client_order_id),
        ).fetchone()
        return None if row is None else _order(row)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        rows = self._db.execute(
            "SELECT request, report FROM orders WHERE account = ? AND open = 1 ORDER BY number", (self._account,)
        ).fetchall()
        return tuple(_order(row) for row in rows)

    def add_order(self, request: OrderRequest, report: BrokerOrder) -> None:
        self._db.execute(
            "INSERT INTO orders (account, client_order_id, number, symbol, open, request, report)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._account, request.client_order_id, self._next("last_order"), request.symbol,
                int(report.state not in TERMINAL), request.model_dump_json(), report.model_dump_json(),
            ),
        )  # fmt: skip

    def save_order(self, report: BrokerOrder) -> None:
        self._db.execute(
            "UPDATE orders SET report = ?, open = ? WHERE account = ? AND client_order_id = ?",
            (report.model_dump_json(), int(report.state not in TERMINAL), self._account, report.client_order_id),
        )

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        rows = self._db.execute(
            "SELECT fill FROM fills WHERE account = ? AND sequence > ? ORDER BY sequence",
            (self._account, after_sequence),
        ).fetchall()
        return tuple(Fill.model_validate_json(row[0]) for row in rows)

    def traded(self, symbol: str, session: date) -> int:
        """Shares of a symbol already executed in a session."""
        row = self._db.execute(
            "SELECT COALESCE(SUM(quantity), 0) FROM fills WHERE account = ? AND symbol = ? AND session = ?",
            (self._account, symbol, session.isoformat()),
        ).fetchone()
        return int(row[0])

    def positions(self) -> tuple[Position, ...]:
        rows = self._db.execute(
            "SELECT position FROM positions WHERE account = ? ORDER BY symbol", (self._account,)
        ).fetchall()
        return tuple(Position.model_validate_json(row[0]) for row in rows)

    def position(self, symbol: str) -> Position | None:
        row = self._db.execute(
            "SELECT position FROM positions WHERE account = ? AND symbol = ?", (self._account, symbol)
        ).fetchone()
        return None if row is None else Position.model_validate_json(row[0])

    def held(self, symbol: str) -> int:
        position = self.position(symbol)
        return 0 if position is None else position.quantity

    def cash(self) -> Decimal:
        row = self._db.execute("SELECT cash FROM accounts WHERE account = ?", (self._account,)).fetchone()
        return Decimal(row[0])

    def begin_tick(self, tick: Tick) -> bool:
        """Note that a tick is matched; False when it already was. Ticks only go forward."""
        key = (self._account, tick.session.isoformat(), tick.phase)
        if self._db.execute("SELECT 1 FROM ticks WHERE account = ? AND session = ? AND phase = ?", key).fetchone():
            return False
        later = self.tick_after(tick)
        if later is not None:
            raise ExecutionError(
                f"tick {tick.session} {tick.phase} lies before {later[0]} {later[1]}, which was matched already; "
                "ticks only go forward",
                code="tick_out_of_order",
            )
        self._db.execute("INSERT INTO ticks VALUES (?, ?, ?, ?)", (*key, instant_text(tick.as_of)))
        return True

    def tick_after(self, tick: Tick) -> tuple[str, str] | None:
        """Session and phase of a tick after `tick` that was matched already; None when there is none."""
        session = tick.session.isoformat()
        found: tuple[str, str] | None = self._db.execute(
            "SELECT session, phase FROM ticks WHERE account = ? AND (session > ? OR (session = ? AND phase < ?))"
            " ORDER BY session LIMIT 1",
            (self._account, session, session, tick.phase),
        ).fetchone()
        return found

    def settle(self, order: BrokerOrder, decision: Decision, tick: Tick) -> None:
        """Write what matching decided for one order: its state, and the fill with position and cash."""
        filled, average = order.filled_quantity, order.average_price
        if decision.execution is not None:
            self._book(order, decision.execution, tick)
            total = (average or Decimal(0)) * filled + decision.execution.price * decision.execution.quantity
            filled += decision.execution.quantity
            average = (total / filled).quantize(AVERAGE_STEP)
        update = {
            "state": decision.state, "filled_quantity": filled, "average_price": average, "reason": decision.reason,
        }  # fmt: skip
        changed = order.model_copy(update=update)
        if changed != order:
            self.save_order(changed)

    def apply_action(self, action: CorporateAction) -> None:
        """Move position, cash and resting orders to the new share basis, once."""
        done = self._db.execute(
            "INSERT OR IGNORE INTO actions VALUES (?, ?, ?, ?)",
            (self._account, action.symbol, action.kind, action.ex_date.isoformat()),
        )
        if done.rowcount == 0:
            return
        position = self.position(action.symbol)
        if position is not None:
            result = apply_corporate_action(position, action)
            self._save_position(result.position)
            self._add_cash(result.cash)
        for item in self.open_orders():
            if item.report.symbol == action.symbol:
                self.save_order(_adjusted(item.report, action))

    def _book(self, order: BrokerOrder, execution: Execution, tick: Tick) -> None:
        fill = Fill(
            execution_id=stable_id("exec", self._account, order.client_order_id, tick.session, tick.phase),
            sequence=self._next("last_fill"), client_order_id=order.client_order_id, symbol=order.symbol,
            side=order.side, quantity=execution.quantity, price=execution.price, commission=execution.commission,
            reference_price=execution.reference_price, session=tick.session, at=tick.as_of,
        )  # fmt: skip
        self._db.execute(
            "INSERT INTO fills (account, sequence, execution_id, symbol, session, quantity, fill)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._account, fill.sequence, fill.execution_id, fill.symbol, fill.session.isoformat(),
                fill.quantity, fill.model_dump_json(),
            ),
        )  # fmt: skip
        self._save_position(apply_fill(self.position(order.symbol), fill))
        self._add_cash(cash_effect(fill))

    def _save_position(self, position: Position) -> None:
        self._db.execute(
            "INSERT INTO positions VALUES (?, ?, ?)"
            " ON CONFLICT (account, symbol) DO UPDATE SET position = excluded.position",
            (self._account, position.symbol, position.model_dump_json()),
        )

    def _add_cash(self, amount: Decimal) -> None:
        self._db.execute(
            "UPDATE accounts SET cash = ? WHERE account = ?", (decimal_text(self.cash() + amount), self._account)
        )

    def _next(self, counter: str) -> int:
        row = self._db.execute(
            f"UPDATE accounts SET {counter} = {counter} + 1 WHERE account = ? RETURNING {counter}", (self._account,)
        ).fetchone()
        return int(row[0])


def _order(row: tuple[str, str]) -> VenueOrder:
    return VenueOrder(OrderRequest.model_validate_json(row[0]), BrokerOrder.model_validate_json(row[1]))


def _adjusted(order: BrokerOrder, action: CorporateAction) -> BrokerOrder:
    remaining = order.quantity - order.filled_quantity
    stop = adjust_resting(remaining, order.stop_price, action)
    limit = adjust_resting(remaining, order.limit_price, action)
    update: dict[str, object] = {
        "quantity": order.filled_quantity + stop.quantity,
        "stop_price": stop.stop_price,
        "limit_price": limit.stop_price,
    }
    if stop.quantity == 0:
        update |= {"state": OrderState.CANCELLED, "reason": "corporate_action", "quantity": order.quantity}
    return order.model_copy(update=update)
