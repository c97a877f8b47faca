"""The supervisor behind `quarterdeck serve`: engine, API and watchdog as three processes over one home."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from memory.tables import HeartbeatRow
from pipeline import bootstrap
from pipeline.activation import at_start
from pipeline.desk import RunRequest, start_run
from pipeline.exposure import local_url, public_url, reachable_host, require_may_listen
from pipeline.home import DeskFile
from pipeline.settings import Settings
from pipeline.store import Store, active_run, open_store
from tools.errors import ConfigError, HomeError

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
RESTART_PAUSE_S = 3.0
MODULES = {"watchdog": "pipeline.watchdog", "engine": "pipeline.engine", "api": "api.server"}


def require_free(host: str, port: int) -> None:
    """ConfigError(port_busy) when somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise ConfigError(
                f"port {port} on {host} is busy: stop what uses it or choose another --port", code="port_busy"
            ) from None


def child_environment() -> dict[str, str]:
    """The children's environment: strict checkpoints, and no tracing whatever the shell says."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LANGSMITH_", "LANGCHAIN_"))}
    return {**kept, "LANGGRAPH_STRICT_MSGPACK": "true", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


class Child:
    """One supervised process; its output goes to a log in the home."""

    def __init__(self, name: str, settings: Settings, log: Path) -> None:
        self.name = name
        self.log = log
        secret = {name for name, value in settings if isinstance(value, SecretStr)}
        self._arguments = json.dumps(settings.model_dump(mode="json", exclude=secret, exclude_none=True))
        self._started = 0.0
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._started = time.monotonic()
        with self.log.open("ab") as out:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", MODULES[self.name], self._arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env=child_environment(), start_new_session=True,
            )  # fmt: skip

    def died(self) -> bool:
        return self.process.poll() is not None

    def restart(self) -> bool:
        """Start again unless it was started a moment ago; True when it was."""
        if time.monotonic() - self._started < RESTART_PAUSE_S:
            return False
        self.process = self._spawn()
        return True

    def stop(self) -> None:
        """Ask it to stop, and end it when it does not."""
        if not self.died():
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


def serve(settings: Settings, say: Callable[[str], None] = print, symbols: tuple[str, ...] | None = None) -> int:
    """Run the three until Ctrl-C or SIGTERM; a child that dies once the desk is ready is started again.

    `symbols` are the names of a first run; None is every name of the market.
    """
    require_may_listen(settings)
    require_free(settings.host, settings.port)
    store = open_store(settings)
    settings = store.settings
    with store.home.lock():
        at_start(store, attended=True)
        for reason in store.reduce_only:
            say(f"Safe mode, the desk only watches, cancels and reduces: {reason}")
        with store.db.read() as session:
            run = active_run(session)
        if run is None:
            say("Loading the market and opening a first run ...")
            start_run(store, RunRequest(symbols=symbols), attended=True)
        store.home.token()
        stopping: list[int] = []
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda number, _frame: stopping.append(number))
        _offer_bootstrap(store, say)
        children = [Child(name, settings, store.home.logs / f"{name}.log") for name in MODULES]
        store.home.desk_file.write_text(_desk_file(settings).model_dump_json())
        try:
            say("Starting engine, API and watchdog ...")
            if _wait_until_ready(store, children, stopping):
                say(f"Ready. Open {public_url(settings)} in a browser. Stop with Ctrl-C.")
                _watch(children, stopping, say)
        finally:
            store.home.desk_file.unlink(missing_ok=True)
            say("Stopping ...")
            for child in reversed(children):
                child.stop()
    say("Stopped.")
    return 0


def _desk_file(settings: Settings) -> DeskFile:
    certificate = str(settings.tls_cert) if settings.tls_cert else None
    return DeskFile(url=local_url(settings), pid=os.getpid(), certificate=certificate)


def _offer_bootstrap(store: Store, say: Callable[[str], None]) -> None:
    """Print the token of the first admin where nobody could log in otherwise; it is shown this once."""
    token = bootstrap.issue_at_start(store)
    if token is not None:
        say(
            f"Nobody can log in yet. This token makes the first admin, once, within {bootstrap.LIFETIME}: "
            f"{token.get_secret_value()}\nUse it on the start page, or: quarterdeck people bootstrap --token TOKEN "
            "--name NAME --password-stdin"
        )


def _wait_until_ready(store: Store, children: list[Child], stopping: list[int]) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT_S
    engine, watchdog = (next(child for child in children if child.name == name) for name in ("engine", "watchdog"))
    while not stopping:
        for child in children:
            if child.died():
                raise HomeError(f"the {child.name} could not start: {child.last_words()}", code=f"{child.name}_failed")
        if _listening(store.settings) and _lives(store, engine) and _lives(store, watchdog):
            return True
        if time.monotonic() > deadline:
            raise HomeError(f"the desk was not ready in {READY_TIMEOUT_S:.0f} s: see {engine.log}", code="not_ready")
        time.sleep(0.2)
    return False


def _watch(children: list[Child], stopping: list[int], say: Callable[[str], None]) -> None:
    while not stopping:
        time.sleep(0.2)
        for child in children:
            if child.died():
                status = child.process.returncode
                if child.restart():
                    say(f"The {child.name} ended with status {status} ({child.last_words()}); it was started again.")


def _listening(settings: Settings) -> bool:
    try:
        with socket.create_connection((reachable_host(settings), settings.port), timeout=0.5):
            return True
    except OSError:
        return False


def _lives(store: Store, child: Child) -> bool:
    with store.db.read() as session:
        row = session.get(HeartbeatRow, child.name)
    return row is not None and row.pid == child.process.pid and row.state in ("ok", "busy")
