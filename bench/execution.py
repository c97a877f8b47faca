"""How many orders a second go from grant to booked fill, as a multiple of bare SQLite transactions.

    python -m bench.execution [--orders 200] [--rounds 3]

An order consumes its grant, draws on its parent, is written with its outbox row, said to the simulated venue, filled
at the open and booked: order, position, cash and ledger. The controls before it and the stop after it are not part of
it. The bare transaction inserts one row into the same database with the same settings. Both are timed in every round;
the medians are printed. The venue is another SQLite file, and its transactions are part of the path.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from sqlmodel import select

from memory.tables import BlobRow, FillRow, GrantRow, RunRow
from pipeline import parents
from pipeline.execution import book_fills, dispatch
from pipeline.feed import open_market
from pipeline.settings import load_settings
from pipeline.store import Store, now, open_store
from pipeline.submission import add_order, order_id
from tools.canonical import sha256_hex
from tools.data.types import MarketData
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import OrderRequest
from tools.types import Tick

CASH = Decimal(1_000_000)
PRICE = Decimal(100)
RUN = "run_bench"


class Round(NamedTuple):
    """Orders and bare transactions a second."""

    orders: float
    bare: float


def seed(store: Store) -> RunRow:
    """An open run at the simulation."""
    run = RunRow(
        id=RUN, ordinal=1, mode="replay", fingerprint="bench", seed=0, start=date(2009, 11, 13), session_index=60,
        config={"broker": "simulation", "symbols": ["IBM"]}, equity_start=CASH, cash=CASH, peak_equity=CASH,
        day_start_equity=CASH, created_wall=now(),
    )  # fmt: skip
    with store.db.write() as session:
        session.add(run)
    return run


def grant(store: Store, numbers: range) -> None:
    """Grants as approvals leave them: minted, one share each."""
    with store.db.write() as session:
        for number in numbers:
            session.add(
                GrantRow(
                    id=f"grant_{number}", case_id=f"case_{number}", run_id=RUN, status="minted", digest="",
                    quantity_budget=1, body={}, signature="", minted_wall=now(),
                )
            )  # fmt: skip


def submit(store: Store, number: int, tick: Tick) -> None:
    """Take one grant as a parent and write its order, in one transaction."""
    with store.db.write() as session:
        run, minted = session.get_one(RunRow, RUN), session.get_one(GrantRow, f"grant_{number}")
        case_id = f"case_{number}"
        parent = parents.open_parent(
            session, run, minted, case_id=case_id, symbol="IBM", side="buy", quantity=1, at=tick
        )  # fmt: skip
        request = OrderRequest(
            client_order_id=order_id(RUN, case_id, "entry", 1), symbol="IBM", side="buy", quantity=1,
            order_type="market", time_in_force="opg",
        )  # fmt: skip
        add_order(
            session, run, request, case_id=case_id, grant_id=minted.id, leg="entry", attempt=1, at=tick, parent=parent
        )


def play(store: Store, broker: SimulationBroker, market: MarketData, numbers: range, turn: int) -> Round:
    """One session of orders, then as many bare transactions."""
    grant(store, numbers)
    tick = Tick(
        session=date(2009, 11, 16 + turn), phase="open", as_of=datetime(2009, 11, 16 + turn, 14, 30, tzinfo=UTC)
    )
    began = time.perf_counter()
    for number in numbers:
        submit(store, number, tick)
    dispatch(store, broker, RUN, tick)
    broker.match_open(tick, {"IBM": PRICE}, {"IBM": 1e9})
    booked = book_fills(store, broker, market, RUN, tick)
    took = time.perf_counter() - began
    if booked != len(numbers):
        raise SystemExit(f"{booked} of {len(numbers)} orders were filled and booked: the bench means nothing")
    began = time.perf_counter()
    for number in numbers:
        with store.db.write() as session:
            session.add(BlobRow(sha256=sha256_hex(f"bench {number}".encode()), data=b"x" * 64))
    return Round(len(numbers) / took, len(numbers) / (time.perf_counter() - began))


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings(home=Path(folder) / "home"))
        run = seed(store)
        broker = SimulationBroker(store.home.broker, seed=0, starting_cash=CASH, account=run.id)
        market = open_market(("IBM",))
        found = [
            play(store, broker, market, range(turn * given.orders, (turn + 1) * given.orders), turn)
            for turn in range(given.rounds)
        ]
        with store.db.read() as session:
            fills = len(session.exec(select(FillRow.execution_id)).all())
        store.db.dispose()
    orders, bare = (statistics.median(values) for values in zip(*found, strict=True))
    print(f"orders     {fills} filled and booked in {given.rounds} rounds")
    print(f"path       {orders:7.1f} orders/s, {1000 / orders:.2f} ms an order")
    print(f"bare       {bare:7.1f} transactions/s")
    print(f"multiple   {bare / orders:7.2f}")


if __name__ == "__main__":
    main()
