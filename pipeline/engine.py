"""The engine process: the only one that plays sessions, resumes cases, talks to the broker and opens Chroma."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from memory.tables import ApprovalRow
from pipeline import commands, halt, halt_program, queue_time
from pipeline.desk import Desk, RunRequest, open_desk, start_run
from pipeline.headless import open_player
from pipeline.heartbeats import beat, resident
from pipeline.notify.dispatcher import Dispatcher
from pipeline.session import SessionPlayer
from pipeline.settings import Settings
from pipeline.store import Store, active_run, open_store
from tools.errors import DataError

POLL_S = 0.25
PACE_S = 1.0
NO_WATCHDOG = "the watchdog does not live: nothing that adds risk is opened until it does"
"""Pause between sessions while nobody is asked, so that a person can follow."""


def waiting(desk: Desk) -> int:
    """How many questions wait for a person."""
    with desk.db.read() as session:
        query = select(ApprovalRow.id).where(ApprovalRow.run_id == desk.run_id, ApprovalRow.status == "pending")
        return len(session.exec(query).all())


class Engine:
    """Decides when the next session is due: on a person's word, by speed, or because nothing waits."""

    def __init__(self, store: Store, desk: Desk, player: SessionPlayer) -> None:
        self.store = store
        self.desk = desk
        self.player = player
        self.stopping = asyncio.Event()
        self._played_at = 0.0

    async def run(self) -> None:
        """Go on until stopped. A stop in the middle of a session ends after that session."""
        heart = asyncio.create_task(self._heart())
        teller = asyncio.create_task(Dispatcher(self.store).run(self.stopping))
        try:
            if self.desk.run().stage != "closed":
                await self._play("finishing the session that was interrupted")
            while not self.stopping.is_set():
                await asyncio.to_thread(halt_program.carry_out_all, self.store, self.desk.broker)
                await asyncio.to_thread(queue_time.attend, self.store, self.desk.run_id)
                if teller.done() and not self.stopping.is_set():
                    teller.result()
                await self._step()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), POLL_S)
        finally:
            heart.cancel()
            self.stopping.set()
            await teller
            await asyncio.to_thread(beat, self.store, "engine", "off", "stopped")

    async def _step(self) -> None:
        command = await asyncio.to_thread(commands.pending, self.store)
        if self.player.finished():
            if command is not None:
                detail = "the market has no further session"
                await asyncio.to_thread(commands.answer, self.store, command.id, "refused", detail)
            return
        if command is not None:
            try:
                report = await self._play("playing a session")
            except DataError as error:
                await asyncio.to_thread(commands.answer, self.store, command.id, "refused", error.message)
                return
            await asyncio.to_thread(commands.answer, self.store, command.id, "done", f"played {report}")
        elif await asyncio.to_thread(self._due):
            await self._play("playing a session")

    def _due(self) -> bool:
        if not self._guarded() or halt.holds_clock(self.store):
            return False
        since = time.monotonic() - self._played_at
        speed = self.store.settings.speed
        if speed is not None:
            return since >= speed
        return waiting(self.desk) == 0 and since >= PACE_S

    def _guarded(self) -> bool:
        """See whether the watchdog lives; without it nothing new is opened, and the desk plays only when told."""
        with self.store.db.read() as session:
            guarded = resident(session, "watchdog")
        unguarded = self.store.reduce_only
        if guarded and NO_WATCHDOG in unguarded:
            unguarded.remove(NO_WATCHDOG)
        elif not guarded and NO_WATCHDOG not in unguarded:
            unguarded.append(NO_WATCHDOG)
        return guarded

    async def _play(self, detail: str) -> str:
        await asyncio.to_thread(self._guarded)
        await asyncio.to_thread(beat, self.store, "engine", "busy", detail)
        report = await self.player.play()
        self._played_at = time.monotonic()
        await asyncio.to_thread(beat, self.store, "engine", "ok", f"closed {report.session}")
        return report.session

    async def _heart(self) -> None:
        while True:
            await asyncio.sleep(2)
            with suppress(SQLAlchemyError):
                detail = "market finished" if self.player.finished() else f"{waiting(self.desk)} waiting"
                await asyncio.to_thread(beat, self.store, "engine", "ok", detail)


async def _main(settings: Settings) -> None:
    store = open_store(settings, create=False)
    beat(store, "engine", "starting", "loading market and recall index")
    with store.db.read() as session:
        run = active_run(session)
    if run is None:
        start_run(store, RunRequest(seed=0))
    desk = open_desk(store, started=True)
    beat(store, "broker", "ok", desk.broker.name)
    beat(
        store,
        "law",
        "safe" if store.reduce_only else "ok",
        "; ".join(store.reduce_only) or "limits and policy in force",
    )
    recall = desk.recall
    beat(store, "recall", "ok" if recall else "down", f"{recall.count()} cases" if recall else desk.degraded[0])
    async with open_player(desk) as player:
        engine = Engine(store, desk, player)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, engine.stopping.set)
        await engine.run()


def run_engine(settings: Settings) -> None:
    """Run the engine until SIGTERM. The supervisor holds the home's lock."""
    asyncio.run(_main(settings))


if __name__ == "__main__":
    import json
    import sys

    from pipeline.settings import load_settings

    run_engine(load_settings(**json.loads(sys.argv[1])))
