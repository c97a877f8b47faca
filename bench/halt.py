"""How long the halt program takes to cancel 1,000 working orders, as a multiple of the broker's bare cancel time.

    python -m bench.halt [--orders 1000]

One simulated venue, two accounts with the same orders. The bare time asks the venue to cancel each order of the
first; the halt program then cancels those of the second and books it: orders, cases, ledger. Both in one run, so
that a noisy machine moves both. The program asks for every order once and books the answers in batches afterwards.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from sqlmodel import col, select

from memory.tables import CaseRow, LedgerRow, OrderRow, OutboxRow, RunRow
from pipeline import halt, halt_program
from pipeline.settings import load_settings
from pipeline.store import Principal, Store, now, open_store
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import BrokerOrder, OrderRequest
from tools.types import PriceBand, Proposal

AS_OF = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)
CASH = Decimal(1_000_000)


def request(number: int) -> OrderRequest:
    return OrderRequest(
        client_order_id=f"qd-entry-{number:05d}", symbol="IBM", side="buy", quantity=1, order_type="market",
        time_in_force="gtc",
    )  # fmt: skip


def seed(store: Store, orders: int) -> RunRow:
    """A run whose book has so many working entry orders, each of a submitted case."""
    run = RunRow(
        id="run_bench", ordinal=1, mode="replay", fingerprint="bench", seed=0, start=date(2009, 11, 13),
        config={"broker": "simulation", "symbols": ["IBM"]}, session_index=60, equity_start=CASH, cash=CASH,
        peak_equity=CASH, day_start_equity=CASH, created_wall=now(),
    )  # fmt: skip
    with store.db.write() as session:
        session.add(run)
        for number in range(orders):
            asked = request(number)
            body = Proposal(
                id=f"prop_{number}", run_id=run.id, cycle_id="cyc", kind="order.entry", strategy=f"s{number}",
                symbol="IBM", side="buy", quantity=1, reference_price=Decimal(100),
                band=PriceBand(low=Decimal(99), high=Decimal(101)), atr=Decimal(1), risk_effect="increases",
                horizon_sessions=10, strength=0.5, confidence=0.5, thesis="bench", evidence_ids=(), taint=False,
                as_of=AS_OF,
            )  # fmt: skip
            case_id = f"case_{number:05d}"
            session.add(
                CaseRow(
                    id=case_id, run_id=run.id, cycle_id="cyc", strategy=body.strategy, symbol="IBM", side="buy",
                    kind=body.kind, state="submitted", rank=number, risk_effect="increases", digest=body.digest,
                    opened=date(2009, 11, 13), opened_index=60, review={"reasoner": "rules"}, body=body,
                    updated_wall=now(),
                )
            )  # fmt: skip
            session.add(
                OrderRow(
                    client_order_id=asked.client_order_id, run_id=run.id, case_id=case_id, grant_id="g", leg="entry",
                    attempt=1, symbol="IBM", side="buy", quantity=1, state="new", created=AS_OF, body=asked,
                    updated_wall=now(),
                )
            )  # fmt: skip
            session.add(
                OutboxRow(
                    run_id=run.id, client_order_id=asked.client_order_id, action="submit", status="done",
                    created_wall=now(),
                )
            )  # fmt: skip
    return run


def bare(store: Store, orders: int) -> float:
    """Seconds that the venue alone takes to cancel so many orders."""
    broker = SimulationBroker(store.home.broker, seed=0, starting_cash=CASH, account="bare")
    for number in range(orders):
        broker.submit(request(number))
    began = time.perf_counter()
    for number in range(orders):
        broker.cancel(request(number).client_order_id)
    return time.perf_counter() - began


class Watched(SimulationBroker):
    """The venue, noting when it cancelled last."""

    cancelled_at = 0.0

    def cancel(self, client_order_id: str) -> BrokerOrder:
        done = super().cancel(client_order_id)
        self.cancelled_at = time.perf_counter()
        return done


class Took(NamedTuple):
    """Seconds from the start of the halt program's work until the venue has none of the orders, and until booked."""

    at_venue: float
    booked: float


def halted(store: Store, run: RunRow, orders: int) -> Took:
    """Engage a halt on so many working orders and have it carried out."""
    broker = Watched(store.home.broker, seed=run.seed, starting_cash=run.equity_start, account=run.id)
    for number in range(orders):
        broker.submit(request(number))
    halt.engage(store, action="cancel", reason="bench", principal=Principal("bench", "person"))
    began = time.perf_counter()
    done = halt_program.carry_out_all(store, broker)
    took = time.perf_counter() - began
    with store.db.read() as session:
        left = session.exec(select(OrderRow.client_order_id).where(OrderRow.state != "cancelled")).all()
        records = session.exec(select(LedgerRow.seq).where(col(LedgerRow.kind) == "order.cancelled")).all()
    if left or broker.open_orders() or done.finished != 1 or len(records) != orders:
        raise SystemExit(f"{len(left)} orders are not cancelled, {len(records)} recorded: the bench means nothing")
    return Took(broker.cancelled_at - began, took)


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1000)
    orders = parser.parse_args().orders
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings(home=Path(folder) / "home"))
        run = seed(store, orders)
        alone = bare(store, orders)
        ours = halted(store, run, orders)
        store.db.dispose()
    print(f"orders {orders}")
    print(f"venue alone   {alone:7.3f} s, {alone / orders * 1000:.2f} ms an order")
    print(f"halt program  {ours.at_venue:7.3f} s until the venue has none, {ours.booked:.3f} s until all is booked")
    print(f"multiple      {ours.at_venue / alone:7.2f} at the venue, {ours.booked / alone:.2f} booked")


if __name__ == "__main__":
    main()
