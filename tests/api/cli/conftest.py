"""A runner for command lines in this process, over homes in temporary folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import run_cli


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout; fails when there is anything beside it."""
        return json.loads(self.out)


Quarterdeck = Callable[..., Ran]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def quarterdeck(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Quarterdeck:
    """`quarterdeck("cases", "list", "--json")` with --home set."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Ran:
        status = run_cli(["--home", str(home), *arguments])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return run
