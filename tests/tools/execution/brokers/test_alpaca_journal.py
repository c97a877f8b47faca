"""Fills of an Alpaca account are numbered once, and what was sent a moment ago is not forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.peers.alpaca_peer import AlpacaPeer
from tests.tools.execution.brokers.alpaca_help import buy, connect
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.messages import Amendment, Execution, OrderMessage
from tools.execution.types import OrderState

D = Decimal


def test_a_doubt_survives_the_process(peer: AlpacaPeer, tmp_path: Path) -> None:
    peer.script.append("late")
    with pytest.raises(RetryableToolError):
        connect(peer, tmp_path / "journal.sqlite").submit(buy())
    again = connect(peer, tmp_path / "journal.sqlite")
    for ask in (again.find, again.cancel):
        with pytest.raises(RetryableToolError, match="may still arrive"):
            ask("o1")
    peer.calm()
    assert again.cancel("o1").state == OrderState.PENDING_CANCEL


def test_fills_are_read_beyond_one_page_and_numbered_once(
    peer: AlpacaPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.execution.brokers.alpaca.PAGE", 3)
    broker = connect(peer, tmp_path / "fills.sqlite")
    broker.submit(buy(quantity=8))
    for _ in range(8):
        peer.book.fill("o1", 1)
    first = broker.fills(0)
    assert [fill.sequence for fill in first] == list(range(1, 9))
    again = connect(peer, tmp_path / "fills.sqlite")
    assert again.fills(0) == first
    assert again.fills(6) == first[6:]


def test_a_fill_that_shows_late_is_read_once_and_after_the_others(peer: AlpacaPeer, tmp_path: Path) -> None:
    broker = connect(peer, tmp_path / "fills.sqlite")
    broker.submit(buy())
    hidden = peer.book.fill("o1", 3)
    peer.hide_fill(hidden["id"], 2)
    peer.book.fill("o1", 7)
    (early,) = broker.fills(0)
    assert (early.quantity, early.sequence) == (7, 1)
    assert broker.fills(1) == ()
    again = connect(peer, tmp_path / "fills.sqlite")
    (late,) = again.fills(1)
    assert (late.quantity, late.sequence, late.execution_id) == (3, 2, hidden["id"])


def test_a_page_that_fails_loses_nothing(
    peer: AlpacaPeer, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.execution.brokers.alpaca.PAGE", 2)
    broker.submit(buy(quantity=5))
    for _ in range(5):
        peer.book.fill("o1", 1)
    peer.script.extend(["ok", "ok", "ok", "error"])
    with pytest.raises(RetryableToolError):
        broker.fills(0)
    assert [fill.sequence for fill in broker.fills(0)] == [1, 2, 3, 4, 5]


def test_fills_before_the_desks_start_are_not_its_own(peer: AlpacaPeer) -> None:
    broker = connect(peer)
    broker.submit(buy())
    peer.book.fill("o1", 4)
    later = connect(peer, since=peer.book.now)
    peer.book.fill("o1", 6)
    assert [fill.quantity for fill in later.fills(0)] == [6]


def test_a_journal_belongs_to_one_account(peer: AlpacaPeer, tmp_path: Path) -> None:
    connect(peer, tmp_path / "fills.sqlite").fills(0)
    peer.book.account_number = "PA999"
    with pytest.raises(ExecutionError, match="another Alpaca account") as error:
        connect(peer, tmp_path / "fills.sqlite").fills(0)
    assert error.value.code == "account_mismatch"


def test_an_amendment_of_an_execution_that_was_not_read_yet_is_not_taken_for_the_only_one_known(
    peer: AlpacaPeer, tmp_path: Path
) -> None:
    broker = connect(peer, tmp_path / "fills.sqlite")
    broker.submit(buy())
    peer.book.fill("o1", 3)
    assert len(broker.fills(0)) == 1
    second = peer.book.fill("o1", 7)
    told = broker.named(
        OrderMessage(
            id="m", client_order_id="o1", event=Amendment.BUST, at=datetime.now(UTC),
            execution=Execution(execution_id=second["id"].rpartition("::")[2], quantity=0, price=D(0)),
        )
    )  # fmt: skip
    assert isinstance(told, OrderMessage)
    assert told.execution is not None
    assert told.execution.execution_id == second["id"]


def test_a_fraction_that_somebody_else_traded_does_not_keep_the_desk_from_its_own_fills(
    peer: AlpacaPeer, tmp_path: Path
) -> None:
    broker = connect(peer, tmp_path / "fills.sqlite")
    connect(peer).submit(buy("foreign"))
    broker.submit(buy())
    peer.book.fill("foreign", 10)["qty"] = "0.5"
    peer.book.fill("o1", 10)
    assert [fill.client_order_id for fill in broker.fills(0)] == ["o1"]
