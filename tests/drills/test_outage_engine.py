"""The engine is down: the venue goes on with our stops, nothing is sent late, and the books agree afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.faults import VARIABLE
from pipeline.store import Store
from tests.drills.desk import Drill, at_work, body_of
from tests.pipeline import life
from tools.canonical import instant_text

ROOT = Path(__file__).resolve().parents[2]
MISSED = 3


async def test_sessions_without_the_engine_are_caught_up_with_nothing_increased(drill: Drill) -> None:
    last = drill.index
    assert drill.protected()
    opens = drill.venue_goes_on(MISSED)
    assert drill.player.behind()
    await drill.play(MISSED)
    assert not drill.player.behind()
    assert drill.bought(last) == []
    missed = drill.findings("session_missed")
    assert [item.as_of for item in sorted(missed, key=lambda row: row.as_of)] == [tick.as_of for tick in opens]
    assert drill.protected()
    drill.books_agree()


async def test_what_was_approved_for_an_open_that_is_over_is_voided_with_the_reason(drill: Drill) -> None:
    approved = [body_of(row) for row in drill.recorded("case.approved")]
    assert approved
    drill.venue_goes_on(1)
    await drill.play(1, "none")
    voided = [body_of(row)["reason"] for row in drill.recorded("case.voided")]
    assert "the desk was down at the open it was approved for" in voided


async def test_fills_of_the_outage_are_booked_in_their_own_sessions(drill: Drill) -> None:
    drill.exit_policy(trail_atr=None, breakeven_atr=None)
    drill.venue_goes_on(MISSED)
    await drill.play(MISSED, "none")
    for row in drill.recorded("fill.booked"):
        assert body_of(row)["fill"]["at"] == instant_text(row.desk_time)
    drill.books_agree()


async def test_the_first_open_after_it_lets_go_what_the_policy_names(drill: Drill) -> None:
    drill.exits_need_a_person("desk_half_dead")
    drill.time_is_up()
    drill.venue_goes_on(MISSED)
    await drill.play(MISSED, "none")
    held = drill.held()
    assert held
    await drill.play(1, "none")
    gone = drill.unattended()
    assert gone
    assert {case.occasion for case in gone} == {"desk_half_dead"}
    assert {body_of(row)["sessions"] for row in drill.recorded("exit.unattended")} == {MISSED}
    assert all(case.order.quantity <= held[case.symbol] for case in gone)
    assert drill.protected()
    drill.books_agree()


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["before_submit_commit:1", "after_broker_submit:1", "after_match:1", "after_stop_cancel:2"]
)
async def test_killed_in_the_middle_of_a_session_while_the_venue_goes_on_the_desk_recovers(
    home: Store, fault: str
) -> None:
    home.db.dispose()
    killed = subprocess.run(
        [sys.executable, "-m", "api._launch", "--home", str(home.home.path), "run", "--continue", "--sessions", "1"],
        cwd=ROOT, env={**os.environ, VARIABLE: fault}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = life.new_store(home.home.path)
    async with at_work(store) as drill:
        begun = drill.index
        await _finish(drill)
        drill.venue_goes_on(1)
        await drill.play(1, "none")
        assert drill.bought(begun) == []
        assert drill.protected()
        drill.books_agree()
    store.db.dispose()


async def _finish(drill: Drill) -> None:
    """What a restarted engine does first: finish the session that was interrupted."""
    if drill.desk.run().stage != "closed":
        await drill.player.play()
    assert drill.protected()


@pytest.mark.slow
async def test_killed_before_it_spoke_to_the_broker_an_entry_is_not_sent_to_a_later_open(home: Store) -> None:
    home.db.dispose()
    killed = subprocess.run(
        [sys.executable, "-m", "api._launch", "--home", str(home.home.path), "run", "--continue", "--sessions", "1"],
        cwd=ROOT, env={**os.environ, VARIABLE: "before_broker_submit:1"}, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = life.new_store(home.home.path)
    async with at_work(store) as drill:
        interrupted = drill.index
        broker, market = drill.desk.venue, drill.desk.market
        opens, closes = drill.desk.tick(interrupted, "open"), drill.desk.tick(interrupted, "close")
        bars = market.bars(closes.session, closes.as_of)
        broker.match_open(opens, market.opens(opens), {name: float(bar.volume) for name, bar in bars.items()})
        broker.match_close(closes, bars)
        await _finish(drill)
        assert drill.bought(interrupted - 1) == []
        assert drill.findings("too_late")
        drill.books_agree()
    store.db.dispose()
