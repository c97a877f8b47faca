"""A person's order by hand is a case like any other: stamped by tools, checked, asked or released by the policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, ExplanationRow, OrderRow, RunRow
from pipeline import halt, tickets
from pipeline.activation import activate
from pipeline.desk import Desk
from pipeline.session import SessionPlayer
from pipeline.store import Principal
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, code_of
from tools.errors import ApprovalError
from tools.risk.limits import default_limits_text
from tools.types import ORDER_KINDS, Working


@pytest.fixture
def writing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(tickets, "market_of", lambda _store, _run: desk.market)
    monkeypatch.setattr(life, "RUN", desk.run_id)
    return desk


def write(desk: Desk, side: Any = "sell", quantity: int = 60, principal: Principal = ANN, **changes: Any) -> CaseRow:
    wish = tickets.Ticket(symbol=changes.pop("symbol", "IBM"), side=side, quantity=quantity, **changes)
    return tickets.propose(desk.store, wish, principal=principal, reason="too much of it")


def case_of(desk: Desk, case_id: str) -> CaseRow:
    with desk.db.read() as session:
        return session.get_one(CaseRow, case_id)


async def test_an_exit_by_hand_goes_at_the_next_open_as_the_policy_says(writing: Desk, player: SessionPlayer) -> None:
    life.hold(writing.store, 100)
    case = write(writing)
    assert (case.kind, case.order.risk_effect, case.strategy) == ("order.exit", "reduces", "manual:ann")
    assert await player.open_by_hand() == 1
    assert await player.open_by_hand() == 0
    assert case_of(writing, case.id).state == "approved"


async def test_an_entry_by_hand_is_checked_explained_and_asked(writing: Desk, player: SessionPlayer) -> None:
    case = write(writing, "buy", 10)
    await player.open_by_hand()
    found = case_of(writing, case.id)
    assert found.state == "awaiting", found.reason
    assert found.checks
    assert found.order.stop_price is not None
    assert found.order.stop_price < found.order.reference_price
    with writing.db.read() as session:
        asked = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case.id)).one()
        assert session.exec(select(OrderRow)).all() == []
    assert (asked.required, asked.rule) == (1, "entry")


async def test_who_proposed_by_hand_does_not_sign_it_where_four_eyes_hold(writing: Desk, player: SessionPlayer) -> None:
    life.activate_policy(writing.store, profile="desk")
    writing.take_law()
    case = write(writing, "buy", 10)
    await player.open_by_hand()
    with writing.db.read() as session:
        asked = session.exec(select(ApprovalRow)).one()
    question = life.Question(case.id, asked.id, asked.digest)
    assert code_of(lambda: life.say(writing.store, question, ANN)) == "separation"
    assert life.say(writing.store, question, BOB).status == "approved"


async def test_a_limit_blocks_a_ticket_as_it_blocks_a_strategy(writing: Desk, player: SessionPlayer) -> None:
    case = write(writing, "buy", 100_000)
    await player.open_by_hand()
    assert case_of(writing, case.id).state == "blocked"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": 101}, "invalid"), ({"symbol": "ZZZ"}, "invalid"),
        ({"principal": Principal("c", "control")}, "role"),
        ({"side": "buy", "stop_price": Decimal(100_000)}, "invalid"),
        ({"side": "buy", "limit_price": Decimal(1)}, "invalid"),
    ],
)  # fmt: skip
def test_a_ticket_that_cannot_be_is_refused_and_leaves_nothing(
    writing: Desk, changes: dict[str, Any], code: str
) -> None:
    life.hold(writing.store, 100)
    assert code_of(lambda: write(writing, **changes)) == code
    with writing.db.read() as session:
        assert session.exec(select(CaseRow)).all() == []


def test_a_second_ticket_for_the_same_waits_for_the_first(writing: Desk) -> None:
    life.hold(writing.store, 100)
    write(writing)
    assert code_of(lambda: write(writing, quantity=10)) == "exists"
    assert write(writing, principal=BOB, quantity=10).strategy == "manual:bob"


def test_under_a_halt_and_in_safe_mode_only_what_reduces_is_taken(writing: Desk) -> None:
    life.hold(writing.store, 100)
    halt.engage(writing.store, action="no_new", reason="test", principal=BOB)
    with pytest.raises(ApprovalError, match="halt"):
        write(writing, "buy", 10)
    assert write(writing, "sell", 10).kind in ORDER_KINDS
    writing.store.reduce_only.append("test")
    with pytest.raises(ApprovalError, match="safe mode"):
        write(writing, "buy", 10, symbol="XOM")


async def test_a_ticket_written_with_no_desk_running_is_asked_by_the_next_session(
    writing: Desk, player: SessionPlayer
) -> None:
    life.hold(writing.store, 100)
    case = write(writing)
    await player.play()
    assert case_of(writing, case.id).state != "drafted"


HOW = Working(algorithm="twap", sessions=4)


async def test_how_a_ticket_is_worked_is_asked_explained_and_bound(writing: Desk, player: SessionPlayer) -> None:
    case = write(writing, "buy", 40, working=HOW)
    await player.open_by_hand()
    found = case_of(writing, case.id)
    with writing.db.read() as session:
        told = session.get_one(ExplanationRow, case.id)
        asked = session.exec(select(ApprovalRow)).one()
    assert (found.state, found.order.working, asked.digest) == ("awaiting", HOW, found.order.digest)
    assert "worked by twap over 4 sessions" in told.body["prose"]
    assert told.unresolved == 0


def test_the_band_of_a_worked_entry_is_wider_and_ends_before_its_stop(writing: Desk) -> None:
    plain, worked = write(writing, "buy", 40).order, write(writing, "buy", 40, principal=BOB, working=HOW).order
    twice, once = (item.band.high - item.reference_price for item in (worked, plain))
    assert abs(twice - 2 * once) <= Decimal("0.02")
    assert worked.stop_price is not None
    far = write(writing, "buy", 40, symbol="XOM", working=HOW.model_copy(update={"sessions": 20})).order
    assert (far.horizon_sessions, plain.horizon_sessions) == (21, 10), "a view is not judged before it was acted on"
    assert far.stop_price is not None
    assert far.band.low == far.stop_price + Decimal("0.01")


def test_a_worked_entry_whose_limit_lies_beyond_its_stop_is_refused(writing: Desk) -> None:
    price = write(writing, "buy", 40).order.reference_price
    stop, limit = price - Decimal("0.50"), price - Decimal("0.60")
    with pytest.raises(ApprovalError, match="beyond its stop") as refused:
        write(writing, "buy", 40, principal=BOB, working=HOW, stop_price=stop, limit_price=limit)
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(
    ("quantity", "how", "why"),
    [
        (3, HOW, "3 shares cannot be worked over 4 sessions"),
        (500_000, HOW.model_copy(update={"participation": Decimal("0.001")}), "participation cap"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_before_anybody_is_asked(
    writing: Desk, quantity: int, how: Working, why: str
) -> None:
    with pytest.raises(ApprovalError, match=why) as refused:
        write(writing, "buy", quantity, working=how)
    assert refused.value.code == "invalid"


def test_a_plan_over_more_sessions_than_the_market_has_is_refused(writing: Desk) -> None:
    with writing.db.write() as session:
        row = session.get_one(RunRow, writing.run_id)
        row.session_index = len(writing.market.sessions) - 4
        session.add(row)
    with pytest.raises(ApprovalError, match="has 3 sessions"):
        write(writing, "buy", 40, working=HOW)


async def test_the_rule_of_the_limits_file_works_a_strategys_entries(writing: Desk, player: SessionPlayer) -> None:
    rule = 'working: {above_adv_share: "0", algorithm: vwap, sessions: 3}\n'
    (writing.store.home.config / "limits.yaml").write_text(default_limits_text() + rule)
    activate(writing.store, "limits", principal=ANN, reason="for this test")
    await player.play()
    with writing.db.read() as session:
        opened = [row.order for row in session.exec(select(CaseRow)).all() if row.state == "awaiting"]
    entries = [order for order in opened if order.kind == "order.entry"]
    assert [order.working for order in entries] == [Working(algorithm="vwap", sessions=3)] * len(entries)
    assert entries
