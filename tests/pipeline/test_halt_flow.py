"""Halts in a session of a real desk: controls engage and end, the cycle asks nothing, opens close what is held."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlmodel import select

from agents.coordinator.output import CoordinatorPlan
from memory.tables import CaseRow, HaltRow, OrderRow, PositionRow, RunRow
from pipeline import halt, opening
from pipeline.desk import Desk
from pipeline.halt_scope import in_force
from pipeline.headless import stand_in_decides
from pipeline.session import SessionPlayer
from tests.pipeline import life, parked
from tests.pipeline.life import BOB
from tools.execution.types import OrderRequest
from tools.types import Review


def own(desk: Desk, symbol: str, quantity: int) -> None:
    """Shares at the venue and in the book, bought at the open of session 60."""
    request = OrderRequest(
        client_order_id="seed", symbol=symbol, side="buy", quantity=quantity, order_type="market", time_in_force="opg"
    )
    tick = desk.tick(60, "open")
    price = desk.market.opens(tick)[symbol]
    desk.broker.submit(request)
    desk.venue.match_open(tick, {symbol: price}, {symbol: 1e9})
    life.hold(desk.store, quantity, symbol, run_id=desk.run_id, mark=price, average_price=price, stop_price=None)
    change(desk, broker_sequence=1, cash=Decimal(1_000_000) - price * quantity)


def change(desk: Desk, **values: object) -> None:
    with desk.db.write() as session:
        run = session.get_one(RunRow, desk.run_id)
        for name, value in values.items():
            setattr(run, name, value)
        session.add(run)


def standing(desk: Desk) -> list[tuple[str, str, int | None]]:
    with desk.db.read() as session:
        return [(row.source, row.action, row.ends_index) for row in in_force(session)]


async def test_a_session_in_order_engages_nothing(desk: Desk, player: SessionPlayer) -> None:
    await player.play()
    assert standing(desk) == []


async def test_a_drawdown_beyond_its_limit_halts_at_the_close_and_the_halt_ends_by_sessions(
    desk: Desk, player: SessionPlayer
) -> None:
    change(desk, peak_equity=Decimal(2_000_000))
    await player.play()
    assert ("control:drawdown", "reduce_only", 66) in standing(desk)
    assert ("control:finding", "no_new", 62) in standing(desk)
    with desk.db.read() as session:
        states = session.exec(select(CaseRow.state, CaseRow.reason).where(CaseRow.opened_index == 61)).all()
    assert all(state in ("blocked", "not_selected") for state, _reason in states)
    change(desk, peak_equity=Decimal(1_000_000))
    await player.play()
    assert [source for source, *_ in standing(desk)] == ["control:drawdown"]
    for _ in range(4):
        await player.play()
    assert standing(desk) == []
    with desk.db.read() as session:
        rows = session.exec(select(HaltRow).where(HaltRow.source == "control:drawdown")).all()
    assert [row.released_by for row in rows] == ["control:drawdown"]


async def test_a_flatten_closes_at_the_next_open_and_is_then_carried_out(desk: Desk, player: SessionPlayer) -> None:
    own(desk, "XOM", 50)
    row = halt.engage(desk.store, action="flatten", reason="drill", principal=BOB)
    await player.play()
    await player.play()
    with desk.db.read() as session:
        assert session.get_one(PositionRow, (desk.run_id, "XOM")).quantity == 0
        assert session.get_one(HaltRow, row.id).carried_out
        sold = session.exec(select(OrderRow).where(OrderRow.leg == "flatten")).one()
    assert (sold.quantity, sold.filled_quantity, sold.body.order_type) == (50, 50, "limit")
    assert desk.broker.positions() == {}


async def test_each_close_notes_what_closing_a_position_needs(desk: Desk, player: SessionPlayer) -> None:
    own(desk, "XOM", 50)
    await player.play()
    with desk.db.read() as session:
        position = session.get_one(PositionRow, (desk.run_id, "XOM"))
    assert position.atr is not None
    assert position.atr > 0
    assert position.adv_shares is not None
    assert position.adv_shares > 1_000_000


@pytest.mark.parametrize(("target", "reason"), [("IBM", "halted"), ("XOM", None)])
def test_the_cycle_asks_nothing_that_a_halt_names_and_goes_on_with_the_rest(
    desk: Desk, target: str, reason: str | None
) -> None:
    wanted = life.proposal(run_id=desk.run_id)
    plan = CoordinatorPlan(asked=(wanted.id,))
    review = Review(proposal_id=wanted.id, verdict="keep", reasons=())
    halt.engage(desk.store, action="no_new", scope="symbol", target=target, reason="drill", principal=BOB)
    with desk.db.write() as session:
        assert opening._disposition(session, desk, wanted, plan, review)[1] == reason


def test_an_exit_is_asked_under_every_halt(desk: Desk) -> None:
    wanted = life.exit_proposal(run_id=desk.run_id)
    halt.engage(desk.store, action="flatten", reason="drill", principal=BOB)
    with desk.db.write() as session:
        state, _ = opening._disposition(
            session, desk, wanted, CoordinatorPlan(asked=(wanted.id,)),
            Review(proposal_id=wanted.id, verdict="keep", reasons=()),
        )  # fmt: skip
    assert state.value == "drafted"


@pytest.mark.parametrize(("target", "approved"), [(None, 0), ("IBM", 0), ("XOM", 1)])
async def test_a_stand_in_approves_what_no_halt_names(
    desk: Desk, player: SessionPlayer, target: str | None, approved: int
) -> None:
    await parked.ask(desk, player)
    halt.engage(
        desk.store, action="no_new", scope="symbol" if target else "firm", target=target, reason="drill",
        principal=BOB,
    )  # fmt: skip
    assert stand_in_decides(desk, "approve", 1) == approved


async def test_a_halt_of_one_symbol_lets_the_clock_go_on(desk: Desk) -> None:
    halt.engage(desk.store, action="flatten", scope="symbol", target="IBM", reason="drill", principal=BOB)
    assert not halt.holds_clock(desk.store)
    halt.engage(desk.store, action="no_new", reason="drill", principal=BOB)
    assert halt.holds_clock(desk.store)
