"""The supervisor behind `quarterdeck serve`: engine and API as two processes over one home."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from memory.tables import HeartbeatRow
from pipeline.activation import in_force
from pipeline.desk import RunRequest, start_run
from pipeline.home import DeskFile
from pipeline.settings import LOOPBACK, Settings
from pipeline.store import active_run, now, open_store
from tools.errors import ConfigError, HomeError

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
ENGINE = ("-c", "import sys; from pipeline.settings import load_settings; from pipeline.engine import run_engine; "
          "import json; run_engine(load_settings(**json.loads(sys.argv[1])))")  # fmt: skip
API = ("-c", "import sys; from pipeline.settings import load_settings; from api.server import run_api; "
       "import json; run_api(load_settings(**json.loads(sys.argv[1])))")  # fmt: skip


def _free(host: str, port: int) -> None:
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


def _arguments(settings: Settings) -> str:
    given = settings.model_dump(mode="json", exclude={"model_api_key"}, exclude_none=True)
    return json.dumps(given)


def _environment() -> dict[str, str]:
    """The children's environment: strict checkpoints, and no tracing whatever the shell says."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LANGSMITH_", "LANGCHAIN_"))}
    return {**kept, "LANGGRAPH_STRICT_MSGPACK": "true", "PYTHONPATH": os.pathsep.join(sys.path[:1])}


def _spawn(code: tuple[str, ...], settings: Settings, log: str) -> subprocess.Popen[bytes]:
    with open(log, "ab") as out:
        return subprocess.Popen(
            [sys.executable, *code, _arguments(settings)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env=_environment(), start_new_session=True,
        )  # fmt: skip


def serve(settings: Settings, say: Callable[[str], None] = print) -> int:
    """Run engine and API until Ctrl-C or SIGTERM; a child that dies is started again, with a pause."""
    if settings.host not in LOOPBACK:
        raise ConfigError(
            f"--host {settings.host}: the desk listens on loopback only, it knows no people yet", code="not_loopback"
        )
    _free(settings.host, settings.port)
    store = open_store(settings)
    with store.home.lock():
        in_force(store)
        with store.db.read() as session:
            run = active_run(session)
        if run is None:
            say("Loading the market and opening a first run ...")
            start_run(store, RunRequest())
        store.home.token()
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{shown}:{settings.port}"
        stopping: list[int] = []
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda number, _frame: stopping.append(number))
        logs = {kind: str(store.home.logs / f"{kind}.log") for kind in ("engine", "api")}
        children = {"engine": _spawn(ENGINE, settings, logs["engine"]), "api": _spawn(API, settings, logs["api"])}
        codes = {"engine": ENGINE, "api": API}
        store.home.desk_file.write_text(DeskFile(url=url, pid=os.getpid()).model_dump_json())
        started, ready, restarted = time.monotonic(), False, now() - timedelta(seconds=10)
        say("Starting engine and API ...")
        try:
            while not stopping:
                time.sleep(0.2)
                for kind, child in children.items():
                    if child.poll() is None:
                        continue
                    if not ready:
                        raise HomeError(
                            f"the {kind} stopped with status {child.returncode} before it was ready: {_last_line(logs[kind])}",
                            code=f"{kind}_failed",
                        )
                    if now() - restarted > timedelta(seconds=3):
                        say(f"The {kind} stopped with status {child.returncode}; starting it again.")
                        children[kind], restarted = _spawn(codes[kind], settings, logs[kind]), now()
                if not ready:
                    ready = _listening(settings) and _engine_lives(settings, children["engine"].pid)
                    if ready:
                        say(f"Ready. Open {url} in a browser. Stop with Ctrl-C.")
                    elif time.monotonic() - started > READY_TIMEOUT_S:
                        raise HomeError(f"the desk was not ready in {READY_TIMEOUT_S:.0f} s: see {logs['engine']}", code="not_ready")
        finally:
            say("Stopping ...")
            store.home.desk_file.unlink(missing_ok=True)
            for child in children.values():
                if child.poll() is None:
                    child.terminate()
            for child in children.values():
                try:
                    child.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
    say("Stopped.")
    return 0


def _listening(settings: Settings) -> bool:
    try:
        with socket.create_connection((settings.host, settings.port), timeout=0.5):
            return True
    except OSError:
        return False


def _engine_lives(settings: Settings, pid: int) -> bool:
    with open_store(settings).db.read() as session:
        row = session.get(HeartbeatRow, "engine")
    return row is not None and row.pid == pid and row.state in ("ok", "busy")


def _last_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = [line.strip() for line in log if line.strip()]
    return lines[-1] if lines else "it said nothing"
