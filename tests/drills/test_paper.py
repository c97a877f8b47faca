"""A day in paper mode against Alpaca's protocol: the same session, by the wall clock, with real-looking faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import col, select

from memory.tables import ApprovalRow, BreakRow, CaseRow, OrderRow, PositionRow
from pipeline import approvals, attention, feed, reconciliation
from pipeline.desk import Desk, RunRequest, open_desk, start_run
from pipeline.headless import open_player
from pipeline.session import SessionPlayer
from pipeline.store import Principal, Store
from tests.drills.desk import SYMBOLS
from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_day import AlpacaDay
from tests.peers.alpaca_peer import KEY, SECRET, AlpacaPeer
from tests.pipeline import life
from tools.data.collectors.alpaca_feed import AlpacaFeed
from tools.data.collectors.embedded import EmbeddedMarket

ANN = Principal("ann", "person")
SETTLED = timedelta(minutes=16)
START = 150


@dataclass
class Paper:
    """A paper desk, the venue and feed that it talks to, and the clock they share."""

    day: AlpacaDay
    venue: AlpacaPeer
    data: AlpacaDataPeer
    store: Store
    desk: Desk
    player: SessionPlayer
    feed: AlpacaFeed

    @property
    def next(self) -> date:
        return self.day.days[self.day.schedule.closed(self.day.now)]

    async def open(self) -> None:
        """The venue opens, the desk sends what was approved, the venue fills it, the desk books."""
        self.day.to_open(self.next)
        self.day.to(self.day.now + timedelta(seconds=20))
        self.feed.venue.poll()
        assert await self.player.play() is None
        self.day.trade()
        self.day.to(self.day.now + timedelta(seconds=20))
        self.player.follow()

    async def close(self) -> None:
        self.day.to_close(self.next)
        self.day.to(self.day.now + SETTLED)
        self.feed.venue.poll()
        assert await self.player.play() is not None

    def approve(self) -> int:
        with self.store.db.read() as session:
            rows = session.exec(
                select(ApprovalRow)
                .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
                .where(ApprovalRow.status == "pending")
            ).all()
        for row in rows:
            attention.record_view(self.store, row.id, ANN, seconds=30.0, evidence_opened=True)
            approvals.decide(self.store, row.id, principal=ANN, decision="approve", digest=row.digest, reason="read it")
        return len(rows)

    def books(self) -> tuple[dict[str, int], Decimal]:
        with self.store.db.read() as session:
            held = session.exec(select(PositionRow).where(PositionRow.quantity != 0)).all()
        return {row.symbol: row.quantity for row in held}, self.desk.run().cash

    def orders(self, leg: str) -> list[OrderRow]:
        with self.store.db.read() as session:
            return list(session.exec(select(OrderRow).where(OrderRow.leg == leg)).all())

    def open_breaks(self) -> list[BreakRow]:
        with self.store.db.read() as session:
            return list(session.exec(select(BreakRow).where(BreakRow.status == "open")).all())


@pytest.fixture(scope="module")
def source() -> EmbeddedMarket:
    return EmbeddedMarket(list(SYMBOLS))


@pytest.fixture
def peers(source: EmbeddedMarket) -> Iterator[tuple[AlpacaDay, AlpacaPeer, AlpacaDataPeer]]:
    day = AlpacaDay(source, last=date(2026, 11, 20))
    day.now = day.schedule.sessions[START].closes + SETTLED
    with AlpacaPeer() as venue, AlpacaDataPeer(day) as data:
        day.attach(venue)
        yield day, venue, data


@pytest.fixture
async def paper(
    peers: tuple[AlpacaDay, AlpacaPeer, AlpacaDataPeer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Paper]:
    day, venue, data = peers
    life.set_wall(monkeypatch, lambda: day.now)
    store = life.new_store(
        tmp_path / "home", mode="paper", alpaca_key_id=KEY, alpaca_secret_key=SECRET, alpaca_url=venue.base_url,
        alpaca_stream_url=venue.stream_url, alpaca_data_url=data.base_url, alpaca_status_url=data.stream_url,
        alpaca_history=130, alpaca_horizon=60,
    )  # fmt: skip
    run = start_run(store, RunRequest(seed=0, symbols=SYMBOLS), attended=True)
    desk = open_desk(store, attended=True)
    desk.recall = None
    with feed.listening(store, run):
        async with open_player(desk) as player:
            yield Paper(day, venue, data, store, desk, player, feed.alpaca_of(store, run))
    desk.broker.close()  # type: ignore[attr-defined]
    store.db.dispose()
    feed._opened.cache_clear()


async def test_days_at_a_venue_that_keeps_its_own_hours_end_with_equal_books(paper: Paper) -> None:
    assert not paper.player.due()
    await paper.open()
    assert not paper.player.due()
    await paper.close()
    assert paper.approve() > 0
    await paper.open()
    bought = paper.orders("entry")
    assert bought
    assert {(row.state, row.body.time_in_force) for row in bought} == {("filled", "day")}
    held, cash = paper.books()
    assert held == paper.desk.broker.positions()
    assert cash == paper.desk.broker.cash()
    assert {row.symbol for row in paper.orders("stop") if row.state == "new"} == set(held)
    await paper.close()
    report = reconciliation.reconcile_desk(paper.desk, "asked")
    assert report is not None
    assert (report.error, report.found, paper.open_breaks()) == (None, 0, [])
    assert paper.store.verify_ledger().verified
