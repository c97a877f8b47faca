"""A runner for command lines in this process, over homes in temporary folders."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from filelock import FileLock

from api.app import create_app
from api.cli.main import run_cli
from api.server import bind
from pipeline.home import DeskFile

from ..conftest import Seeded


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


@pytest.fixture
def desk(seeded: Seeded) -> Iterator[str]:
    """A desk that holds the home: the API on a free port, the lock and the desk file."""
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(seeded.store), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    with FileLock(str(seeded.store.home.path / "lock")):
        thread.start()
        while not server.started:
            time.sleep(0.01)
        seeded.store.home.desk_file.write_text(DeskFile(url=url, pid=os.getpid()).model_dump_json())
        yield url
        seeded.store.home.desk_file.unlink(missing_ok=True)
        server.should_exit = True
        thread.join(10)
    listener.close()
