"""Two processes append to one ledger: no fork, no gap, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from sqlmodel import col, select

from memory import ledger
from memory.database import Database
from memory.tables import LedgerRow

EACH = 200


def _start(url: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.memory.appender", url, name, str(EACH)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_append_two_hundred_records_each_without_fork_or_gap(any_url: str, any_db: Database) -> None:
    workers = [_start(any_url, name) for name in ("left", "right")]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _, complaint = worker.communicate(timeout=120)
        assert worker.returncode == 0, complaint

    with any_db.read() as session:
        rows = session.exec(select(LedgerRow).order_by(col(LedgerRow.seq))).all()
    assert [row.seq for row in rows] == list(range(1, 2 * EACH + 1))
    assert len({row.prev_hash for row in rows}) == 2 * EACH
    for name in ("left", "right"):
        said = [int(row.step.split(":")[1]) for row in rows if row.step.startswith(name)]
        assert said == list(range(EACH))
    turns = sum(one.step.split(":")[0] != two.step.split(":")[0] for one, two in pairwise(rows))
    assert turns > 1, "the two processes never overlapped: this race proves nothing"
    assert ledger.verify(any_db).verified
