"""The venue's file: several first openers wait for each other, and an error rolls everything back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tools.errors import ExecutionError
from tools.execution.brokers import venue_store
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.brokers.venue_orders import received
from tools.execution.brokers.venue_store import VenueStore
from tools.execution.types import OrderRequest
from tools.execution.venue_terms import VenueTerms

ACCOUNT = "INSERT INTO accounts (account, seed, starting_cash, cash) VALUES ('a', 1, '1', '1')"


def accounts(store: VenueStore) -> int:
    with store.read() as db:
        return int(db.execute("SELECT COUNT(*) FROM accounts").fetchone()[0])


OPENER = """
import sys, time
from pathlib import Path
from tools.execution.brokers.venue_store import VenueStore
start, folder = float(sys.argv[1]), Path(sys.argv[2])
for number in range(25):
    while time.time() < start + number * 0.03:
        pass
    VenueStore(folder / str(number)).close()
"""


def test_several_processes_may_open_a_new_file_at_the_same_moment(tmp_path: Path) -> None:
    root, start = Path(__file__).parents[4], str(time.time() + 1.5)
    command = [sys.executable, "-c", OPENER, start, str(tmp_path)]
    openers = [subprocess.Popen(command, cwd=root) for _ in range(3)]
    assert [opener.wait() for opener in openers] == [0, 0, 0]


def test_an_error_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    store = VenueStore(tmp_path / "venue")

    def fail_half_way() -> None:
        with store.write() as db:
            db.execute(ACCOUNT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert accounts(store) == 0
    with store.write() as db:
        db.execute(ACCOUNT)
    assert accounts(store) == 1
    store.close()
    again = VenueStore(tmp_path / "venue")
    assert accounts(again) == 1
    again.close()


OLD_ORDER = {
    "client_order_id": "o1", "symbol": "IBM", "side": "buy", "quantity": 100, "order_type": "market",
    "time_in_force": "gtc",
}  # fmt: skip


def test_a_file_from_before_there_were_terms_opens_with_the_default_terms_and_its_orders(tmp_path: Path) -> None:
    path, request = tmp_path / "venue", OrderRequest.model_validate(OLD_ORDER)
    report = received("a", request).report
    with sqlite3.connect(path) as db:
        for statement in venue_store.FIRST:
            db.execute(statement)
        db.execute("INSERT INTO accounts (account, seed, starting_cash, cash, last_order) VALUES ('a', 1, '9', '9', 1)")
        db.execute(
            "INSERT INTO orders (account, client_order_id, number, symbol, open, request, report)"
            " VALUES ('a', 'o1', 1, 'IBM', 1, ?, ?)",
            (request.model_dump_json(), report.model_dump_json()),
        )
    db.close()
    for _ in range(2):
        broker = SimulationBroker(path, seed=1, starting_cash=Decimal(9), account="a")
        assert broker.open_orders() == (report,)
        assert broker.submit(request) == report
        broker.close()
    with pytest.raises(ExecutionError, match="other terms"):
        SimulationBroker(path, seed=1, starting_cash=Decimal(9), account="a", terms=VenueTerms(latency_ticks=1))


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    VenueStore(tmp_path / "venue").close()
    with sqlite3.connect(tmp_path / "venue") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ExecutionError, match="version 99") as error:
        VenueStore(tmp_path / "venue")
    assert error.value.code == "venue_newer"
