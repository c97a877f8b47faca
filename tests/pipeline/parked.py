"""A case parked in its thread on a real desk: what the tests of the case graph stand on."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig

from pipeline.case_graph import CaseContext
from pipeline.desk import Desk
from pipeline.session import SessionPlayer
from pipeline.store import Store
from pipeline.submission import OpenMarket
from pipeline.work import CycleWork
from tests.pipeline import life
from tests.pipeline.life import Question, say, truth
from tools.canonical import stable_id

SYMBOLS = ("IBM", "GIS", "XOM")
SENT = life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
WAITING = life.Truth("awaiting", "pending", (), 0, 0, 0)
APPROVED = life.Truth("approved", "approved", ("minted",), 0, 0, 1)


class Case:
    """One asked case on a real desk: its thread is parked, nobody has answered."""

    def __init__(self, desk: Desk, player: SessionPlayer, question: Question) -> None:
        self.desk = desk
        self.player = player
        self.question = question
        self.config: RunnableConfig = {"configurable": {"thread_id": question.case_id}}

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def graph(self) -> Any:
        return self.player.case_graph

    def context(self, *, market_open: bool = True) -> CaseContext:
        work = CycleWork(self.desk, 60)
        return CaseContext(self.desk, work, now_open=self.now_open() if market_open else None)

    def now_open(self) -> OpenMarket:
        return OpenMarket(tick=self.desk.tick(61, "open"), opens=life.OPEN.opens, adv=life.OPEN.adv, groups=life.ALONE)

    def approve(self) -> None:
        say(self.store, self.question)

    async def invoke(self, given: Any, config: RunnableConfig | None = None) -> Any:
        return await self.graph.ainvoke(given, config or self.config, context=self.context(), durability="sync")

    async def resume(self) -> None:
        """What the engine does at the open with every approved case."""
        await self.player.resume(self.question.case_id, self.context())

    def truth(self) -> life.Truth:
        return truth(self.store, self.question)


async def ask(desk: Desk, player: SessionPlayer, number: int = 0) -> Case:
    """Draft a case and let its thread run until it waits for a person."""
    as_of = desk.tick(60, "close").as_of
    body = life.proposal(number, run_id=desk.run_id, cycle_id=desk.cycle_id(60), as_of=as_of, quantity=10 + number)
    case_id = life.draft(desk.store, body)
    life.tamper(desk.store, "DELETE FROM explanations WHERE case_id = :case", case=case_id)
    life.tamper(desk.store, "UPDATE cases SET checks = NULL, review = :review WHERE id = :case", case=case_id,
                review=f'{{"proposal_id":"{body.id}","reasons":[],"verdict":"keep"}}')  # fmt: skip
    await player.open_threads(CycleWork(desk, 60), [case_id])
    return Case(desk, player, Question(case_id, stable_id("appr", case_id), body.digest))
