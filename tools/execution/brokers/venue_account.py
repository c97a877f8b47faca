"""One account of the simulated venue inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from tools.canonical import decimal_text, instant_text, stable_id
from tools.data.types import CorporateAction
from tools.errors import ExecutionError
from tools.execution.brokers.venue_orders import VenueOrder, Working, adjusted, decided
from tools.execution.matching import Decision, Execution
from tools.execution.positions import apply_corporate_action, apply_fill, cash_effect
from tools.execution.types import BrokerOrder, Fill, OrderRequest, Position
from tools.execution.venue_terms import VenueTerms
from tools.types import Tick

_ORDER = "SELECT request, report, working FROM orders WHERE account = ?"


class Worth(NamedTuple):
    """Market values of positions: signed, and without sign."""

    net: Decimal
    gross: Decimal


class VenueAccount:
    """Reads and writes of one account. The caller holds the transaction."""

    def __init__(self, db: sqlite3.Connection, account: str) -> None:
        self.db = db
        self.name = account

    def open(self, seed: int, starting_cash: Decimal, terms: VenueTerms) -> None:
        """Create the account, or confirm that it was created with the same seed, cash and terms."""
        row = self.db.execute(
            "SELECT seed, starting_cash, terms FROM accounts WHERE account = ?", (self.name,)
        ).fetchone()
        text = decimal_text(starting_cash)
        if row is None:
            self.db.execute(
                "INSERT INTO accounts (account, seed, starting_cash, cash, terms) VALUES (?, ?, ?, ?, ?)",
                (self.name, seed, text, text, terms.model_dump_json()),
            )
            return
        if row[:2] != (seed, text):
            raise ExecutionError(
                f"account {self.name} was opened with seed {row[0]} and cash {row[1]}, not {seed} and {text}; "
                "open it with those, or use another account",
                code="account_mismatch",
            )
        before = VenueTerms.model_validate_json(row[2])
        changed = [name for name, value in before if getattr(terms, name) != value]
        if changed:
            raise ExecutionError(
                f"account {self.name} was opened with other terms ({', '.join(changed)}); open it with those, or use "
                "another account",
                code="account_mismatch",
            )

    def order(self, client_order_id: str) -> VenueOrder | None:
        row = self.db.execute(f"{_ORDER} AND client_order_id = ?", (self.name, client_order_id)).fetchone()
        return None if row is None else _order(row)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        rows = self.db.execute(f"{_ORDER} AND open = 1 ORDER BY number", (self.name,)).fetchall()
        return tuple(_order(row) for row in rows)

    def add_order(self, item: VenueOrder) -> None:
        self.db.execute(
            "INSERT INTO orders (account, client_order_id, number, symbol, open, request, report, working)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.name, item.request.client_order_id, self._next("last_order"), item.request.symbol,
                int(item.is_open), item.request.model_dump_json(), item.report.model_dump_json(),
                item.working.model_dump_json(),
            ),
        )  # fmt: skip

    def save_order(self, item: VenueOrder) -> None:
        self.db.execute(
            "UPDATE orders SET report = ?, working = ?, open = ? WHERE account = ? AND client_order_id = ?",
            (
                item.report.model_dump_json(), item.working.model_dump_json(), int(item.is_open), self.name,
                item.request.client_order_id,
            ),
        )  # fmt: skip

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        rows = self.db.execute(
            "SELECT fill FROM fills WHERE account = ? AND sequence > ? ORDER BY sequence",
            (self.name, after_sequence),
        ).fetchall()
        return tuple(Fill.model_validate_json(row[0]) for row in rows)

    def fill(self, execution_id: str) -> Fill | None:
        row = self.db.execute(
            "SELECT fill FROM fills WHERE account = ? AND execution_id = ?", (self.name, execution_id)
        ).fetchone()
        return None if row is None else Fill.model_validate_json(row[0])

    def traded(self, symbol: str, session: date) -> int:
        """Shares of a symbol already executed in a session."""
        row = self.db.execute(
            "SELECT COALESCE(SUM(quantity), 0) FROM fills WHERE account = ? AND symbol = ? AND session = ?",
            (self.name, symbol, session.isoformat()),
        ).fetchone()
        return int(row[0])

    def positions(self) -> tuple[Position, ...]:
        rows = self.db.execute(
            "SELECT position FROM positions WHERE account = ? ORDER BY symbol", (self.name,)
        ).fetchall()
        return tuple(Position.model_validate_json(row[0]) for row in rows)

    def position(self, symbol: str) -> Position | None:
        row = self.db.execute(
            "SELECT position FROM positions WHERE account = ? AND symbol = ?", (self.name, symbol)
        ).fetchone()
        return None if row is None else Position.model_validate_json(row[0])

    def held(self, symbol: str) -> int:
        position = self.position(symbol)
        return 0 if position is None else position.quantity

    def cash(self) -> Decimal:
        row = self.db.execute("SELECT cash FROM accounts WHERE account = ?", (self.name,)).fetchone()
        return Decimal(row[0])

    def worth(self, marks: Mapping[str, Decimal], *, without: str | None = None) -> Worth:
        """Market values of all positions but one; a position without a mark counts at its average price."""
        held = [item for item in self.positions() if item.symbol != without]
        values = [item.quantity * marks.get(item.symbol, item.average_price) for item in held]
        return Worth(sum(values, Decimal(0)), sum(map(abs, values), Decimal(0)))

    def begin_tick(self, tick: Tick) -> bool:
        """Note that a tick is matched; False when it already was. Ticks only go forward."""
        key = (self.name, tick.session.isoformat(), tick.phase)
        if self.db.execute("SELECT 1 FROM ticks WHERE account = ? AND session = ? AND phase = ?", key).fetchone():
            return False
        later = self.tick_after(tick)
        if later is not None:
            raise ExecutionError(
                f"tick {tick.session} {tick.phase} lies before {later[0]} {later[1]}, which was matched already; "
                "ticks only go forward",
                code="tick_out_of_order",
            )
        self.db.execute("INSERT INTO ticks VALUES (?, ?, ?, ?)", (*key, instant_text(tick.as_of)))
        return True

    def tick_after(self, tick: Tick) -> tuple[str, str] | None:
        """Session and phase of a tick after `tick` that was matched already; None when there is none."""
        session = tick.session.isoformat()
        found: tuple[str, str] | None = self.db.execute(
            "SELECT session, phase FROM ticks WHERE account = ? AND (session > ? OR (session = ? AND phase < ?))"
            " ORDER BY session LIMIT 1",
            (self.name, session, session, tick.phase),
        ).fetchone()
        return found

    def ticks(self) -> int:
        """How many ticks were matched."""
        return int(self.db.execute("SELECT COUNT(*) FROM ticks WHERE account = ?", (self.name,)).fetchone()[0])

    def settle(self, item: VenueOrder, decision: Decision, tick: Tick) -> VenueOrder:
        """Write what matching decided for one order: its state, and the fill with position and cash."""
        after = decided(item, decision)
        if after != item:
            self.save_order(after)
        if decision.execution is not None:
            self._execute(item.report, decision.execution, tick)
        return after

    def apply_action(self, action: CorporateAction) -> None:
        """Move position, cash and resting orders to the new share basis, once."""
        done = self.db.execute(
            "INSERT OR IGNORE INTO actions VALUES (?, ?, ?, ?)",
            (self.name, action.symbol, action.kind, action.ex_date.isoformat()),
        )
        if done.rowcount == 0:
            return
        position = self.position(action.symbol)
        if position is not None:
            result = apply_corporate_action(position, action)
            self._save_position(result.position)
            self.add_cash(result.cash)
        for item in self.open_orders():
            if item.report.symbol == action.symbol:
                self.save_order(adjusted(item, action))

    def has_action_after(self, symbol: str, session: date) -> bool:
        """Whether the share basis of a symbol changed after a session."""
        row = self.db.execute(
            "SELECT 1 FROM actions WHERE account = ? AND symbol = ? AND ex_date > ?",
            (self.name, symbol, session.isoformat()),
        ).fetchone()
        return row is not None

    def _execute(self, order: BrokerOrder, execution: Execution, tick: Tick) -> None:
        fill = Fill(
            execution_id=stable_id("exec", self.name, order.client_order_id, tick.session, tick.phase),
            sequence=self._next("last_fill"), client_order_id=order.client_order_id, symbol=order.symbol,
            side=order.side, quantity=execution.quantity, price=execution.price, commission=execution.commission,
            reference_price=execution.reference_price, session=tick.session, at=tick.as_of,
        )  # fmt: skip
        self.db.execute(
            "INSERT INTO fills (account, sequence, execution_id, symbol, session, quantity, fill)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self.name, fill.sequence, fill.execution_id, fill.symbol, fill.session.isoformat(),
                fill.quantity, fill.model_dump_json(),
            ),
        )  # fmt: skip
        self.book(fill)

    def book(self, fill: Fill) -> None:
        """Move position and cash by one fill."""
        self._save_position(apply_fill(self.position(fill.symbol), fill))
        self.add_cash(cash_effect(fill))

    def _save_position(self, position: Position) -> None:
        self.db.execute(
            "INSERT INTO positions VALUES (?, ?, ?)"
            " ON CONFLICT (account, symbol) DO UPDATE SET position = excluded.position",
            (self.name, position.symbol, position.model_dump_json()),
        )

    def add_cash(self, amount: Decimal) -> None:
        self.db.execute(
            "UPDATE accounts SET cash = ? WHERE account = ?", (decimal_text(self.cash() + amount), self.name)
        )

    def _next(self, counter: str) -> int:
        row = self.db.execute(
            f"UPDATE accounts SET {counter} = {counter} + 1 WHERE account = ? RETURNING {counter}", (self.name,)
        ).fetchone()
        return int(row[0])


def _order(row: tuple[str, str, str]) -> VenueOrder:
    return VenueOrder(
        OrderRequest.model_validate_json(row[0]),
        BrokerOrder.model_validate_json(row[1]),
        Working.model_validate_json(row[2]),
    )
