"""The engine process: the only one that plays sessions, resumes cases, talks to the broker and opens Chroma."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from memory.tables import ApprovalRow
from pipeline import (
    applying,
    attention,
    changes,
    commands,
    day_facts,
    desk_health,
    halt,
    halt_program,
    long_term,
    order_stream,
    queue_time,
    reconciliation,
    unattended,
)
from pipeline.desk import Desk, RunRequest, open_desk, start_run
from pipeline.feed import listening
from pipeline.headless import open_player
from pipeline.heartbeats import beat, resident
from pipeline.notify.dispatcher import Dispatcher
from pipeline.session import SessionPlayer
from pipeline.settings import Settings
from pipeline.store import Store, active_run, open_store
from pipeline.work import CycleWork
from tools.errors import DataError, ExecutionError, FutureDataError, RetryableToolError

POLL_S = 0.25
PEOPLE_S = 60.0
LOOK_S = 5.0
"""Pause between two looks at the broker while no session is played."""
RECONCILE_S = 60.0
"""Longest pause between two comparisons of our book with the broker's."""
RETRY_S = 5.0
"""Pause before a feed or broker that did not answer is asked for the same part of a session again."""
EXPECTED = ("broker", "not_final")
"""Codes of a broker's silence, which is told apart, and of bars that the feed has not finished yet."""
RECALL_S = 15.0
"""Pause between two looks at the index of memory."""
PACE_S = 1.0
"""Pause between sessions while nobody is asked, so that a person can follow."""
NO_WATCHDOG = "the watchdog does not live: nothing that adds risk is opened until it does"


def beat_law(store: Store) -> None:
    """Say whether the files of the home are the law in force."""
    reasons = "; ".join(store.reduce_only)
    beat(store, "law", "safe" if reasons else "ok", reasons or "limits and policy in force")


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
        self._watched_at = float("-inf")
        self._looked_at = 0.0
        self._compared_at = time.monotonic()
        self._recalled_at = time.monotonic()
        self._silent = False
        self._attended: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Go on until stopped. A stop in the middle of a session ends after that session.

        Only what was stopped says that it is off: an engine that failed falls silent, and the dead man counts.
        """
        heart = asyncio.create_task(self._heart())
        teller = asyncio.create_task(Dispatcher(self.store).run(self.stopping))
        listener = asyncio.create_task(order_stream.listen(self.desk, self._ask, self.stopping))
        try:
            if self.desk.run().stage != "closed" and self.player.due():
                await self._play("finishing the session that was interrupted")
            while not self.stopping.is_set():
                await asyncio.to_thread(halt_program.carry_out_all, self.store, self.desk.broker)
                await asyncio.to_thread(queue_time.attend, self.store, self.desk.run_id)
                await asyncio.to_thread(self._watch_people)
                await asyncio.to_thread(self._keep_law)
                await asyncio.to_thread(self._keep_recall)
                await self._attend_night()
                await self.player.open_by_hand()
                for task in (teller, listener):
                    if task.done() and not self.stopping.is_set():
                        task.result()
                await self._step()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), POLL_S)
        finally:
            heart.cancel()
            self.stopping.set()
            await asyncio.gather(teller, listener)
        await asyncio.to_thread(beat, self.store, "engine", "off", "stopped")

    def _ask(self, gap: bool) -> None:
        """The stream spoke of what only the broker can say: look at once, and compare the books after a gap."""
        self._looked_at = float("-inf")
        self._silent |= gap

    def _keep_law(self) -> None:
        """Put in force what was approved: at once, after its cooling-off, or because a crash came between."""
        applied = applying.apply_due(self.store)
        if (applied or self.store.law_trouble) and self.desk.take_law():
            beat_law(self.store)

    def _keep_recall(self) -> None:
        """Look now and then whether the index of memory answers, and bring it back when it does again."""
        recall = self.desk.recall
        if recall is not None and time.monotonic() - self._recalled_at >= RECALL_S:
            self._recalled_at = time.monotonic()
            long_term.keep_recall(self.store, recall)

    def _rebuild_memory(self) -> tuple[str, str]:
        """Status and words for a wish to build the index anew."""
        recall = self.desk.recall
        if recall is None:
            return "refused", self.desk.degraded[0]
        try:
            held = recall.rebuild()
        except RetryableToolError as error:
            return "refused", error.message
        long_term.keep_recall(self.store, recall)
        return "done", f"{held} items in the index"

    async def _attend_night(self) -> None:
        """Look at the broker now and then; let exits go whose questions ran out of minutes, if the policy says so."""
        if time.monotonic() - self._looked_at >= LOOK_S:
            self._looked_at = time.monotonic()
            run = self.desk.run()
            if self.player.time.venue is None:
                await self._follow()
            facts = await asyncio.to_thread(day_facts.look_again, self.store, self.desk.broker, run)
            await self._compare(silent=facts is not None and facts.error is not None)
            with self.desk.db.read() as session:
                expired = unattended.ran_out_of_minutes(session, run)
            if run.stage == "closed" and expired - self._attended:
                await self.player.open_unattended(CycleWork(self.desk, run.session_index, "night"))
                self._attended |= expired

    async def _follow(self) -> None:
        """Go along with a real venue while no part of a session is played."""
        try:
            await asyncio.to_thread(self.player.follow)
        except (RetryableToolError, ExecutionError) as error:
            self._silent = True
            await asyncio.to_thread(beat, self.store, "broker", "down", error.message)
        else:
            await asyncio.to_thread(beat, self.store, "broker", "ok", self.desk.broker.name)

    async def _compare(self, *, silent: bool) -> None:
        """Reconcile when the broker answers again after a silence, and on the timer; end safe mode with the breaks."""
        back, self._silent = self._silent and not silent, silent
        if silent:
            return
        if back or time.monotonic() - self._compared_at >= RECONCILE_S:
            self._compared_at = time.monotonic()
            occasion: reconciliation.Occasion = "reconnect" if back else "timer"
            report = await asyncio.to_thread(reconciliation.reconcile_desk, self.desk, occasion)
            self._silent = report is not None and report.error is not None
        held = reconciliation.SAFE in self.store.reduce_only
        if held and not await asyncio.to_thread(reconciliation.keep_safe_mode, self.store, self.desk.run_id):
            beat_law(self.store)

    async def _answer_comparison(self, command_id: str) -> None:
        report = await asyncio.to_thread(reconciliation.reconcile_desk, self.desk, "asked")
        if report is None:
            await asyncio.to_thread(commands.answer, self.store, command_id, "refused", "a session is being played")
            return
        await asyncio.to_thread(commands.answer, self.store, command_id, "done", f"{report.found} differences")

    async def _step(self) -> None:
        if self.desk.run().stage == "closed":
            await self.player.open_by_hand()
        command = await asyncio.to_thread(commands.pending, self.store)
        if command is not None and command.kind == commands.RECONCILE:
            await self._answer_comparison(command.id)
            return
        if command is not None and command.kind == commands.REBUILD_MEMORY:
            status, said = await asyncio.to_thread(self._rebuild_memory)
            await asyncio.to_thread(commands.answer, self.store, command.id, status, said)
            return
        if self.player.finished():
            if command is not None:
                detail = "the market has no further session"
                await asyncio.to_thread(commands.answer, self.store, command.id, "refused", detail)
            return
        if command is not None and self.player.time.venue is None:
            detail = f"{self.desk.broker.name} keeps its own hours: the next session begins by itself"
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

    def _watch_people(self) -> None:
        """Once a minute, raise findings about people who approve without reading or tire, and about processes."""
        if time.monotonic() - self._watched_at < PEOPLE_S:
            return
        self._watched_at = time.monotonic()
        with self.store.db.write() as session:
            attention.raise_findings(session)
            desk_health.raise_findings(session)

    def _due(self) -> bool:
        guarded, since = self._guarded(), time.monotonic() - self._played_at
        if self.player.time.venue is None:
            return since >= RETRY_S and self.player.due()
        if not guarded or halt.holds_clock(self.store):
            return False
        speed = self.store.settings.speed
        if speed is not None:
            return since >= speed
        return since >= PACE_S and (waiting(self.desk) == 0 or self.player.behind())

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
        try:
            report = await self.player.play()
        except (RetryableToolError, FutureDataError) as error:
            self._played_at = time.monotonic()
            if isinstance(error, RetryableToolError) and not error.code.startswith(EXPECTED):
                await asyncio.to_thread(beat, self.store, "data", "down", error.message)
            await asyncio.to_thread(beat, self.store, "engine", "ok", f"waiting: {error.message}")
            return "nothing yet"
        self._played_at = time.monotonic()
        if self.player.time.venue is None:
            await asyncio.to_thread(beat, self.store, "data", "ok", "prices are there")
        done = f"closed {report.session}" if report else "the session is open"
        await asyncio.to_thread(beat, self.store, "engine", "ok", done)
        return report.session if report else "the open"

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
        start_run(store, RunRequest(seed=0), attended=True)
    desk = open_desk(store, attended=True, started=True)
    changes.propose_files(store)
    reconciliation.at_start(desk)
    beat(store, "broker", "ok", desk.broker.name)
    beat_law(store)
    if desk.recall is None:
        beat(store, "recall", "down", desk.degraded[0])
    else:
        long_term.keep_recall(store, desk.recall)
    with listening(store, desk.run()):
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
