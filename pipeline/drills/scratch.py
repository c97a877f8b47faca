"""The scratch desk of a drill: a home of its own, played through the real path and stopped at an open.

Nothing of the person's settings, law or home reaches it: not their database, not their model, not their second place
for heads. The law is the shipped one but for `CHANGED`, which puts more on the table at once. No model is asked, so
half of the cases are stamped as reviewed by one (`REASONERS`); who reviewed a case is bound nowhere, only shown.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, cast

from sqlmodel import Session, col, select

from memory.tables import ApprovalRow, CaseRow, OrderRow, OutboxRow, PositionRow
from pipeline import approvals, execution
from pipeline.activation import in_force
from pipeline.desk import Desk, RunRequest, start_run
from pipeline.headless import open_player
from pipeline.policy import default_policy_text
from pipeline.session import SessionPlayer
from pipeline.settings import Settings
from pipeline.store import Principal, Store, open_store, require_run
from pipeline.venue import open_broker, open_market
from pipeline.work import CycleWork
from tools.data.types import MarketData
from tools.errors import ConfigError, ExecutionError
from tools.execution.types import BrokerOrder
from tools.risk.limits import default_limits_text
from tools.strategy.generators import reversion, trend
from tools.types import CaseState

SYMBOLS = (
    "ADI", "AEP", "KR", "SLB", "MCK", "UNH", "DE", "JWN", "AVY", "COP", "FDO", "BA", "CRM", "GAS", "HAS", "HOG", "MKC",
    "PCL", "VZ", "F", "PEP", "DD", "FCX", "OXY", "TRV", "WAG", "YUM", "PNC",
)  # fmt: skip
"""Names in which both strategies propose in the sessions from `START` on."""
START = date(2009, 12, 3)
CHANGED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "limits": (("time_stop_sessions: {trend: 20, reversion: 5}", "time_stop_sessions: {trend: 1, reversion: 1}"),),
    "policy": (("\ncapacity: 5 ", "\ncapacity: 40 "), ("\nttl_sessions: 1", "\nttl_sessions: 3")),
}
"""Exits after one session, many questions at once, and questions that still wait at the open after next."""
STRATEGIES = (trend.STRATEGY, reversion.STRATEGY)
REASONERS = ("model", "rules")
PERSON = Principal("stand-in:drill", "stand_in")

Kind = Literal["working", "unsent", "approved", "waiting", "held", "leaving"]
IN_FLIGHT: tuple[Kind, ...] = ("working", "unsent", "approved", "waiting")
"""An order at the venue, one written and not sent, an approval not submitted, a question. Beside them there are
positions that stay (`held`) and positions whose exit is written and not sent (`leaving`)."""
MIX = ((trend.STRATEGY, "model"), (trend.STRATEGY, "rules"), (reversion.STRATEGY, "model"))
"""What there is of every kind in flight: any two differ in strategy, reasoner or both."""


class DrillError(ExecutionError):
    """A drill could not be set up or did not find what it needs; code `drill`."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="drill")


class Part(NamedTuple):
    """One case of the scratch desk and what there is of it when the halts come."""

    kind: Kind
    case_id: str
    symbol: str
    strategy: str
    reasoner: str


class Stage(NamedTuple):
    """A played home, closed, at an open whose market has not opened yet; each cell works on a copy."""

    home: Path
    market: MarketData
    parts: tuple[Part, ...]
    keep: bool

    def of(self, kind: Kind) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.kind == kind)


def open_scratch(home: Path, equity: int | None = None) -> Store:
    """Open a scratch home with the settings that ship, whatever the environment says."""
    plain = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    plain |= {"home": home} | ({} if equity is None else {"equity_start": equity})
    return open_store(Settings(**plain))


def assemble(store: Store, market: MarketData) -> Desk:
    """The desk over a scratch home, without recall, which no drill looks at."""
    with store.db.read() as session:
        run = require_run(session)
    return Desk(
        store=store, run_id=run.id, market=market, broker=open_broker(store, run), law=in_force(store), recall=None,
        seed=run.seed,
    )  # fmt: skip


def new_desk(home: Path, market: MarketData, equity: int | None = None) -> Desk:
    """A scratch desk before its first session."""
    store = open_scratch(home, equity)
    shipped = {"limits": default_limits_text(), "policy": default_policy_text()}
    for name, text in shipped.items():
        (store.home.config / f"{name}.yaml").write_text(_changed(name, text), encoding="utf-8")
    start_run(store, RunRequest(symbols=SYMBOLS, start=START))
    return assemble(store, market)


def _changed(name: str, text: str) -> str:
    for old, new in CHANGED[name]:
        if text.count(old) != 1:
            raise ConfigError(f"the shipped {name} no longer say {old.strip()!r}: correct the drill", code="drill")
        text = text.replace(old, new)
    return text


def scratch_market() -> MarketData:
    return open_market(SYMBOLS)


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


def close(desk: Desk) -> None:
    """Let go of the files of a scratch desk."""
    desk.store.db.dispose()
    desk.broker.close()


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
            return {case_id: state for case_id, state in session.exec(select(CaseRow.id, CaseRow.state)).all()}

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


def key_of(part: Part, scope: str) -> str | None:
    """By what a scope would name this part; None for the firm. Written down again, so that it can disagree."""
    return cast(
        str | None,
        {
            "order": part.case_id, "strategy": part.strategy, "agent": part.reasoner, "symbol": part.symbol,
            "firm": None,
        }[scope],
    )  # fmt: skip
