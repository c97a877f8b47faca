"""The stage of a drill: a played desk at an open with everything in flight, and copies of it to work on.

No model is asked, so half of the cases are stamped as reviewed by one (`REASONERS`); who reviewed a case is bound
nowhere, only shown, and it is what a halt of an agent goes by.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from sqlmodel import Session, col, select

from memory.tables import ApprovalRow, CaseRow, HaltRow, OrderRow, OutboxRow, PositionRow
from pipeline import approvals, execution
from pipeline.desk import Desk
from pipeline.drills.scratch import DrillError, assemble, close, new_desk, open_scratch
from pipeline.halt_scope import Scope
from pipeline.headless import open_player
from pipeline.session import SessionPlayer
from pipeline.store import Principal, Store
from pipeline.work import CycleWork
from tools.data.types import MarketData
from tools.errors import ApprovalError
from tools.execution.types import BrokerOrder
from tools.strategy.generators import reversion, trend
from tools.types import CaseState

STRATEGIES = (trend.STRATEGY, reversion.STRATEGY)
REASONERS = ("model", "rules")
PERSON = Principal("stand-in:drill", "stand_in")

Kind = Literal["working", "unsent", "approved", "waiting", "held", "leaving"]
IN_FLIGHT: tuple[Kind, ...] = ("working", "unsent", "approved", "waiting")
"""An order at the venue, one written and not sent, an approval not submitted, a question. Beside them there are
positions that stay (`held`) and positions whose exit is written and not sent (`leaving`)."""
MIX = ((trend.STRATEGY, "model"), (trend.STRATEGY, "rules"), (reversion.STRATEGY, "model"))
"""What there is of every kind in flight: any two differ in strategy, reasoner or both."""


class Part(NamedTuple):
    """One case of the scratch desk and what there is of it when the halts come."""

    kind: Kind
    case_id: str
    symbol: str
    strategy: str
    reasoner: str

    def key(self, scope: Scope) -> str | None:
        """By what a scope names this part; None for the firm. Said again here, so that it can disagree."""
        keys: dict[Scope, str | None] = {
            "order": self.case_id, "strategy": self.strategy, "agent": self.reasoner, "symbol": self.symbol,
            "firm": None,
        }  # fmt: skip
        return keys[scope]


class Stage(NamedTuple):
    """A played home, closed, at an open whose market has not opened yet; each cell works on a copy."""

    home: Path
    market: MarketData
    parts: tuple[Part, ...]
    keep: bool

    def of(self, kind: Kind) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.kind == kind)


async def set_stage(folder: Path, market: MarketData, *, keep: bool = False) -> Stage:
    """Play a home until positions, exits, orders, approvals and questions of both strategies are there at once."""
    home = folder / "played"
    desk = new_desk(home, market)
    try:
        async with open_player(desk) as player:
            for _ in range(2):
                await player.play()
                answer_questions(desk.store, _first_questions(desk, 3))
            await player.play()
            parts = await _fill_open(desk, player)
    finally:
        close(desk)
    return Stage(home, market, parts, keep)


def _asked(session: Session, run_id: str, index: int) -> list[CaseRow]:
    query = select(CaseRow).where(
        CaseRow.run_id == run_id, CaseRow.state == CaseState.AWAITING.value, CaseRow.opened_index == index
    )
    return list(session.exec(query.order_by(col(CaseRow.rank), col(CaseRow.id))).all())


def _first_questions(desk: Desk, number: int) -> list[str]:
    """So many questions of the last close for each strategy."""
    with desk.db.read() as session:
        asked = _asked(session, desk.run_id, desk.run().session_index)
    return [case.id for name in STRATEGIES for case in [one for one in asked if one.strategy == name][:number]]


def stamp(desk: Desk, case_id: str, reasoner: str) -> None:
    with desk.db.write() as session:
        case = session.get_one(CaseRow, case_id)
        case.review = {**case.review, "reasoner": reasoner}
        session.add(case)


def answer_questions(store: Store, case_ids: Iterable[str], answer: approvals.Answer = "approve") -> None:
    """Answer the questions of cases, as a declared stand-in of replay."""
    for case_id in case_ids:
        with store.db.read() as session:
            row = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).one()
        approvals.decide(
            store, row.id, principal=PERSON, decision=answer, digest=row.digest, reason="a drill on a scratch desk"
        )


async def _fill_open(desk: Desk, player: SessionPlayer) -> tuple[Part, ...]:
    """Enter the session and leave something of every kind before its venue opens."""
    index = await player.enter()
    tick = desk.tick(index, "open")
    opens = desk.market.opens(tick)
    held = _positions(desk)
    with desk.db.read() as session:
        good = [
            case
            for case in _asked(session, desk.run_id, index - 1)
            if case.order.band.holds(opens[case.symbol]) and case.symbol not in {part.symbol for part in held}
        ]
    parts = []
    for kind in IN_FLIGHT:
        for strategy, reasoner in MIX:
            case = next((one for one in good if one.strategy == strategy), None)
            if case is None:
                raise DrillError(f"the scratch desk has too few questions of {strategy}: correct the drill's symbols")
            good.remove(case)
            stamp(desk, case.id, reasoner)
            parts.append(Part(kind, case.id, case.symbol, strategy, reasoner))
    with desk.db.read() as session:
        spare = session.exec(select(CaseRow.id).where(CaseRow.state == CaseState.AWAITING.value)).all()
    answer_questions(desk.store, sorted(set(spare) - {part.case_id for part in parts}), "reject")
    ids = {kind: [part.case_id for part in parts if part.kind == kind] for kind in IN_FLIGHT}
    answer_questions(desk.store, ids["working"] + ids["unsent"])
    await player.submit_approved(CycleWork(desk, index - 1))
    with desk.db.read() as session:
        names = session.exec(select(OrderRow.client_order_id).where(col(OrderRow.case_id).in_(ids["working"]))).all()
    execution.dispatch(desk.store, desk.broker, desk.run_id, tick, frozenset(names))
    answer_questions(desk.store, ids["approved"])
    return (*parts, *held)


def _positions(desk: Desk) -> tuple[Part, ...]:
    """What is held; the reasoners are given out in turn to each kind and strategy."""
    with desk.db.read() as session:
        rows = session.exec(
            select(PositionRow).where(PositionRow.quantity != 0).order_by(col(PositionRow.symbol))
        ).all()
        exits = select(CaseRow.symbol).where(CaseRow.kind == "order.exit", CaseRow.state == CaseState.APPROVED.value)
        leaving = set(session.exec(exits).all())
    turns: dict[tuple[Kind, str], int] = defaultdict(int)
    parts = []
    for row in rows:
        kind: Kind = "leaving" if row.symbol in leaving else "held"
        reasoner = REASONERS[turns[kind, row.strategy] % 2]
        turns[kind, row.strategy] += 1
        stamp(desk, row.case_id, reasoner)
        parts.append(Part(kind, row.case_id, row.symbol, row.strategy, reasoner))
    return tuple(parts)


class Scene:
    """A copy of the stage with a desk at work on it, and what can be seen there."""

    def __init__(self, stage: Stage, desk: Desk, player: SessionPlayer) -> None:
        self.stage = stage
        self.desk = desk
        self.player = player
        self.store = desk.store
        self.broker = desk.broker
        self.index = desk.run().session_index

    async def trade_open(self) -> None:
        """Let the venue open, through the same function as any session."""
        await self.player.trade_open(self.index)

    def resting(self) -> dict[str, BrokerOrder]:
        """What rests at the venue, by order id."""
        return {order.client_order_id: order for order in self.broker.open_orders()}

    def orders(self, leg: str) -> dict[str, OrderRow]:
        """Our orders of a leg, by case for entries and by id otherwise."""
        with self.store.db.read() as session:
            rows = session.exec(select(OrderRow).where(OrderRow.leg == leg)).all()
        return {row.case_id if leg == "entry" else row.client_order_id: row for row in rows}

    def filled(self) -> dict[str, int]:
        """Shares bought by case."""
        return {case: row.filled_quantity for case, row in self.orders("entry").items()}

    def states(self) -> dict[str, str]:
        """States of the cases."""
        with self.store.db.read() as session:
            return {row.id: row.state for row in session.exec(select(CaseRow)).all()}

    def cases(self, kind: Kind) -> list[str]:
        """The cases of a kind."""
        return [part.case_id for part in self.stage.of(kind)]

    def entries(self, kind: Kind) -> frozenset[str]:
        """Ids of the entry orders of a kind."""
        orders = self.orders("entry")
        return frozenset(orders[case].client_order_id for case in self.cases(kind))

    def send(self, only: frozenset[str] | None = None) -> None:
        """Say what is written to the venue, before it opens."""
        tick = self.desk.tick(self.index, "open")
        execution.dispatch(self.store, self.broker, self.desk.run_id, tick, only)

    def refuses(self) -> bool:
        """True when every question that waits refuses to be approved."""
        taken = 0
        for case in self.cases("waiting"):
            with contextlib.suppress(ApprovalError):
                answer_questions(self.store, [case])
                taken += 1
        return taken == 0

    def halts(self) -> list[HaltRow]:
        """Every halt of this home."""
        with self.store.db.read() as session:
            return list(session.exec(select(HaltRow).order_by(col(HaltRow.engaged_wall))).all())

    def pending(self) -> int:
        """Words that wait to be said to the broker."""
        with self.store.db.read() as session:
            return len(session.exec(select(OutboxRow.id).where(OutboxRow.status != "done")).all())


@asynccontextmanager
async def on_copy(stage: Stage, name: str) -> AsyncIterator[Scene]:
    """Work on a copy of the stage; it goes afterwards unless everything is kept."""
    home = stage.home.with_name(name.replace(":", "-"))
    shutil.copytree(stage.home, home)
    desk = assemble(open_scratch(home), stage.market)
    try:
        async with open_player(desk) as player:
            yield Scene(stage, desk, player)
    finally:
        close(desk)
        if not stage.keep:
            shutil.rmtree(home)
