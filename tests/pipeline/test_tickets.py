"""A person's order by hand is a case like any other: stamped by tools, checked, asked or released by the policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow, OrderRow
from pipeline import halt, tickets
from pipeline.desk import Desk
from pipeline.session import SessionPlayer
from pipeline.store import Principal
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, code_of
from tools.errors import ApprovalError
from tools.types import ORDER_KINDS


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
