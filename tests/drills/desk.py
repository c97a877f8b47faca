"""A desk on the embedded market with a few names, played session by session through the real path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from memory.tables import CaseRow, FindingRow, LedgerRow, OrderRow, PositionRow, RunRow
from pipeline.activation import InForce
from pipeline.day_facts import look
from pipeline.day_life import day_view
from pipeline.desk import Desk, RunRequest, open_desk, start_run
from pipeline.headless import StandIn, open_player, stand_in_decides
from pipeline.policy import load_policy
from pipeline.session import SessionPlayer
from pipeline.store import Store
from tests.pipeline import life
from tools.types import Tick

SYMBOLS = ("AMD", "EL", "TXT", "FCX", "PNC", "NEM", "TIF", "HOG", "AXP", "COH", "IBM", "GE", "XOM", "KO", "PG", "CAT")
EXITS_NEED_A_PERSON = """
version: drill
profile: single_operator
ttl_sessions: 1
capacity: 5
rules:
  - {name: exit_unattended, when: {kinds: [order.exit], occasions: [OCCASIONS]}, approvers: 0}
  - {name: exit, when: {kinds: [order.exit]}, approvers: 1}
  - {name: entry, when: {kinds: [order.entry]}, approvers: 1}
"""


class Drill:
    """What a drill does to a desk, and what it looks at afterwards."""

    def __init__(self, desk: Desk, player: SessionPlayer) -> None:
        self.desk = desk
        self.player = player

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def index(self) -> int:
        return self.desk.run().session_index

    async def play(self, sessions: int, people: StandIn = "approve") -> None:
        for _ in range(sessions):
            await self.player.play()
            stand_in_decides(self.desk, people, 1)

    def keep_law(self, law: InForce) -> None:
        """Let the desk play on another law than that of its home."""
        self.desk.law = law
        self.desk.take_law = lambda: False  # type: ignore[method-assign]

    async def settle_down(self) -> None:
        """Play until nothing approved is left to be sent."""
        await self.play(1, "none")

    def exits_need_a_person(self, *occasions: str) -> None:
        """Every exit is asked from now on; on `occasions` the policy releases what the limits file names."""
        named = ", ".join(occasions) or "night"
        policy = load_policy(EXITS_NEED_A_PERSON.replace("OCCASIONS", named))
        if not occasions:
            policy = policy.model_copy(update={"rules": policy.rules[1:]})
        self.keep_law(replace(self.desk.law, policy=policy))

    def exit_policy(self, **changes: Any) -> None:
        limits = self.desk.law.limits
        exits = limits.exits.model_copy(update=changes)
        self.keep_law(replace(self.desk.law, limits=limits.model_copy(update={"exits": exits})))

    def time_is_up(self) -> None:
        """Every position has reached its time stop."""
        self.exit_policy(time_stop_sessions={"trend": 1, "reversion": 1})

    def venue_goes_on(self, sessions: int) -> list[Tick]:
        """Let the venue play sessions while nobody is at the desk; returns their opening ticks."""
        market, broker, first = self.desk.market, self.desk.venue, self.index + 1
        ticks = []
        for index in range(first, first + sessions):
            opens, closes = self.desk.tick(index, "open"), self.desk.tick(index, "close")
            for action in market.corporate_actions(opens.session, opens.as_of):
                broker.apply_action(action)
            bars = market.bars(closes.session, closes.as_of)
            broker.match_open(opens, market.opens(opens), {name: float(bar.volume) for name, bar in bars.items()})
            broker.match_close(closes, bars)
            ticks.append(opens)
        return ticks

    def held(self) -> dict[str, int]:
        with self.store.db.read() as session:
            query = select(PositionRow).where(PositionRow.run_id == self.desk.run_id, PositionRow.quantity != 0)
            return {row.symbol: row.quantity for row in session.exec(query)}

    def bought(self, after: int) -> list[str]:
        """Symbols of entries that were sent in sessions after index `after`."""
        since = self.desk.tick(after, "close").as_of
        with self.store.db.read() as session:
            query = select(OrderRow).where(OrderRow.leg == "entry", OrderRow.created > since)
            return [row.symbol for row in session.exec(query) if row.state != "denied"]

    def unattended(self) -> list[CaseRow]:
        with self.store.db.read() as session:
            query = select(CaseRow).where(col(CaseRow.occasion).is_not(None)).order_by(col(CaseRow.id))
            return list(session.exec(query).all())

    def findings(self, code: str) -> list[FindingRow]:
        with self.store.db.read() as session:
            return list(session.exec(select(FindingRow).where(FindingRow.code == code)).all())

    def recorded(self, kind: str) -> list[LedgerRow]:
        with self.store.db.read() as session:
            return list(session.exec(select(LedgerRow).where(LedgerRow.kind == kind)).all())

    def protected(self) -> bool:
        """True when every position has one resting stop at the venue for exactly what is held."""
        stops: dict[str, list[int]] = {}
        for order in self.desk.broker.open_orders():
            if order.order_type == "stop" and order.side == "sell":
                stops.setdefault(order.symbol, []).append(order.quantity - order.filled_quantity)
        return stops == {symbol: [quantity] for symbol, quantity in self.held().items()}

    def books_agree(self) -> None:
        """Positions and cash are those of the venue, and the checks of the end of day pass."""
        look(self.desk)
        with self.store.db.read() as session:
            run = session.get_one(RunRow, self.desk.run_id)
        assert self.desk.broker.positions() == self.held()
        assert self.desk.broker.cash() == run.cash
        assert day_view(self.store).end.failed == ()
        assert self.store.verify_ledger().verified

    def moved_stops(self) -> list[tuple[Decimal, Decimal]]:
        """Old and new price of every stop that moved."""
        moves = []
        for row in self.recorded("order.stop_moved"):
            body = body_of(row)
            moves.append((Decimal(body["old"]["stop_price"]), Decimal(body["new"]["stop_price"])))
        return moves


def body_of(row: LedgerRow) -> dict[str, Any]:
    """What a record says."""
    found: dict[str, Any] = json.loads(row.content)["body"]
    return found


def new_home(folder: Path, **settings: Any) -> Store:
    """A home with a fresh run over the few names."""
    store = life.new_store(folder / "home", **settings)
    start_run(store, RunRequest(symbols=SYMBOLS))
    return store


@asynccontextmanager
async def at_work(store: Store) -> AsyncIterator[Drill]:
    """A desk over the home, as an engine opens it; without recall, which no drill looks at."""
    desk = open_desk(store)
    desk.recall = None
    async with open_player(desk) as player:
        yield Drill(desk, player)
