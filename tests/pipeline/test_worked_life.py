"""A worked order over the sessions of the embedded market: bought child by child, protected, interrupted, left again.

Three homes play the same life: one straight through, one whose process dies between two children, and one in which a
person stops. They are played once for the module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlmodel import col, select

from memory import ledger
from memory.tables import (
    ApprovalRow,
    CaseRow,
    ExplanationRow,
    FillRow,
    LedgerRow,
    OrderRow,
    ParentRow,
    PositionRow,
    RunRow,
)
from pipeline import reconciliation, slices, stopping, tickets
from pipeline.activation import in_force
from pipeline.desk import Desk, RunRequest, start_run
from pipeline.headless import open_player
from pipeline.parent_costs import cost_of
from pipeline.store import Store
from pipeline.venue import open_broker, open_market
from tests.pipeline import life, parked
from tools.execution.algorithms.cost_report import CostReport
from tools.execution.algorithms.types import Plan
from tools.types import Side, Working

BOUGHT = 101


class Day(NamedTuple):
    """What stood in the book after a session."""

    state: str
    sent: tuple[int, ...]
    held: int
    stopped: int


class Lived(NamedTuple):
    """One home after its life."""

    store: Store
    run_id: str
    days: tuple[Day, ...]
    content: str
    breaks: int
    unresolved: int

    def kinds(self) -> list[str]:
        with self.store.db.read() as session:
            rows = session.exec(select(LedgerRow).where(col(LedgerRow.kind).startswith("parent."))).all()
            return [row.kind for row in rows]

    def cost(self) -> CostReport:
        with self.store.db.read() as session:
            parent = session.exec(select(ParentRow).where(ParentRow.side == "buy")).one()
            run = session.get_one(RunRow, self.run_id)
            orders = {row.client_order_id: row for row in session.exec(select(OrderRow)).all()}
            fills = [
                row.body
                for row in session.exec(select(FillRow)).all()
                if orders[row.client_order_id].parent_id == parent.id
            ]
        found = cost_of(
            open_market(parked.SYMBOLS), run, Plan.model_validate(parent.plan),
            {orders[fill.client_order_id].attempt - 1: [fill] for fill in fills},
        )  # fmt: skip
        assert found is not None
        return found


class _Killed(Exception):
    """The process ends here."""


class _Life:
    def __init__(self, home: Path) -> None:
        self.market = open_market(parked.SYMBOLS)
        self.store = life.new_store(home)
        self.run_id = start_run(self.store, RunRequest(symbols=parked.SYMBOLS)).id
        with self.store.db.write() as session:
            row = session.get_one(RunRow, self.run_id)
            row.session_index, row.stage = 60, "closed"
            session.add(row)
        self.days: list[Day] = []

    def desk(self) -> Desk:
        with self.store.db.read() as session:
            run = session.get_one(RunRow, self.run_id)
        return Desk(
            store=self.store, run_id=self.run_id, market=self.market, broker=open_broker(self.store, run),
            law=in_force(self.store), recall=None, seed=0,
        )  # fmt: skip

    def write(self, side: Side, quantity: int, how: Working) -> str:
        wish = tickets.Ticket(symbol="IBM", side=side, quantity=quantity, working=how)
        return tickets.propose(self.store, wish, principal=life.ANN, reason="it is a hedge").id

    async def release(self, case_id: str) -> None:
        async with open_player(self.desk()) as player:
            await player.open_by_hand()
        with self.store.db.read() as session:
            asked = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).one()
        if asked.status == "pending":
            life.say(self.store, life.Question(case_id, asked.id, asked.digest), life.BOB)

    async def play(self, case_id: str, sessions: int) -> None:
        async with open_player(self.desk()) as player:
            for _ in range(sessions):
                await player.play()
                self.days.append(self.day(case_id))

    def day(self, case_id: str) -> Day:
        with self.store.db.read() as session:
            children = session.exec(
                select(OrderRow)
                .where(OrderRow.case_id == case_id, OrderRow.leg != "stop")
                .order_by(col(OrderRow.attempt))
            ).all()
            stops = session.exec(select(OrderRow).where(OrderRow.leg == "stop", OrderRow.state == "new")).all()
            row = session.get(PositionRow, (self.run_id, "IBM"))
            state = session.get_one(CaseRow, case_id).state
        return Day(
            state, tuple(order.quantity for order in children), row.quantity if row else 0,
            sum(order.quantity for order in stops),
        )  # fmt: skip

    def done(self, case_id: str) -> Lived:
        report = reconciliation.reconcile_desk(self.desk(), "asked")
        with self.store.db.read() as session:
            told = session.get_one(ExplanationRow, case_id)
            content = ledger.content_sha256(session, self.run_id)
        assert report is not None
        return Lived(self.store, self.run_id, tuple(self.days), content, report.found, told.unresolved)


def lived(home: Path, middle: Callable[[_Life, str], Awaitable[None]]) -> Lived:
    """Buy worked over four opens, `middle` after the first two, then leave worked over two."""

    async def through() -> Lived:
        here = _Life(home)
        bought = here.write("buy", BOUGHT, Working(algorithm="vwap", sessions=4))
        await here.release(bought)
        await here.play(bought, 1)
        await middle(here, bought)
        held = here.days[-1].held
        sold = here.write("sell", held, Working(algorithm="twap", sessions=2))
        await here.release(sold)
        await here.play(sold, 2)
        return here.done(bought)

    return asyncio.run(through())


async def _goes_on(here: _Life, case_id: str) -> None:
    await here.play(case_id, 3)


async def _dies(here: _Life, case_id: str) -> None:
    def die(point: str) -> None:
        if point == "after_submit_commit":
            raise _Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(slices, "reach", die)
        with pytest.raises(_Killed):
            await here.play(case_id, 1)
    await here.play(case_id, 3)


async def _is_stopped(here: _Life, case_id: str) -> None:
    await here.play(case_id, 1)
    stopping.stop(here.store, case_id, principal=life.CARL, reason="enough")
    await here.play(case_id, 1)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return lived(tmp_path_factory.mktemp("straight") / "home", _goes_on)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return lived(tmp_path_factory.mktemp("killed") / "home", _dies)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return lived(tmp_path_factory.mktemp("stopped") / "home", _is_stopped)


def test_every_open_gets_one_child_and_all_of_them_are_exactly_the_order(straight: Lived) -> None:
    assert [day.sent for day in straight.days[:4]] == [(24,), (24, 28), (24, 28, 24), (24, 28, 24, 25)]
    assert [day.held for day in straight.days[:4]] == [24, 52, 76, BOUGHT]
    assert [day.state for day in straight.days[:4]] == ["submitted"] * 3 + ["done"]


def test_the_protective_stop_covers_what_was_filled_so_far(straight: Lived) -> None:
    assert [day.stopped for day in straight.days] == [day.held for day in straight.days]


def test_an_exit_is_worked_down_to_nothing(straight: Lived) -> None:
    assert [(day.sent, day.held, day.state) for day in straight.days[4:]] == [
        ((51,), 50, "submitted"), ((51, 50), 0, "done"),
    ]  # fmt: skip
    assert straight.kinds() == []


def test_both_books_agree_and_every_number_of_the_explanation_resolves(straight: Lived, stopped: Lived) -> None:
    assert [(home.breaks, home.unresolved) for home in (straight, stopped)] == [(0, 0), (0, 0)]


def test_a_process_that_died_between_two_children_goes_on_without_a_second_one(straight: Lived, killed: Lived) -> None:
    assert killed.days == straight.days
    assert killed.content == straight.content


def test_what_a_person_stopped_sends_no_more_and_keeps_what_it_has(stopped: Lived) -> None:
    assert [(day.sent, day.held, day.stopped, day.state) for day in stopped.days[1:3]] == [
        ((24, 28), 52, 52, "submitted"), ((24, 28), 52, 52, "done"),
    ]  # fmt: skip
    assert stopped.kinds() == ["parent.stopped"]
    assert stopped.days[-1].held == 0


def test_what_it_cost_is_the_fills_against_the_first_open_and_against_daily_bars(straight: Lived) -> None:
    cost, market = straight.cost(), open_market(parked.SYMBOLS)
    days = market.sessions[61:65]
    bars = [market.bars(day, market.tick(day, "close").as_of)["IBM"] for day in days]
    opens = [market.opens(market.tick(day, "open"))["IBM"] for day in days]
    traded = sum((((bar.high + bar.low + bar.close) / 3) * bar.volume for bar in bars), Decimal(0))
    assert (cost.filled, cost.arrival_price, cost.opportunity_cost) == (BOUGHT, opens[0], Decimal(0))
    assert cost.interval_vwap is not None
    assert abs(cost.interval_vwap - traded / sum(bar.volume for bar in bars)) < Decimal("0.0001")
    assert cost.average_price is not None
    assert cost.arrival_bps == ((cost.average_price / opens[0] - 1) * 10_000).quantize(Decimal("0.01"))
    assert cost.vwap_bps is not None
    assert abs(cost.price_cost - BOUGHT * (cost.average_price - opens[0])) < Decimal("0.001")
