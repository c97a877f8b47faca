"""An approved change is put in force exactly once, whatever dies or runs beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import select

from memory.tables import ActivationRow, CaseRow, GrantRow, LedgerRow
from pipeline import applying
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import BOB, Question, say
from tests.pipeline.test_changes import TIGHTER, ask, case_of, desk, in_force_version, store

__all__ = ["desk", "store"]
ROOT = Path(__file__).resolve().parents[2]
DECIDE = """
import sys
from pathlib import Path
from tests.pipeline import life
store = life.new_store(Path(sys.argv[1]))
life.approvals.decide(store, sys.argv[2], principal=life.BOB, decision="approve", digest=sys.argv[3], reason="r")
"""


def killed_at(point: str, desk: Store, asked: Question) -> None:
    """Approve in a process that dies at `point`."""
    env = {**os.environ, "QUARTERDECK_FAULT": point, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", DECIDE, str(desk.home.path), asked.approval_id, asked.digest]
    done = subprocess.run(command, env=env, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("before_decision_commit", ("awaiting", "1")), ("after_decision_commit", ("approved", "1")),
        ("before_submit_commit", ("approved", "1")), ("after_submit_commit", ("done", "2")),
    ],
)  # fmt: skip
def test_a_kill_at_any_moment_leaves_it_whole_and_the_watch_loop_ends_it_once(
    desk: Store, point: str, left: tuple[str, str]
) -> None:
    asked = ask(desk)
    killed_at(point, desk, asked)
    assert (case_of(desk, asked).state, in_force_version(desk)) == left
    if point == "before_decision_commit":
        say(desk, asked, BOB)
    applying.apply_due(desk)
    applying.apply_due(desk)
    assert (case_of(desk, asked).state, in_force_version(desk)) == ("done", "2")
    with desk.db.read() as session:
        rows = session.exec(select(ActivationRow).where(ActivationRow.body == TIGHTER)).all()
        records = session.exec(select(LedgerRow).where(LedgerRow.kind == "limits.activated")).all()
        grants = session.exec(select(GrantRow.status).where(GrantRow.case_id == asked.case_id)).all()
    assert (len(rows), len(records), list(grants)) == (1, 2, ["consumed"])
    assert desk.verify_ledger().verified


def test_many_at_once_apply_it_once(desk: Store) -> None:
    asked = ask(desk)
    killed_at("after_decision_commit", desk, asked)
    with ThreadPoolExecutor(8) as pool:
        moved = [moved for moved in pool.map(lambda _: applying.apply_due(desk), range(16)) if moved]
    assert moved == [(asked.case_id,)]


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("signature", "UPDATE grants SET signature = '00'"), ("grant", "DELETE FROM grants"),
        ("approval", "DELETE FROM approvals"), ("terms", "UPDATE approvals SET required = 0"),
        ("body", "UPDATE cases SET body = '{'"), ("digest", "UPDATE cases SET digest = 'x'"),
        ("subject", "UPDATE cases SET symbol = 'POLICY'"), ("people", "DELETE FROM decisions"),
        ("explanation", "UPDATE explanations SET body = '{}'"),
    ],
)  # fmt: skip
def test_what_was_tampered_with_after_the_approval_is_void_with_a_finding(
    desk: Store, what: str, statement: str
) -> None:
    asked = ask(desk)
    killed_at("after_decision_commit", desk, asked)
    life.tamper(desk, statement)
    applying.apply_due(desk)
    with desk.db.read() as session:
        assert session.get_one(CaseRow, asked.case_id).state == "voided", what
    assert life.findings(desk) == ["tampered"]
    assert in_force_version(desk) == "1"


def test_a_change_of_a_closed_run_is_void(desk: Store) -> None:
    asked = ask(desk)
    killed_at("after_decision_commit", desk, asked)
    life.tamper(desk, "UPDATE runs SET active = 0")
    applying.apply_due(desk)
    assert (case_of(desk, asked).state, case_of(desk, asked).reason) == ("voided", f"its run {life.RUN} was closed")


def test_a_refusal_after_the_approval_and_before_it_is_applied_wins(desk: Store) -> None:
    asked = ask(desk)
    killed_at("after_decision_commit", desk, asked)
    assert life.code_of(lambda: say(desk, asked, life.CARL, "reject")) == ""
    assert (case_of(desk, asked).state, in_force_version(desk)) == ("rejected", "1")
