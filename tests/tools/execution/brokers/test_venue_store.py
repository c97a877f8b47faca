"""The venue's file: several first openers wait for each other, and an error rolls everything back."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.execution.brokers.venue_store import VenueStore

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
