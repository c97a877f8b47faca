"""Heartbeats: each process of a served desk says that it lives, and the others can tell when it does not."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from memory.tables import HeartbeatRow
from pipeline.processes import lives
from pipeline.store import Store, now

BEAT_S = 2.0
STALE_AFTER = timedelta(seconds=15)
CLOCK = "clock"
"""The heartbeat that never steps back: what `never_back` still knows after a clock was turned back."""


def beat(store: Store, component: str, state: str, detail: str) -> None:
    """Say that a component lives and what it does."""
    with store.db.write() as session:
        row = session.get(HeartbeatRow, component) or HeartbeatRow(
            component=component, pid=os.getpid(), state=state, detail=detail, at_wall=now()
        )
        row.pid, row.state, row.detail, row.at_wall = os.getpid(), state, detail, now()
        mark = session.get(HeartbeatRow, CLOCK) or HeartbeatRow(
            component=CLOCK, pid=os.getpid(), state="ok", detail="the latest wall time seen", at_wall=now()
        )
        mark.at_wall = max(mark.at_wall, now())
        session.add_all([row, mark])


def resident(session: Session, component: str) -> bool:
    """True when a component's process lives and has said so lately."""
    row = session.get(HeartbeatRow, component)
    return row is not None and row.state != "off" and now() - row.at_wall <= STALE_AFTER and lives(row.pid)


@contextmanager
def beating(store: Store, component: str, detail: str) -> Iterator[None]:
    """Beat from a thread of its own until the block ends. A store that cannot be written is tried again.

    Only what was stopped says that it is off: what failed falls silent, and the dead man counts.
    """
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(BEAT_S):
            _try_to_beat(store, component, "ok", detail)

    _try_to_beat(store, component, "ok", detail)
    thread = threading.Thread(target=go_on, name=f"heartbeat-{component}", daemon=True)
    thread.start()
    stopped = False
    try:
        yield
        stopped = True
    except KeyboardInterrupt:
        stopped = True
        raise
    finally:
        done.set()
        thread.join()
        if stopped:
            _try_to_beat(store, component, "off", "stopped")


def _try_to_beat(store: Store, component: str, state: str, detail: str) -> None:
    try:
        beat(store, component, state, detail)
    except SQLAlchemyError:
        return
