"""The command in a process that was forked from one with everything imported: starting is most of what a run costs.

A forked process shares nothing with the next one but code; what it is killed in the middle of is as real as ever.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

from api._launch import prepare
from tests.e2e.desk import Finished

prepare(os.environ)
IMPORTED = (
    "api.cli.main", "pipeline.headless", "pipeline.venue", "chromadb", "onnxruntime", "tokenizers", "pandas",
    "scipy.stats", "scipy.optimize", "langgraph.checkpoint.sqlite.aio", "alembic",
    "tools.data.collectors.embedded", "tools.execution.brokers.simulation",
)  # fmt: skip
for _name in IMPORTED:
    importlib.import_module(_name)


def forks() -> ForkServerContext:
    """A server whose processes have all of this imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.e2e.warm"])
    return context


def run(context: ForkServerContext, home: Path, *arguments: str, env: dict[str, str] | None = None) -> Finished:
    """Run `quarterdeck --home HOME ARGUMENTS` to its end, as `tests.e2e.desk.quarterdeck` does."""
    said = home.parent / f"{home.name}.said"
    process = context.Process(target=_run, args=(["--home", str(home), *arguments], env or {}, said))
    process.start()
    process.join(240)
    assert process.exitcode is not None
    return Finished(process.exitcode, *(said.with_suffix(name).read_text() for name in (".out", ".err")))


def _run(arguments: list[str], env: dict[str, str], said: Path) -> None:
    from api.cli.main import run_cli

    for number, name in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(said.with_suffix(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(env)
    sys.exit(run_cli(arguments))
