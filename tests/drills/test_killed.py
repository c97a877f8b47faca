"""A paper desk killed with -9 at any moment of submitting, sending, booking, protecting ends with the same books."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from collections.abc import Iterator
from decimal import Decimal
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from tests.drills import killed
from tools.execution.brokers.alpaca import DOUBT_S

POINTS = (
    "before_submit_commit", "after_submit_commit", "before_broker_submit", "after_broker_submit", "before_fill_commit",
    "after_fill_commit", "after_stop_cancel",
)  # fmt: skip
MOMENTS = [f"{point}:{nth}" for point in POINTS for nth in (1, 2)]
ASKED = [
    *(("POST", "orders", nth, done) for nth in (1, 3, 4) for done in (False, True)),
    ("GET", "account/activities/FILL", 2, True), ("GET", "orders:by_client_order_id", 3, True),
]  # fmt: skip
BY_THE_VENUE = {f"{method} {path} {nth} {'done' if done else 'lost'}": (method, path, nth, done)
                for method, path, nth, done in ASKED}  # fmt: skip


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that need not import the desk each time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.drills.killed", "alpaca.trading.client"])
    return context


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("prepared") / "home"
    killed.prepare(home)
    return home


@pytest.fixture(scope="module")
def peer() -> Iterator[killed.DeadlyPeer]:
    with killed.DeadlyPeer() as made:
        yield made


class Desk:
    """One home and the processes that play it."""

    def __init__(self, processes: ForkServerContext, prepared: Path, peer: killed.DeadlyPeer, folder: Path) -> None:
        self.processes, self.peer, self.home = processes, peer, folder / "home"
        shutil.copytree(prepared, self.home)
        peer.reset(1, cash=killed.CASH)
        peer.book.trades_at_once, peer.book.refuse_duplicates = True, False

    def play(self, at: float, fault: str | None = None) -> int:
        """Play in a process of its own; its exit status."""
        process = self.processes.Process(target=killed.play, args=(str(self.home), self.peer.base_url, at, fault))
        self.peer.victim = lambda: process.pid
        process.start()
        process.join(60)
        assert process.exitcode is not None
        return process.exitcode


@pytest.fixture(scope="module")
def undisturbed(
    processes: ForkServerContext, prepared: Path, peer: killed.DeadlyPeer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    desk = Desk(processes, prepared, peer, tmp_path_factory.mktemp("undisturbed"))
    assert desk.play(0.0) == 0
    return killed.result(desk.home)


def test_the_undisturbed_desk_holds_three_protected_positions(undisturbed: dict[str, Any]) -> None:
    assert {name: held for name, (held, _) in undisturbed["held"].items()} == dict.fromkeys(killed.SYMBOLS, 30)
    assert [(leg, state, filled) for _, leg, state, filled in undisturbed["orders"]] == [
        *[("entry", "filled", 30)] * 3, *[("stop", "new", 0)] * 3,
    ]  # fmt: skip
    assert (len(undisturbed["fills"]), undisturbed["unsaid"], undisturbed["findings"]) == (6, [], [])
    assert undisturbed["cash"] == killed.CASH - 30 * (Decimal("127.50") + Decimal("15.20") + Decimal("16.01"))


@pytest.mark.slow
@pytest.mark.parametrize("moment", [*MOMENTS, *BY_THE_VENUE])
def test_a_killed_desk_ends_with_the_books_of_one_that_was_not(
    processes: ForkServerContext, prepared: Path, peer: killed.DeadlyPeer, undisturbed: dict[str, Any],
    tmp_path: Path, moment: str,
) -> None:  # fmt: skip
    desk = Desk(processes, prepared, peer, tmp_path)
    named = moment not in BY_THE_VENUE
    if not named:
        method, path, nth, done = BY_THE_VENUE[moment]
        peer.arm(method, path, nth, done=done)
    assert desk.play(0.0, moment if named else None) == -signal.SIGKILL
    assert desk.play(DOUBT_S + 1) == 0
    assert +peer.book.again == {}
    assert killed.result(desk.home) == undisturbed
    assert {name: count for name, count in peer.book.positions.items() if count} == dict.fromkeys(killed.SYMBOLS, 30)
    assert peer.book.cash == undisturbed["cash"]
