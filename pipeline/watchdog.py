"""The watchdog: a third process with its own path to the store and the broker, and a dead-man timer.

Each poll it carries out the halts in force, the HALT file among them. Silence of the engine or the API beyond
`dead_man_seconds`, while something is at risk, makes it halt the firm: no new orders, and those that add risk are
cancelled; positions and their stops it leaves alone. Where the store itself cannot be used for as long, it writes
the HALT file and takes such orders back at the broker by the broker's own book. It restarts nothing.

Silence is measured on the monotonic clock from the last beat that was seen to change, so that neither a clock that
jumps nor a machine that slept counts as silence. Such a halt has no end: a person looks first.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from memory.tables import HaltRow, HeartbeatRow, RunRow
from pipeline import halt, halt_program
from pipeline.book import live_orders, open_positions
from pipeline.findings import raise_finding
from pipeline.flatten import halt_policy
from pipeline.halt_release import end_due
from pipeline.heartbeats import BEAT_S, beat
from pipeline.home import Home
from pipeline.order_ends import desk_tick
from pipeline.processes import lives
from pipeline.settings import Settings
from pipeline.store import Principal, Store, active_run, now, open_store
from pipeline.venue import open_broker
from tools.canonical import stable_id
from tools.errors import HomeError, QuarterdeckError
from tools.execution.types import Broker

POLL_S = 0.2
LOOK_S = 1.0
"""Pause between looks at the heartbeats, and after a round in which the broker did not answer."""
STORE_TIMEOUT_S = 2.0
WATCHED = ("engine", "api")
NAME = "watchdog"


class Heard(NamedTuple):
    """The last beat of a component, and when on the monotonic clock it was first seen."""

    at_wall: datetime
    since: float


class Watchdog:
    """One home's watchdog. `step` is one poll; `clock` is monotonic seconds."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.clock = clock
        self.stopping = threading.Event()
        self._store: Store | None = None
        self._broker: tuple[str, Broker] | None = None
        self._heard: dict[str, Heard] = {}
        self._next = {"beat": 0.0, "carry_out": 0.0, "look": 0.0}
        self._blind_since: float | None = None
        self._bears = 60.0

    def run(self) -> None:
        """Poll until stopped, or until nobody is left to watch."""
        parent = os.getppid()
        alone: float | None = None
        while not self.stopping.is_set():
            self.step()
            if os.getppid() == parent or self._company():
                alone = None
            elif alone is None:
                alone = self.clock()
            elif self.clock() - alone > self._bears + LOOK_S:
                break
            self.stopping.wait(POLL_S)
        self._say("off", "stopped")

    def step(self) -> None:
        """Beat, carry out what is halted, and see whether engine and API still live."""
        at = self.clock()
        try:
            store = self._opened()
            if self._due("beat", at, BEAT_S):
                beat(store, NAME, "ok", "watches engine and API")
            if at >= self._next["carry_out"] and self._carry_out(store):
                self._next["carry_out"] = at + LOOK_S
            if self._due("look", at, LOOK_S):
                self._look(store, at)
            self._blind_since = None
        except (SQLAlchemyError, HomeError, OSError) as error:
            self._blind(at, str(error))

    def _due(self, what: str, at: float, every: float) -> bool:
        if at < self._next[what]:
            return False
        self._next[what] = at + every
        return True

    def _opened(self) -> Store:
        if self._store is None:
            self._store = open_store(self.settings, create=False, busy_timeout_s=STORE_TIMEOUT_S)
        if self._store.gone:
            raise HomeError("the database is gone", code="home_unreadable")
        return self._store

    def _carry_out(self, store: Store) -> bool:
        """Carry out what is in force; True when the broker has not answered for all of it."""
        try:
            broker = self._venue(store)
            return bool(broker and halt_program.carry_out_all(store, broker).troubled)
        except QuarterdeckError as error:
            self._say("down", f"a halt is not carried out: {error.message}")
            return True

    def _venue(self, store: Store) -> Broker | None:
        with store.db.read() as session:
            run = active_run(session)
        if run is None:
            return None
        if self._broker is None or self._broker[0] != run.id:
            self._broker = (run.id, open_broker(store, run))
        return self._broker[1]

    def _look(self, store: Store, at: float) -> None:
        with store.db.read() as session:
            run = active_run(session)
            self._bears = halt_policy(session).dead_man_seconds
            beats = {name: session.get(HeartbeatRow, name) for name in WATCHED}
            exposed = run is not None and at_risk(session, run)
        for name, row in beats.items():
            if row is None or row.state == "off":
                self._heard.pop(name, None)
            elif name not in self._heard or self._heard[name].at_wall != row.at_wall:
                self._heard[name] = Heard(row.at_wall, at)
            elif exposed and at - self._heard[name].since > self._bears:
                dead_man(store, name, row.at_wall, int(at - self._heard[name].since))
        if run is not None and run.mode != "replay":
            with store.db.write() as session:
                tick = desk_tick(session, run)
                end_due(session, run.id, run.session_index, tick.as_of, replay=False)

    def _company(self) -> bool:
        if self._store is None:
            return False
        try:
            with self._store.db.read() as session:
                rows = [session.get(HeartbeatRow, name) for name in WATCHED]
        except SQLAlchemyError:
            return False
        return any(row is not None and row.state != "off" and lives(row.pid) for row in rows)

    def _blind(self, at: float, why: str) -> None:
        """The store cannot be used: after the dead-man time, stop at the broker what adds risk."""
        if self._store is not None:
            self._store.db.dispose()
        self._store = None
        self._next["beat"] = at
        if self._blind_since is None:
            self._blind_since = at
            print(f"{now().isoformat()} the store cannot be used: {why}", flush=True)
        if at - self._blind_since <= self._bears or self._broker is None:
            return
        file = Home(self.settings.home).halt_file
        if not file.exists():
            file.write_text(f"cancel: the watchdog could not use the store for {self._bears:.0f} s\n", encoding="utf-8")
        try:
            cancelled = cancel_at_broker(self._broker[1])
        except QuarterdeckError as error:
            print(f"{now().isoformat()} the broker did not answer either: {error.message}", flush=True)
        else:
            if cancelled:
                print(f"{now().isoformat()} cancelled at the broker: {', '.join(cancelled)}", flush=True)

    def _say(self, state: str, detail: str) -> None:
        try:
            if self._store is not None:
                beat(self._store, NAME, state, detail)
        except SQLAlchemyError as error:
            print(f"{now().isoformat()} no heartbeat: {error}", flush=True)


def at_risk(session: Session, run: RunRow) -> bool:
    """True with an open position or a live order that adds risk."""
    live = live_orders(session, run.id)
    return bool(open_positions(session, run.id)) or any(not order.body.reduce_only for order in live)


def dead_man(store: Store, component: str, last_beat: datetime, seconds: int) -> HaltRow | None:
    """Halt the firm because a component fell silent, once for each silence; None when that was done already."""
    key = stable_id("halt", NAME, component, last_beat)
    message = f"the {component} has been silent since {last_beat.isoformat()}, with orders or positions open"
    with store.db.write() as session:
        if session.get(HaltRow, key) is not None:
            return None
        row = halt.write(
            session, action="cancel", reason=message, principal=Principal(NAME, "control"), source=NAME, halt_id=key
        )
        run = active_run(session)
        raise_finding(
            session, run, code="dead_man", severity="critical", component=component, message=message,
            recommendation=f"Look at the {component}'s log, then release the halt with a reason.",
            as_of=desk_tick(session, run).as_of if run else now(),
        )  # fmt: skip
    print(f"{now().isoformat()} halted: {message} ({seconds} s)", flush=True)
    return row


def cancel_at_broker(broker: Broker) -> tuple[str, ...]:
    """Take back every order that adds to the broker's own positions; ids of those that ended."""
    held = broker.positions()
    adding = [o for o in broker.open_orders() if (o.side == "buy") == (held.get(o.symbol, 0) >= 0)]
    for order in adding:
        broker.cancel(order.client_order_id)
    return tuple(order.client_order_id for order in adding)


def main(settings: Settings) -> None:
    """Watch one home until SIGTERM."""
    watchdog = Watchdog(settings)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda _number, _frame: watchdog.stopping.set())
    watchdog.run()


if __name__ == "__main__":
    import json
    import sys

    from pipeline.settings import load_settings

    main(load_settings(**json.loads(sys.argv[1])))
