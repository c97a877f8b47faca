"""Fixtures that run the real command in its own process, on a small universe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUARTERDECK = (sys.executable, "-m", "api._launch")
SYMBOLS = "AMD,EL,TXT,FCX,PNC,NEM,TIF,HOG,AXP,COH,GIS,DHR,IBM,GE,XOM,KO,PG,CAT,DE,F,PFE,MRK,T,VZ,WMT,HD,MCD,DIS,BA,UPS"


class Finished(NamedTuple):
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Command = Callable[..., Finished]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `quarterdeck --home <tmp>/home ...`; `env` adds variables, `home` names another home."""

    def run(*arguments: str, env: dict[str, str] | None = None, home: str = "home", timeout: float = 240) -> Finished:
        done = subprocess.run(
            [*QUARTERDECK, "--home", str(tmp_path / home), *arguments],
            cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout, done.stderr)

    return run
