"""A persistent venue for replay: accepts, matches and reports as a broker would, costs included."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from tools.canonical import stable_id
from tools.data.types import Bar, CorporateAction
from tools.errors import ExecutionError
from tools.execution import matching
from tools.execution.brokers.venue_account import VenueAccount
from tools.execution.brokers.venue_store import VenueStore
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderRequest, OrderState
from tools.types import Tick

ORDER_TYPES = ("market", "limit", "stop")
TIMES_IN_FORCE = ("opg", "day", "gtc")

Match = Callable[[matching.Resting, str, matching.Venue], matching.Decision]


class SimulationBroker:
    """One account at a simulated venue kept in its own SQLite file.

    It survives `kill -9` (each call is one transaction) and two processes at once. `account` is the run id;
    `seed` and `starting_cash` belong to the account for ever. `reduce_only` orders never pass through zero, a
    plain sell beyond the position is rejected, and there is no credit. Raises ExecutionError
    `account_mismatch` when an existing account is opened with another seed or cash.
    """

    def __init__(self, path: Path, *, seed: int, starting_cash: Decimal, account: str) -> None:
        self._store = VenueStore(path)
        self._account = account
        self._seed = seed
        with self._store.write() as db:
            self._view(db).open(seed, starting_cash)

    @property
    def name(self) -> str:
        return "simulation"

    def close(self) -> None:
        """Release the file. Not needed for durability."""
        self._store.close()

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Accept or reject an order; the same request again returns the order as it is now.

        Raises ExecutionError `duplicate_differs` when the id is known with another content.
        """
        with self._store.write() as db:
            account = self._view(db)
            known = account.order(request.client_order_id)
            if known is not None:
                if known.request != request:
                    raise ExecutionError(
                        f"order id {request.client_order_id} was already used for another request; "
                        "raise the attempt number",
                        code="duplicate_differs",
                    )
                return known.report
            reason = _refusal(request, account.held(request.symbol))
            order = BrokerOrder(
                client_order_id=request.client_order_id,
                broker_order_id=stable_id("bo", self._account, request.client_order_id),
                symbol=request.symbol, side=request.side, quantity=request.quantity, order_type=request.order_type,
                stop_price=request.stop_price, limit_price=request.limit_price,
                state=OrderState.NEW if reason is None else OrderState.REJECTED, reason=reason,
            )  # fmt: skip
            account.add_order(request, order)
            return order

    def find(self, client_order_id: str) -> BrokerOrder | None:
        with self._store.read() as db:
            known = self._view(db).order(client_order_id)
            return None if known is None else known.report

    def cancel(self, client_order_id: str) -> BrokerOrder:
        """Cancel what is still open and return the order; an ended order is returned as it ended.

        Raises ExecutionError `unknown_order` for an id the venue never saw.
        """
        with self._store.write() as db:
            account = self._view(db)
            known = account.order(client_order_id)
            if known is None:
                raise ExecutionError(f"the venue has no order {client_order_id}", code="unknown_order")
            if known.report.state in TERMINAL:
                return known.report
            update = {"state": OrderState.CANCELLED, "reason": "cancelled_by_client"}
            cancelled = known.report.model_copy(update=update)
            account.save_order(cancelled)
            return cancelled

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Orders that can still fill, in the order they were accepted."""
        with self._store.read() as db:
            return tuple(item.report for item in self._view(db).open_orders())

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        with self._store.read() as db:
            return self._view(db).fills(after_sequence)

    def positions(self) -> dict[str, int]:
        """Signed shares by symbol, without zeros."""
        with self._store.read() as db:
            return {item.symbol: item.quantity for item in self._view(db).positions() if item.quantity != 0}

    def cash(self) -> Decimal:
        with self._store.read() as db:
            return self._view(db).cash()

    def is_past(self, tick: Tick) -> bool:
        """True when the venue matched a later tick already: it went on while nobody was there to play this one."""
        with self._store.read() as db:
            return self._view(db).tick_after(tick) is not None

    def match_open(self, tick: Tick, opens: Mapping[str, Decimal], volumes: Mapping[str, float]) -> None:
        """Match resting orders at the open, in the order of acceptance; once per session.

        `opens` are raw prices, `volumes` the session's volume in shares (missing counts as none, so nothing
        fills). Raises ExecutionError `tick_out_of_order` for a tick before one already matched.
        """

        def decide(order: matching.Resting, symbol: str, venue: matching.Venue) -> matching.Decision:
            return matching.at_open(order, opens.get(symbol), venue)

        self._match(tick, "open", decide, volumes)

    def match_close(self, tick: Tick, bars: Mapping[str, Bar]) -> None:
        """Match resting orders through the session's bars: stops, limits, day orders; once per session."""

        def decide(order: matching.Resting, symbol: str, venue: matching.Venue) -> matching.Decision:
            return matching.at_close(order, bars.get(symbol), venue)

        self._match(tick, "close", decide, {symbol: float(bar.volume) for symbol, bar in bars.items()})

    def apply_action(self, action: CorporateAction) -> None:
        """Apply a corporate action to the position and resting orders of its symbol; once per action."""
        with self._store.write() as db:
            self._view(db).apply_action(action)

    def _match(self, tick: Tick, phase: str, decide: Match, volumes: Mapping[str, float]) -> None:
        if tick.phase != phase:
            raise ExecutionError(f"a tick of phase {tick.phase} was given to the {phase} match", code="wrong_phase")
        with self._store.write() as db:
            account = self._view(db)
            if not account.begin_tick(tick):
                return
            for item in account.open_orders():
                report, volume = item.report, volumes.get(item.report.symbol, 0.0)
                venue = matching.Venue(
                    volume=int(volume) if math.isfinite(volume) else 0,
                    traded=account.traded(report.symbol, tick.session),
                    held=account.held(report.symbol),
                    cash=account.cash(),
                    seed=self._seed,
                )
                account.settle(report, decide(item.resting, report.symbol, venue), tick)

    def _view(self, db: sqlite3.Connection) -> VenueAccount:
        return VenueAccount(db, self._account)


def _refusal(request: OrderRequest, held: int) -> str | None:
    """Why the venue does not take an order at all; None when it does."""
    if request.order_type not in ORDER_TYPES or request.time_in_force not in TIMES_IN_FORCE or request.bracket:
        return "unsupported_order"
    if request.reduce_only and (held <= 0 if request.side == "sell" else held >= 0):
        return "no_position"
    if not request.reduce_only and request.side == "sell" and request.quantity > held:
        return "no_position"
    return None
