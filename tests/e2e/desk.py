"""Homes with a run in them, and a desk served on one of them in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
QUARTERDECK = (sys.executable, "-m", "api._launch")
SMALL = "AMD,EL,TXT,FCX,PNC,NEM,TIF,HOG,AXP,COH,IBM,GE,XOM,KO,PG,CAT"
READY_S = 150.0
T = TypeVar("T")


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


def quarterdeck(home: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 240) -> Finished:
    """Run `quarterdeck --home HOME ARGUMENTS` to its end."""
    done = subprocess.run(
        [*QUARTERDECK, "--home", str(home), *arguments], cwd=ROOT, env={**os.environ, **(env or {})},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    return Finished(done.returncode, done.stdout, done.stderr)


def rows(home: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read the home's store, beside whoever has it open."""
    connection = sqlite3.connect(f"file:{home / 'quarterdeck.sqlite'}?mode=ro", uri=True, timeout=20)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def held(home: Path) -> dict[str, int]:
    """Open positions: shares by symbol."""
    return dict(rows(home, "SELECT symbol, quantity FROM positions WHERE quantity != 0"))


def bought(home: Path) -> dict[str, int]:
    """Shares by symbol as the fills add up; never below zero in a long-only book."""
    signed = "SELECT symbol, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) FROM fills GROUP BY symbol"
    return {symbol: quantity for symbol, quantity in rows(home, signed) if quantity}


def until(found: Callable[[], T | None], what: str, *, timeout_s: float = 60) -> T:
    """Ask again and again until the answer is neither None nor False."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = found()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout_s:.0f} s still not so: {what}")
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Desk:
    """A served desk: its supervisor process, its home and its API."""

    def __init__(self, home: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.parent / f"{home.name}-{self.port}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*QUARTERDECK, "--home", str(home), "serve", "--port", str(self.port), *arguments], cwd=ROOT,
                env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        until(
            lambda: "Ready." in self.said() or self.process.poll() is not None, "the desk is ready", timeout_s=READY_S
        )
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}: {self.said()}")
        self.token = (home / "token").read_text().strip()
        self.client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"authorization": f"Bearer {self.token}"},
            timeout=30,
            trust_env=False,
        )

    def said(self) -> str:
        return self.log.read_text()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(path, params=params)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.client.post(path, json=body)

    def view(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/desk")
        return found

    def pending(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/approvals")["items"]
        return found

    def decide(self, approval: dict[str, Any], decision: str, reason: str = "a test says so") -> httpx.Response:
        body = {"decision": decision, "digest": approval["digest"], "reason": reason}
        return self.post(f"/approvals/{approval['id']}/decision", body)

    def decide_all(self, decision: str) -> None:
        for item in self.pending():
            assert self.decide(item, decision).status_code == 200

    def next(self) -> dict[str, Any]:
        """Play one session by command and wait for it; the desk's view after it."""
        command = self.post("/desk/next").json()["command"]
        answer = until(lambda: self._answered(command), "the next session was played")
        assert answer["status"] == "done", answer
        return self.view()

    def _answered(self, command: str) -> dict[str, Any] | None:
        answer: dict[str, Any] = self.get(f"/desk/commands/{command}")
        return None if answer["status"] == "pending" else answer

    def holds(self) -> list[dict[str, Any]]:
        """Wait until the desk has closed a session and people are asked; what waits."""
        return until(lambda: (self.view()["stage"] == "waiting" and self.pending()) or None, "something waits")

    def component(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(c for c in self.get("/health")["components"] if c["component"] == name)
        return found

    @property
    def engine(self) -> psutil.Process:
        return psutil.Process(self.component("engine")["pid"])

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit status."""
        self.client.close()
        if self.process.poll() is None:
            family = self.children()
            for process in (*family, psutil.Process(self.process.pid)):
                with suppress(psutil.NoSuchProcess):
                    process.resume()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                for process in (*family, psutil.Process(self.process.pid)):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
        return self.process.wait()


@contextmanager
def serving(home: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Desk]:
    """A desk served on `home` until the block ends."""
    desk = Desk(home, *arguments, env=env)
    try:
        yield desk
    finally:
        desk.stop()


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """Hold a process still, as a machine that swaps or a debugger would."""
    process.suspend()
    try:
        until(lambda: process.status() == psutil.STATUS_STOPPED, "the process stands still", timeout_s=5)
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


class Homes:
    """Copies of homes that were played once: `waiting` has five questions open, `holding` has positions as well."""

    KINDS: ClassVar[dict[str, tuple[tuple[str, ...], ...]]] = {
        "waiting": (("--symbols", SMALL, "--sessions", "1"),),
        "holding": (
            ("--symbols", SMALL, "--sessions", "2", "--stand-in", "approve"),
            ("--continue", "--sessions", "1"),
        ),
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def copy(self, kind: str, target: Path) -> Path:
        """Put a fresh copy of a home of that kind at `target`."""
        model = self.folder / kind
        if not model.exists():
            for arguments in self.KINDS[kind]:
                played = quarterdeck(model, "--json", "run", *arguments)
                assert played.status == 0, played.err
        shutil.copytree(model, target)
        return target
