"""A process killed at any named moment, started again, ends with the record of one that was never killed."""

from __future__ import annotations

import shutil
import sqlite3
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import FAULT_POINTS, VARIABLE
from tests.e2e import warm
from tests.e2e.desk import Finished

BEFORE, SESSIONS = 1, 3
"""Sessions that every home has behind it, and that each has in the end."""
SYMBOLS = "AMD,EL,TXT,FCX,PNC,NEM,TIF,HOG,AXP,COH,IBM,GE,XOM,KO,PG,CAT"
KILLS = [f"{point}:2" for point in FAULT_POINTS]


@pytest.fixture(scope="module")
def forks() -> ForkServerContext:
    return warm.forks()


def replay(forks: ForkServerContext, home: Path, *more: str, sessions: int, fault: str | None = None) -> Finished:
    return warm.run(
        forks, home, "--json", "run", "--sessions", str(sessions), "--symbols", SYMBOLS, "--stand-in", "approve", *more,
        env={VARIABLE: fault} if fault else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def begun(forks: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with its first session behind it: approved cases wait for the next open."""
    home = tmp_path_factory.mktemp("begun") / "home"
    done = replay(forks, home, sessions=BEFORE)
    assert done.status == 0, done.err
    return home


@pytest.fixture
def home(begun: Path, tmp_path: Path) -> Path:
    return shutil.copytree(begun, tmp_path / "home")


@pytest.fixture(scope="module")
def undisturbed(forks: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a run that nobody killed."""
    done = replay(forks, tmp_path_factory.mktemp("undisturbed") / "home", sessions=SESSIONS)
    assert done.status == 0, done.err
    summary = done.json()
    assert summary["fills"] > 0
    return summary


def played(home: Path) -> int:
    with sqlite3.connect(home / "quarterdeck.sqlite") as connection:
        return int(connection.execute("SELECT sessions_played FROM runs").fetchone()[0])


@pytest.mark.slow
@pytest.mark.parametrize("fault", KILLS)
def test_a_killed_run_continues_to_the_same_record(
    forks: ForkServerContext, home: Path, undisturbed: dict[str, Any], fault: str
) -> None:
    killed = replay(forks, home, "--continue", sessions=SESSIONS - BEFORE, fault=fault)
    assert killed.killed, killed.err
    again = replay(forks, home, "--continue", sessions=max(SESSIONS - played(home), 1))
    assert again.status == 0, again.err
    summary = again.json()
    for same in ("orders", "fills", "cases", "proposals", "equity_end", "explanations"):
        assert summary[same] == undisturbed[same], same
    assert summary["ledger"]["verified"]
    assert summary["ledger"]["content_sha256"] == undisturbed["ledger"]["content_sha256"]


@pytest.mark.slow
def test_deleting_the_checkpoints_with_cases_open_loses_nothing(
    forks: ForkServerContext, home: Path, undisturbed: dict[str, Any]
) -> None:
    for file in home.glob("checkpoints.sqlite*"):
        file.unlink()
    again = replay(forks, home, "--continue", sessions=SESSIONS - BEFORE)
    assert again.status == 0, again.err
    assert again.json()["ledger"]["content_sha256"] == undisturbed["ledger"]["content_sha256"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_content_in_another_home_and_another_seed_does_not(
    command: Any, undisturbed: dict[str, Any]
) -> None:
    def alone(home: str, *more: str) -> dict[str, Any]:
        given = ("--sessions", str(SESSIONS), "--symbols", SYMBOLS, "--stand-in", "approve", *more)
        found: dict[str, Any] = command("--json", "run", *given, home=home).json()
        return found

    same, other = alone("other"), alone("third", "--seed", "7")
    assert same["ledger"]["content_sha256"] == undisturbed["ledger"]["content_sha256"]
    assert same["run"] == undisturbed["run"]
    assert other["ledger"]["content_sha256"] != undisturbed["ledger"]["content_sha256"]
