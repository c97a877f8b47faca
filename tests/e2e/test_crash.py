"""A process killed at any named moment, started again, ends with the record of one that was never killed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import FAULT_POINTS, VARIABLE

SESSIONS = 4
SYMBOLS = "AMD,EL,TXT,FCX,PNC,NEM,TIF,HOG,AXP,COH,IBM,GE,XOM,KO,PG,CAT"
KILLS = [f"{point}:2" for point in FAULT_POINTS]


def replay(command: Any, home: str, *more: str, sessions: int = SESSIONS, fault: str | None = None) -> Any:
    return command(
        "--json", "run", "--sessions", str(sessions), "--symbols", SYMBOLS, "--stand-in", "approve", *more,
        home=home, env={VARIABLE: fault} if fault else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a run that nobody killed."""
    import json
    import subprocess
    import sys

    home = tmp_path_factory.mktemp("undisturbed") / "home"
    done = subprocess.run(
        [
            sys.executable, "-m", "api._launch", "--home", str(home), "--json", "run", "--sessions", str(SESSIONS),
            "--symbols", SYMBOLS, "--stand-in", "approve",
        ],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    summary: dict[str, Any] = json.loads(done.stdout)
    assert summary["fills"] > 0
    return summary


def played(home: Path) -> int:
    with sqlite3.connect(home / "quarterdeck.sqlite") as connection:
        return int(connection.execute("SELECT sessions_played FROM runs").fetchone()[0])


@pytest.mark.slow
@pytest.mark.parametrize("fault", KILLS)
def test_a_killed_run_continues_to_the_same_record(
    command: Any, tmp_path: Path, undisturbed: dict[str, Any], fault: str
) -> None:
    killed = replay(command, "home", fault=fault)
    assert killed.killed, killed.err
    left = SESSIONS - played(tmp_path / "home")
    again = replay(command, "home", "--continue", sessions=max(left, 1))
    assert again.status == 0, again.err
    summary = again.json()
    for same in ("orders", "fills", "cases", "proposals", "equity_end", "explanations"):
        assert summary[same] == undisturbed[same], same
    assert summary["ledger"]["verified"]
    assert summary["ledger"]["content_sha256"] == undisturbed["ledger"]["content_sha256"]


@pytest.mark.slow
def test_deleting_the_checkpoints_with_cases_open_loses_nothing(
    command: Any, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    assert replay(command, "home", sessions=2).status == 0
    for file in (tmp_path / "home").glob("checkpoints.sqlite*"):
        file.unlink()
    again = replay(command, "home", "--continue", sessions=SESSIONS - 2)
    assert again.status == 0, again.err
    assert again.json()["ledger"]["content_sha256"] == undisturbed["ledger"]["content_sha256"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_content_in_another_home_and_another_seed_does_not(
    command: Any, undisturbed: dict[str, Any]
) -> None:
    same = replay(command, "other").json()
    other = replay(command, "third", "--seed", "7").json()
    assert same["ledger"]["content_sha256"] == undisturbed["ledger"]["content_sha256"]
    assert same["run"] == undisturbed["run"]
    assert other["ledger"]["content_sha256"] != undisturbed["ledger"]["content_sha256"]
