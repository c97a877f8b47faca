"""Fault points: every name in the table is reached in the code, every reach is in the table, and one kills."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.faults import FAULT_POINTS, VARIABLE

PIPELINE = Path(__file__).parents[2] / "pipeline"


def reached() -> list[str]:
    names = []
    for path in sorted(PIPELINE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reach":
                (argument,) = node.args
                assert isinstance(argument, ast.Constant), f"{path.name}:{node.lineno} reaches a name that is computed"
                names.append(str(argument.value))
    return names


def test_the_table_of_fault_points_is_what_the_code_reaches() -> None:
    assert set(reached()) == set(FAULT_POINTS)
    assert len(FAULT_POINTS) == len(set(FAULT_POINTS))


@pytest.mark.parametrize(
    ("wanted", "passes"), [("after_match", 0), ("after_match:1", 0), ("after_match:3", 2), ("after_request", 5)]
)
def test_a_process_dies_at_the_named_point_at_the_named_time(wanted: str, passes: int) -> None:
    script = "from pipeline.faults import reach\nfor n in range(5):\n    reach('after_match'); print(n, flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", script], env={VARIABLE: wanted}, capture_output=True, text=True, check=False,
        cwd=PIPELINE.parent,
    )  # fmt: skip
    assert done.stdout.split() == [str(n) for n in range(passes)]
    assert done.returncode == (0 if passes == 5 else -signal.SIGKILL)
