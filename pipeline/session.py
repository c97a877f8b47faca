"""One daily session, from the open tick to the opened cases of its close: the same path for every mode.

The run's row says how far a session has come (`stage`). Each stage is done in transactions that a restart may
repeat: what was committed is found and left alone, what was not is computed again to the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command
from sqlmodel import col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CaseRow, RunRow
from pipeline import (
    canaries,
    day_facts,
    halt_program,
    overriding,
    queue_time,
    reconciliation,
    slices,
    tickets,
    unattended,
)
from pipeline.book import book_action, equity_of, mark
from pipeline.case_graph import CaseContext, build_case_graph
from pipeline.cycle_graph import CycleContext, build_cycle_graph, first_state
from pipeline.damage import mend_lessons, set_aside
from pipeline.desk import Desk, record_stage
from pipeline.execution import book_fills, dispatch
from pipeline.faults import reach
from pipeline.flatten import note_references
from pipeline.halt_release import end_due
from pipeline.learning import learn_from
from pipeline.missed import miss_session
from pipeline.protection import Closed, protect
from pipeline.remembering import remember_close
from pipeline.settle import settle_outcomes
from pipeline.store import active_run
from pipeline.submission import OpenMarket
from pipeline.venue_time import VenueTime
from pipeline.work import CycleWork
from tools.errors import DataError
from tools.types import ORDER_KINDS, CaseState, Frozen

CLOSED_STATES = [s.value for s in CaseState if s not in (CaseState.DRAFTED, CaseState.AWAITING, CaseState.APPROVED)]


class SessionReport(Frozen):
    """What one session brought."""

    index: int
    session: str
    equity: Decimal
    asked: int
    fills: int


class SessionPlayer:
    """Plays sessions of one run. Not re-entrant: the engine owns one."""

    def __init__(self, desk: Desk, checkpointer: BaseCheckpointSaver[str]) -> None:
        self.desk = desk
        self.checkpointer = checkpointer
        self.cycle_graph = build_cycle_graph()
        self.case_graph = build_case_graph(checkpointer)
        self.time = VenueTime(desk.broker)

    def finished(self) -> bool:
        run = self.desk.run()
        return run.stage == "closed" and run.session_index >= len(self.desk.market.sessions) - 1

    def behind(self) -> bool:
        """True when the venue went on without us: the next session's open is over and has to be caught up."""
        run = self.desk.run()
        if run.stage != "closed" or self.finished():
            return False
        return self.time.is_past(self.desk.tick(run.session_index + 1, "open"))

    def due(self) -> bool:
        """True when the next part of a session can be played: always at a played venue, else by the wall clock."""
        run = self.desk.run()
        if run.stage == "closed":
            return not self.finished() and self.time.has_come(self.desk.tick(run.session_index + 1, "open"))
        return run.stage != "traded" or self.time.has_come(self.desk.tick(run.session_index, "close"))

    async def play(self) -> SessionReport | None:
        """Play the next session, or finish the one that was interrupted; None while a real venue is open still.

        RetryableToolError when the feed or the broker does not answer yet: the stage stands, and is played again.
        """
        desk = self.desk
        if self.finished():
            raise DataError("the market has no further session: start a new run", code="no_more_sessions")
        fills = 0
        index = await self.enter()
        if desk.run().stage == "acted":
            fills += await self.trade_open(index)
        work = CycleWork(desk, index)
        if not self.due():
            return None
        if desk.run().stage == "traded":
            fills += await asyncio.to_thread(self._close, work)
        if desk.run().stage == "marked":
            await asyncio.to_thread(settle_outcomes, desk, work)
            await learn_from(desk, work)
            await asyncio.to_thread(remember_close, desk, work)
            await asyncio.to_thread(self._stage, "settled")
        asked = await self._cycle(work)
        await asyncio.to_thread(reconciliation.reconcile_desk, desk, "session")
        await asyncio.to_thread(desk.store.publish_head)
        await asyncio.to_thread(day_facts.look, desk)
        with desk.db.read() as session:
            done = session.get_one(RunRow, desk.run_id)
            equity = equity_of(session, done)
        return SessionReport(
            index=index, session=work.tick.session.isoformat(), equity=equity, asked=len(asked), fills=fills
        )

    async def enter(self) -> int:
        """Enter the next session, or the interrupted one again, up to what its open needs; returns its index."""
        desk = self.desk
        await asyncio.to_thread(set_aside, desk.store, desk.run_id)
        opened = desk.tick(max(desk.run().session_index, 0), "open").as_of
        await asyncio.to_thread(mend_lessons, desk.store, desk.run_id, opened)
        await asyncio.to_thread(desk.take_law)
        if desk.run().stage == "closed":
            await self.open_by_hand()
            await asyncio.to_thread(self._begin)
        run = await asyncio.to_thread(desk.run)
        if run.stage == "opening":
            await asyncio.to_thread(self._apply_actions, run.session_index)
        return run.session_index

    def _stage(self, stage: str) -> None:
        with self.desk.db.write() as session:
            record_stage(session, self.desk, stage)
            reach("before_stage_commit")

    def _begin(self) -> None:
        """Enter the next session: its index moves and what has run out of sessions expires, at once."""
        desk = self.desk
        with desk.db.write() as session:
            run = session.get_one(RunRow, desk.run_id)
            run.session_index += 1
            run.stage = "opening"
            run.day_start_equity = equity_of(session, run)
            session.add(run)
            session.flush()
            tick = desk.tick(run.session_index, "open")
            queue_time.expire_due(session, run, tick.as_of)
            canaries.reveal_due(session, run)
            end_due(session, run.id, run.session_index, tick.as_of, replay=run.mode == "replay")

    def _apply_actions(self, index: int) -> None:
        desk = self.desk
        tick = desk.tick(index, "open")
        actions = desk.market.corporate_actions(tick.session, tick.as_of)
        if self.time.venue:
            for action in actions:
                self.time.venue.apply_action(action)
        with desk.db.write() as session:
            run = session.get_one(RunRow, desk.run_id)
            for action in actions:
                held = book_action(session, run, action)
                if held is not None:
                    append(
                        session,
                        Entry(
                            kind="position.adjusted", step=f"action:{action.symbol}:{action.ex_date}", run_id=run.id,
                            desk_time=tick.as_of, stage=Stage.ACTION,
                            content={"action": action, "quantity": held.quantity, "cash": run.cash},
                        ),
                    )  # fmt: skip
            record_stage(session, desk, "acted")

    async def trade_open(self, index: int) -> int:
        """Submit what was approved, let the venue open, book, protect. An open that the desk missed is only booked."""
        desk = self.desk
        tick = desk.tick(index, "open")
        opens = desk.market.opens(tick)
        before = CycleWork(desk, index - 1)
        missed = await asyncio.to_thread(self.time.is_past, tick)
        if missed:
            await asyncio.to_thread(miss_session, desk.store, desk.run_id, index, tick)
        else:
            await self.open_unattended(CycleWork(desk, index, "open"))
            await self.submit_approved(before)
        return await asyncio.to_thread(self._match_open, index, opens, before, missed)

    def _match_open(self, index: int, opens: Mapping[str, Decimal], before: CycleWork, missed: bool) -> int:
        desk = self.desk
        tick = desk.tick(index, "open")
        halt_program.carry_out_all(desk.store, desk.broker)
        dispatch(desk.store, desk.broker, desk.run_id, tick, missed=missed)
        volumes = {s: f.adv_20 / f.close for s, f in before.features.items()}
        if self.time.venue:
            self.time.venue.match_open(tick, dict(opens), volumes)
        reach("after_match")
        booked = book_fills(desk.store, desk.broker, desk.market, desk.run_id, self.time.seen_at(tick))
        protect(desk.store, desk.broker, desk.run_id, tick)
        self._stage("traded")
        return booked

    def follow(self) -> int:
        """Between the parts of a session at a real venue: say what is unsaid, book fills, keep stops; returns fills."""
        desk = self.desk
        run = desk.run()
        tick = desk.tick(max(run.session_index, 0), "open" if run.stage == "traded" else "close")
        dispatch(desk.store, desk.broker, desk.run_id, tick, missed=run.stage != "traded" or self.time.is_past(tick))
        booked = book_fills(desk.store, desk.broker, desk.market, desk.run_id, self.time.seen_at(tick))
        if run.stage == "traded":
            protect(desk.store, desk.broker, desk.run_id, tick)
        return booked

    async def open_unattended(self, work: CycleWork) -> int:
        """Open what may leave with nobody there; returns how many cases that were."""
        drafted = await asyncio.to_thread(unattended.open_cases, self.desk, work)
        await self.open_threads(work, drafted)
        return len(drafted)

    async def open_by_hand(self) -> int:
        """Check, explain and ask what people wrote since the close: tickets and overrides; returns how many cases."""
        run = await asyncio.to_thread(self.desk.run)
        with self.desk.db.read() as session:
            closed = run.stage == "closed"
            written = [*tickets.waiting(session, run.id), *overriding.waiting(session, run)] if closed else []
        if written:
            await asyncio.to_thread(self.desk.take_law)
            await self.open_threads(CycleWork(self.desk, max(run.session_index, 0)), written)
        return len(written)

    async def submit_approved(self, before: CycleWork) -> None:
        """Submit every approved case on the opening prices of the session that follows `before`."""
        tick = self.desk.tick(before.index + 1, "open")
        adv = {s: Decimal(str(round(f.adv_20, 2))) for s, f in before.features.items()}
        opens = dict(self.desk.market.opens(tick))
        now_open = OpenMarket(tick=tick, opens=opens, adv=adv, groups=before.groups)
        await self.release_approved(before, now_open)
        desk = self.desk
        await asyncio.to_thread(slices.send_due, desk.store, desk.market, desk.law, desk.run_id, now_open)

    async def release_approved(self, work: CycleWork, now_open: OpenMarket) -> None:
        """Resume every approved case in order of rank. A thread whose checkpoint is gone is run again first."""
        desk = self.desk
        with desk.db.read() as session:
            ready = session.exec(
                select(CaseRow.id)
                .where(
                    CaseRow.run_id == desk.run_id, CaseRow.state == CaseState.APPROVED.value,
                    col(CaseRow.kind).in_(ORDER_KINDS),
                )
                .order_by(col(CaseRow.opened_index), col(CaseRow.rank), col(CaseRow.id))
            ).all()  # fmt: skip
        context = CaseContext(desk=desk, work=work, now_open=now_open)
        for case_id in ready:
            await self.resume(case_id, context)

    async def resume(self, case_id: str, context: CaseContext) -> None:
        config: RunnableConfig = {"configurable": {"thread_id": case_id}}
        state = await self.case_graph.aget_state(config)
        if not state.interrupts:
            await self.case_graph.ainvoke({"case_id": case_id}, config, context=context, durability="sync")
        await self.case_graph.ainvoke(Command(resume={"wake": case_id}), config, context=context, durability="sync")

    def _close(self, work: CycleWork) -> int:
        desk = self.desk
        bars = desk.market.bars(work.tick.session, work.tick.as_of)
        if self.time.venue:
            self.time.venue.match_close(work.tick, dict(bars))
        reach("after_match")
        booked = book_fills(desk.store, desk.broker, desk.market, desk.run_id, self.time.seen_at(work.tick))
        closed = Closed(work.features, desk.law.limits.exits)
        protect(desk.store, desk.broker, desk.run_id, work.tick, closed)
        with desk.db.write() as session:
            run = session.get_one(RunRow, desk.run_id)
            closes = {symbol: bar.close for symbol, bar in bars.items()}
            note_references(session, run.id, work.features)
            mark(session, run, work.tick, closes, desk.market.index_close(work.tick.session, work.tick.as_of))
            record_stage(session, desk, "marked")
        return booked

    async def _cycle(self, work: CycleWork) -> list[str]:
        desk = self.desk
        await asyncio.to_thread(desk.take_law)
        state = await self.cycle_graph.ainvoke(first_state(desk, work), context=CycleContext(desk, work))
        await self.open_threads(work, state["asked"])
        await self._prune()
        await asyncio.to_thread(self._finish)
        return list(state["asked"])

    async def open_threads(self, work: CycleWork, case_ids: list[str]) -> None:
        """Start the thread of every drafted case; explanations of one cycle are written side by side.

        Where cases may leave without a person they go one after another: each is checked with those before it approved.
        """
        context = CaseContext(desk=self.desk, work=work)
        if self.desk.law.policy.mode == "autonomous":
            for case_id in case_ids:
                config: RunnableConfig = {"configurable": {"thread_id": case_id}}
                await self.case_graph.ainvoke({"case_id": case_id}, config, context=context, durability="sync")
            return
        await asyncio.gather(
            *(
                self.case_graph.ainvoke(
                    {"case_id": case_id}, {"configurable": {"thread_id": case_id}}, context=context, durability="sync"
                )
                for case_id in case_ids
            )
        )

    def _finish(self) -> None:
        with self.desk.db.write() as session:
            run = active_run(session)
            if run is not None:
                record_stage(session, self.desk, "closed", sessions_played=run.sessions_played + 1)
            reach("before_stage_commit")

    async def _prune(self) -> None:
        """Delete the checkpoints of cases that ended; SQL keeps all that matters."""
        with self.desk.db.read() as session:
            ended = session.exec(
                select(ApprovalRow.case_id)
                .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
                .where(
                    ApprovalRow.run_id == self.desk.run_id, ~col(ApprovalRow.resumed),
                    col(CaseRow.state).in_(CLOSED_STATES),
                )
            ).all()  # fmt: skip
        for case_id in ended:
            await self.checkpointer.adelete_thread(case_id)
        if ended:
            with self.desk.db.write() as session:
                for row in session.exec(select(ApprovalRow).where(col(ApprovalRow.case_id).in_(ended))).all():
                    row.resumed = True
                    session.add(row)
