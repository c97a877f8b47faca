"""Where a replayed session spends its time: shares of tools, agents, graph, store, ledger and recall.

    python -m bench.cycle [--sessions 20] [--symbols all]

A sampling thread looks at every running thread each millisecond and files what it sees under the innermost room
that it recognises. Shares are ratios within one run, so a noisy machine does not move them much. The last lines
give seconds per session and peak memory of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from pipeline.headless import run_sessions
from pipeline.settings import load_settings
from pipeline.store import open_store
from tools.data.universe import parse_symbols

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    (f"{ROOT}/memory/ledger", "ledger"),
    (f"{ROOT}/memory/heads", "ledger"),
    (f"{ROOT}/memory/recall", "recall"),
    (f"{ROOT}/memory/embedding", "recall"),
    ("/chromadb/", "recall"),
    ("/sqlalchemy/", "store"),
    ("/sqlmodel/", "store"),
    (f"{ROOT}/memory", "store"),
    (f"{ROOT}/tools", "tools"),
    (f"{ROOT}/agents", "agents"),
    (f"{ROOT}/prompts", "agents"),
    ("/langgraph/", "graph"),
    ("/langchain_core/", "graph"),
    ("/aiosqlite/", "graph"),
    (f"{ROOT}/pipeline", "pipeline"),
)
IDLE = ("threading.py", "selectors.py", "queue.py", "concurrent/futures/thread.py")


def room(frame: FrameType | None) -> str | None:
    """Room of the innermost recognised frame; None for a thread that only waits."""
    if frame is not None and frame.f_code.co_filename.endswith(IDLE):
        return None
    while frame is not None:
        for part, name in ROOMS:
            if part in frame.f_code.co_filename:
                return name
        frame = frame.f_back
    return None


class Sampler(threading.Thread):
    """Counts rooms of all threads but itself, once a millisecond, until stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: Counter[str] = Counter()
        self.done = threading.Event()

    def run(self) -> None:
        me = threading.get_ident()
        while not self.done.wait(0.001):
            for ident, frame in sys._current_frames().items():
                found = room(frame) if ident != me else None
                if found:
                    self.seen[found] += 1


def main() -> None:
    """Replay on a scratch home with an approving stand-in and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--symbols", default="all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings(home=Path(folder)))
        sampler = Sampler()
        began = time.perf_counter()
        sampler.start()
        summary = asyncio.run(
            run_sessions(store, sessions=given.sessions, symbols=parse_symbols(given.symbols), stand_in="approve")
        )
        took = time.perf_counter() - began
        sampler.done.set()
        sampler.join()
        store.db.dispose()
    total = sum(sampler.seen.values()) or 1
    for name, count in sampler.seen.most_common():
        print(f"{name:10s} {count / total:6.1%}")
    print(f"sessions {summary.sessions}, {took / max(summary.sessions, 1):.2f} s each, start-up included")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
