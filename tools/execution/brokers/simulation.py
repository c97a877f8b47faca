"""A persistent venue for replay: accepts, matches and reports as a broker would, costs included."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from tools.data.types import Bar, CorporateAction
from tools.errors import ExecutionError
from tools.execution.brokers import venue_amendments, venue_brackets, venue_charges
from tools.execution.brokers.venue_account import VenueAccount
from tools.execution.brokers.venue_matching import TickMarket, match_tick
from tools.execution.brokers.venue_orders import received
from tools.execution.brokers.venue_store import VenueStore
from tools.execution.messages import OrderMessage
from tools.execution.types import BrokerOrder, Charge, Fill, OrderRequest, OrderState
from tools.execution.venue_terms import VenueTerms
from tools.types import Phase, Tick

DEFAULT_TERMS = VenueTerms()


class SimulationBroker:
    """One account at a simulated venue kept in its own SQLite file.

    It survives `kill -9` (each call is one transaction) and two processes at once. `account` is the run id;
    `seed`, `starting_cash` and `terms` belong to the account for ever. `reduce_only` orders never pass through zero;
    by the default terms a plain sell beyond the position is rejected, and there is no credit. Raises ExecutionError
    `account_mismatch` when an existing account is opened with another seed, cash or terms.
    """

    def __init__(
        self, path: Path, *, seed: int, starting_cash: Decimal, account: str, terms: VenueTerms = DEFAULT_TERMS
    ) -> None:
        self._store = VenueStore(path)
        self._account = account
        self._seed = seed
        self._terms = terms
        with self._store.write() as db:
            self._view(db).open(seed, starting_cash, terms)

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
            reason = self._refusal(request, account.held(request.symbol))
            arrives = account.ticks() + 1 + self._terms.latency_ticks
            order = received(self._account, request, refusal=reason, arrives=arrives)
            account.add_order(order)
            return order.report

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
            if not known.is_open:
                return known.report
            cancelled = known.reporting(state=OrderState.CANCELLED, reason="cancelled_by_client")
            account.save_order(cancelled)
            return cancelled.report

    def legs(self, client_order_id: str) -> tuple[BrokerOrder, ...]:
        """The exits of a bracket, the stop first; empty until its entry fills."""
        with self._store.read() as db:
            return tuple(item.report for item in venue_brackets.exits(self._view(db), client_order_id))

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Orders that can still fill, in the order they were accepted."""
        with self._store.read() as db:
            return tuple(item.report for item in self._view(db).open_orders())

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        with self._store.read() as db:
            return self._view(db).fills(after_sequence)

    def charges(self, after_sequence: int) -> tuple[Charge, ...]:
        """Borrow fees and interest with a higher sequence, ascending."""
        with self._store.read() as db:
            return venue_charges.charges(self._view(db), after_sequence)

    def amendments(self, after_sequence: int) -> tuple[OrderMessage, ...]:
        """Busts and corrections after the first `after_sequence` of them, in the order in which they were made."""
        with self._store.read() as db:
            return venue_amendments.amendments(self._view(db), after_sequence)

    def bust(self, execution_id: str) -> OrderMessage:
        """Take a trade back, as the venue's officials would; see `venue_amendments` for errors."""
        with self._store.write() as db:
            return venue_amendments.amend(self._view(db), execution_id, 0, None)

    def correct(self, execution_id: str, *, quantity: int | None = None, price: Decimal | None = None) -> OrderMessage:
        """State a trade's quantity or price anew."""
        with self._store.write() as db:
            return venue_amendments.amend(self._view(db), execution_id, quantity, price)

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
        self._match("open", TickMarket(tick, opens, volumes))

    def match_close(self, tick: Tick, bars: Mapping[str, Bar]) -> None:
        """Match resting orders through the session's bars, then take the session's fees; once per session."""
        opens = {symbol: bar.open for symbol, bar in bars.items()}
        volumes = {symbol: float(bar.volume) for symbol, bar in bars.items()}
        self._match("close", TickMarket(tick, opens, volumes, bars))

    def apply_action(self, action: CorporateAction) -> None:
        """Apply a corporate action to the position and resting orders of its symbol; once per action."""
        with self._store.write() as db:
            self._view(db).apply_action(action)

    def _match(self, phase: Phase, market: TickMarket) -> None:
        tick = market.tick
        if tick.phase != phase:
            raise ExecutionError(f"a tick of phase {tick.phase} was given to the {phase} match", code="wrong_phase")
        with self._store.write() as db:
            account = self._view(db)
            if not account.begin_tick(tick):
                return
            match_tick(account, market, seed=self._seed, terms=self._terms)
            if phase == "close":
                closes = {symbol: bar.close for symbol, bar in market.bars.items()}
                venue_charges.charge_session(account, tick, closes, self._terms)

    def _refusal(self, request: OrderRequest, held: int) -> str | None:
        """Why the venue does not take an order at all; None when it does."""
        borrowable = self._terms.borrow.limits.get(request.symbol, 0)
        if request.reduce_only and (held <= 0 if request.side == "sell" else held >= 0):
            return "no_position"
        if not request.reduce_only and request.side == "sell" and request.quantity > held + borrowable:
            return "borrow_limit" if borrowable else "no_position"
        return "venue_refused" if self._terms.refuses(self._seed, request.client_order_id) else None

    def _view(self, db: sqlite3.Connection) -> VenueAccount:
        return VenueAccount(db, self._account)
