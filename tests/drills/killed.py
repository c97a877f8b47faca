"""A paper desk from approved cases to protected positions, in a process that may be killed at any moment of it.

`play` is what the process does; played again, in another process, it goes on from what was committed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from sqlmodel import col, select

from memory.tables import CaseRow, FillRow, OrderRow, OutboxRow, RunRow
from pipeline import execution, halt_program, reconciliation
from pipeline.activation import in_force
from pipeline.book import open_positions
from pipeline.faults import VARIABLE
from pipeline.protection import protect
from pipeline.submission import OpenMarket, submit_case
from tests.peers.alpaca_book import Json
from tests.peers.alpaca_peer import KEY, SECRET, AlpacaPeer
from tests.pipeline import life
from tools.data.types import MarketData
from tools.execution.brokers.alpaca import AlpacaBroker

SYMBOLS = ("IBM", "DELL", "GE")
PRICE = Decimal("120.6")
CASH = Decimal(1_000_000)


class OpenVenue(life.StillMarket):
    """Two sessions in which everything trades."""

    def tradable(self, symbol: str) -> bool:
        return True

    def paused(self, symbol: str, as_of: datetime) -> bool:
        return False

    def borrow(self, symbol: str) -> int:
        return 0

    def clock_skew_seconds(self, wall: datetime) -> float:
        return 0.0


MARKET = cast(MarketData, OpenVenue())


class DeadlyPeer(AlpacaPeer):
    """Kills whoever asks it for one thing: before it is done, or once it is done and nothing was answered."""

    def __init__(self) -> None:
        super().__init__(hang_s=0.05)
        self.victim: Callable[[], int | None] = lambda: None
        self.deadly: tuple[str, str, int, bool] | None = None
        """Method, path, which of them, and whether it is done first."""
        self._seen = 0

    def arm(self, method: str, path: str, nth: int, *, done: bool) -> None:
        self.deadly, self._seen = (method, path, nth, done), 0

    def carry_out(self, fault: str, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Any]:
        wanted, answer = self.deadly, (0, None)
        hit = wanted is not None and (method, path) == wanted[:2]
        self._seen += hit
        if not hit or wanted is None or self._seen != wanted[2]:
            return super().carry_out(fault, method, path, query, body)
        if wanted[3]:
            super().carry_out(fault, method, path, query, body)
        self.deadly = None
        pid = self.victim()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return answer


def prepare(home: Path) -> None:
    """A paper home with three approved cases and their grants."""
    store = life.new_store(home, mode="paper")
    life.seed_run(store, mode="paper", config={"broker": "alpaca", "symbols": list(SYMBOLS)}, stage="traded")
    bodies = [life.proposal(number, symbol=name, quantity=30) for number, name in enumerate(SYMBOLS)]
    for question in life.ask_all(store, bodies):
        life.say(store, question)
    store.db.dispose()


def play(home: str, base_url: str, at: float, fault: str | None = None) -> None:
    """Submit, send, book, protect, compare: the desk's own functions in the desk's own order, as after a start."""
    if fault is not None:
        os.environ[VARIABLE] = fault
    store = life.new_store(Path(home), mode="paper")
    broker = AlpacaBroker(
        key_id=KEY, secret_key=SECRET, base_url=base_url, journal=Path(home) / "alpaca.sqlite", clock=lambda: at
    )
    opened = OpenMarket(
        tick=life.OPEN_TICK, opens=dict.fromkeys(SYMBOLS, PRICE), adv=dict.fromkeys(SYMBOLS, Decimal(500_000_000)),
        groups={name: frozenset({name}) for name in SYMBOLS},
    )  # fmt: skip
    seen = life.OPEN_TICK.model_copy(update={"as_of": life.OPEN_TICK.as_of + timedelta(days=9999)})
    reconciliation.reconcile(store, broker, MARKET, life.RUN, seen, "start")
    law = in_force(store)
    with store.db.read() as session:
        cases = session.exec(select(CaseRow.id).order_by(col(CaseRow.strategy))).all()
    for case_id in cases:
        submit_case(store, MARKET, law, case_id, opened)
    halt_program.carry_out_all(store, broker)
    for _ in range(2):
        execution.dispatch(store, broker, life.RUN, life.OPEN_TICK)
        execution.book_fills(store, broker, MARKET, life.RUN, seen)
        protect(store, broker, life.RUN, life.OPEN_TICK)
    reconciliation.reconcile(store, broker, MARKET, life.RUN, seen, "asked")
    broker.close()
    store.db.dispose()


def result(home: Path) -> dict[str, Any]:
    """The books that a home ends with: everything that a kill must not change."""
    store = life.new_store(home, mode="paper")
    with store.db.read() as session:
        run = session.get_one(RunRow, life.RUN)
        orders = session.exec(select(OrderRow).order_by(col(OrderRow.client_order_id))).all()
        fills = session.exec(select(FillRow).order_by(col(FillRow.client_order_id), col(FillRow.quantity))).all()
        unsaid = session.exec(select(OutboxRow.client_order_id).where(OutboxRow.status != "done")).all()
        found = {
            "cash": run.cash,
            "held": {row.symbol: (row.quantity, row.average_price) for row in open_positions(session, run.id)},
            "orders": [(row.client_order_id, row.leg, row.state, row.filled_quantity) for row in orders],
            "fills": [(row.client_order_id, row.quantity, row.price) for row in fills],
            "cases": sorted(session.exec(select(CaseRow.id, CaseRow.state)).all()),
            "unsaid": list(unsaid), "findings": sorted(life.findings(store)),
        }  # fmt: skip
    assert store.verify_ledger().verified
    store.db.dispose()
    return found
