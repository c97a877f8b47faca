"""A day in paper mode against Alpaca's protocol: the same session, by the wall clock, with real-looking faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import col, select

from memory.tables import ApprovalRow, BreakRow, CaseRow, FindingRow, OrderRow, PositionRow
from pipeline import approvals, attention, feed, reconciliation
from pipeline.desk import Desk, RunRequest, open_desk, start_run
from pipeline.headless import open_player
from pipeline.session import SessionPlayer
from pipeline.store import Principal, Store
from tests.drills.desk import SYMBOLS
from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.peers.alpaca_day import AlpacaDay
from tests.peers.alpaca_peer import FAULTS, KEY, SECRET, STREAM_FAULTS, AlpacaPeer
from tests.pipeline import life
from tools.data.collectors.alpaca_feed import AlpacaFeed
from tools.data.collectors.embedded import EmbeddedMarket
from tools.errors import ConfigError, ExecutionError, HomeError, RetryableToolError

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

    async def through_faults(self, phase: str) -> None:
        """Play a phase as the engine does: whatever does not answer is asked for again a little later."""
        if phase == "open":
            self.day.to_open(self.next)
            self.day.to(self.day.now + timedelta(seconds=20))
        else:
            self.day.to_close(self.next)
            self.day.to(self.day.now + SETTLED)
        self.feed.venue.poll()
        for _ in range(40):
            try:
                played = await self.player.play() if self.player.due() else None
                self.player.follow()
                if phase == "open":
                    self.day.trade()
            except (RetryableToolError, ExecutionError):
                played = None
            self.day.to(self.day.now + timedelta(seconds=5))
            if played is not None:
                break
        assert phase == "open" or self.desk.run().stage == "closed"

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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 11])
async def test_days_with_faults_end_with_no_order_twice_and_equal_books(paper: Paper, seed: int) -> None:
    """Every kind of fault on every second request: what is in doubt is asked for, never sent again."""
    await paper.open()
    await paper.close()
    assert paper.approve() > 0
    paper.venue.rates = dict.fromkeys(FAULTS, 0.03)
    paper.venue.stream_rates = dict.fromkeys(STREAM_FAULTS, 0.1)
    for _ in range(2):
        await paper.through_faults("open")
        await paper.through_faults("close")
        paper.approve()
    paper.venue.calm()
    paper.day.to(paper.day.now + timedelta(minutes=1))
    for _ in range(3):
        paper.player.follow()
    assert paper.venue.duplicates() == {}
    held, cash = paper.books()
    assert held
    assert held == paper.desk.broker.positions()
    assert cash == paper.desk.broker.cash()
    sent = [row for leg in ("entry", "stop", "exit") for row in paper.orders(leg)]
    assert [row.client_order_id for row in sent if row.state == "unknown"] == []
    report = reconciliation.reconcile_desk(paper.desk, "asked")
    assert report is not None
    assert (report.error, report.found) == (None, 0)
    assert paper.store.verify_ledger().verified


async def test_an_open_without_the_engine_sends_nothing_late(paper: Paper) -> None:
    await paper.open()
    await paper.close()
    asked = paper.approve()
    paper.day.to_open(paper.next)
    paper.day.to(paper.day.now + timedelta(minutes=11))
    paper.feed.venue.poll()
    await paper.player.play()
    assert paper.orders("entry") == []
    with paper.store.db.read() as session:
        states = session.exec(select(CaseRow.state, CaseRow.reason).where(CaseRow.state == "voided")).all()
        missed = session.exec(select(FindingRow).where(FindingRow.code == "session_missed")).all()
    assert len(states) == asked
    assert len(missed) == 1
    assert paper.venue.book.open_orders() == []


async def test_a_venue_that_is_away_at_the_open_gets_each_order_once_when_it_is_back(paper: Paper) -> None:
    await paper.open()
    await paper.close()
    paper.approve()
    paper.day.to_open(paper.next)
    paper.day.to(paper.day.now + timedelta(seconds=20))
    paper.feed.venue.poll()
    paper.venue.rates = {"die_before": 1.0}
    with pytest.raises(RetryableToolError):
        await paper.player.play()
    waiting = {row.client_order_id for row in paper.orders("entry")}
    assert waiting
    assert paper.venue.book.open_orders() == []
    paper.venue.calm()
    paper.day.to(paper.day.now + timedelta(minutes=2))
    await paper.player.play()
    paper.player.follow()
    paper.day.trade()
    paper.day.to(paper.day.now + timedelta(seconds=20))
    paper.player.follow()
    assert {row.client_order_id: row.state for row in paper.orders("entry")} == dict.fromkeys(waiting, "filled")
    assert paper.venue.duplicates() == {}
    assert paper.books() == (paper.desk.broker.positions(), paper.desk.broker.cash())


async def test_what_somebody_traded_at_the_venue_is_found_and_blocks_its_symbol(paper: Paper) -> None:
    await paper.open()
    await paper.close()
    with paper.venue.lock:
        paper.venue.book.submit(
            {"symbol": "KO", "qty": "5", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "1.00",
             "client_order_id": "by-hand"}
        )  # fmt: skip
    report = reconciliation.reconcile_desk(paper.desk, "asked")
    assert report is not None
    (found,) = paper.open_breaks()
    assert (found.body.kind, found.body.symbol) == ("foreign_order", "KO")


def test_without_keys_paper_mode_says_which_variables_it_needs(tmp_path: Path) -> None:
    store = life.new_store(tmp_path / "home", mode="paper")
    with pytest.raises(ConfigError, match="QUARTERDECK_ALPACA_KEY_ID") as refused:
        start_run(store, RunRequest(seed=0, symbols=SYMBOLS))
    assert refused.value.code == "missing_key"


def test_a_paper_home_is_opened_in_its_mode_and_in_no_other(tmp_path: Path) -> None:
    life.new_store(tmp_path / "home", mode="paper").db.dispose()
    assert life.new_store(tmp_path / "home").settings.mode == "paper"
    with pytest.raises(HomeError, match="is a paper home"):
        life.new_store(tmp_path / "home", mode="replay")


async def test_the_books_are_compared_also_while_the_session_is_open(paper: Paper) -> None:
    await paper.open()
    await paper.close()
    paper.approve()
    await paper.open()
    report = reconciliation.reconcile_desk(paper.desk, "timer")
    assert report is not None
    assert (report.found, paper.open_breaks()) == (0, [])
    with paper.venue.lock:
        paper.venue.book.cash -= Decimal(250)
    report = reconciliation.reconcile_desk(paper.desk, "timer")
    assert report is not None
    assert [item.body.kind for item in paper.open_breaks()] == ["cash"]
