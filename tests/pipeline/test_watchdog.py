"""The watchdog: carries out, minds the others by a dead-man timer, works blind, and is missed when it dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import col, select

from memory.tables import HaltRow, HeartbeatRow
from pipeline import doctor, halt
from pipeline.desk_view import health_view
from pipeline.engine import NO_WATCHDOG, Engine
from pipeline.heartbeats import beat, resident
from pipeline.home import DeskFile
from pipeline.processes import lives
from pipeline.store import Store, now
from pipeline.watchdog import Watchdog, cancel_at_broker
from tests.pipeline import life
from tests.pipeline.halting import PoorBroker, order_of, own, venue, working
from tests.pipeline.life import BOB
from tools.execution.types import OrderRequest


class Clock:
    """Monotonic seconds that only a test moves."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(store: Store, clock: Clock) -> Watchdog:
    return Watchdog(store.settings, clock=clock)


def halts(store: Store) -> list[HaltRow]:
    with store.db.read() as session:
        return list(session.exec(select(HaltRow).order_by(col(HaltRow.engaged_wall))))


def silence(watchdog: Watchdog, clock: Clock, seconds: float) -> None:
    """Let this much time pass in which nobody beats."""
    watchdog.step()
    clock.at += seconds
    watchdog.step()


def test_a_halt_is_carried_out_at_the_next_poll(store: Store, watchdog: Watchdog) -> None:
    order = working(store, 0)
    watchdog.step()
    halt.engage(store, action="cancel", reason="drill", principal=BOB)
    watchdog.step()
    assert order_of(store, order).state == "cancelled"
    assert halts(store)[0].carried_out


@pytest.mark.parametrize(
    ("text", "action", "state"),
    [("", "cancel", "cancelled"), ("fire!\n", "cancel", "cancelled"), ("flatten: fire\n", "flatten", "cancelled"),
     ("no-new: smoke\n", "no_new", "new")],
)  # fmt: skip
def test_the_halt_file_is_taken_in_once_and_takes_back_what_adds_risk(
    store: Store, watchdog: Watchdog, text: str, action: str, state: str
) -> None:
    order = working(store, 0)
    store.home.halt_file.write_text(text)
    watchdog.step()
    watchdog.step()
    (row,) = halts(store)
    assert (row.source, row.scope, row.action) == ("file", "firm", action)
    assert order_of(store, order).state == state


@pytest.mark.parametrize("component", ["engine", "api"])
def test_silence_beyond_the_dead_man_time_takes_orders_back_and_leaves_positions(
    store: Store, watchdog: Watchdog, clock: Clock, component: str
) -> None:
    own(store, {"MSFT": 40})
    order = working(store, 0)
    beat(store, component, "ok", "closed a session")
    silence(watchdog, clock, 59)
    assert halts(store) == []
    silence(watchdog, clock, 2)
    (row,) = halts(store)
    assert (row.source, row.action, row.scope, row.ends_index) == ("watchdog", "cancel", "firm", None)
    watchdog.step()
    assert order_of(store, order).state == "cancelled"
    assert venue(store).positions() == {"MSFT": 40}
    assert life.findings(store) == ["dead_man"]


def test_a_silence_halts_once_and_a_new_one_again(store: Store, watchdog: Watchdog, clock: Clock) -> None:
    life.hold(store)
    for expected in (1, 2):
        beat(store, "engine", "ok", "lives")
        for _ in range(3):
            silence(watchdog, clock, 70)
            life.tamper(store, "UPDATE halts SET released_wall = engaged_wall")
        assert len(halts(store)) == expected


def test_beats_that_go_on_are_no_silence_however_much_the_wall_clock_jumps(
    store: Store, watchdog: Watchdog, clock: Clock
) -> None:
    life.hold(store)
    for _ in range(5):
        beat(store, "engine", "ok", "lives")
        life.tamper(store, f"UPDATE heartbeats SET at_wall = '{2000 + int(clock.at) % 50}-01-01T00:00:00.000000Z'")
        silence(watchdog, clock, 30)
        clock.at += 1
    assert halts(store) == []


@pytest.mark.parametrize(("held", "state"), [(False, "ok"), (True, "off")])
def test_with_nothing_at_risk_or_a_clean_stop_silence_is_no_alarm(
    store: Store, watchdog: Watchdog, clock: Clock, held: bool, state: str
) -> None:
    if held:
        life.hold(store)
    beat(store, "engine", state, "stopped")
    silence(watchdog, clock, 500)
    assert halts(store) == []


@pytest.mark.parametrize("how", ["corrupt", "missing", "locked"])
def test_with_the_store_unusable_it_works_blind_at_the_broker_after_the_dead_man_time(
    store: Store, watchdog: Watchdog, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    order = order_of(store, working(store, 0))
    watchdog.step()
    monkeypatch.setattr("pipeline.watchdog.STORE_TIMEOUT_S", 0.05)
    watchdog._store = None
    holder = None
    if how == "locked":
        import sqlite3

        holder = sqlite3.connect(store.home.database_file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
    else:
        store.db.dispose()
        for part in store.home.path.glob("quarterdeck.sqlite*"):
            part.unlink() if how == "missing" else part.write_bytes(b"no database" * 2000)
    clock.at += 5
    watchdog.step()
    assert not store.home.halt_file.exists()
    silence(watchdog, clock, 70)
    if holder is not None:
        holder.execute("ROLLBACK")
        holder.close()
    assert store.home.halt_file.read_text().startswith("cancel:")
    found = venue_by_file(store, order.client_order_id)
    assert found == "cancelled"
    assert halt.stands(store)
    assert halt.holds_clock(store)


def venue_by_file(store: Store, name: str) -> str:
    """State of an order as the venue's own file has it."""
    import json
    import sqlite3

    connection = sqlite3.connect(store.home.broker)
    (report,) = connection.execute("SELECT report FROM orders WHERE client_order_id = ?", (name,)).fetchone()
    connection.close()
    return str(json.loads(report)["state"])


@pytest.mark.parametrize(("side", "held", "taken"), [("buy", 10, True), ("sell", 10, False), ("sell", -10, True),
                                                     ("buy", -10, False), ("buy", 0, True)])  # fmt: skip
def test_blind_it_takes_back_only_what_adds_to_the_broker_s_own_position(side: str, held: int, taken: bool) -> None:
    broker = PoorBroker({"IBM": held})
    broker.submit(
        OrderRequest(
            client_order_id="o1", symbol="IBM", side=side, quantity=5, order_type="market", time_in_force="gtc"
        )
    )  # fmt: skip
    assert cancel_at_broker(broker) == (("o1",) if taken else ())


def test_it_beats_and_health_shows_it(store: Store, watchdog: Watchdog) -> None:
    watchdog.step()
    with store.db.read() as session:
        assert resident(session, "watchdog")
    (shown,) = [c for c in health_view(store).components if c.component == "watchdog"]
    assert (shown.state, shown.pid) == ("ok", os.getpid())


def test_without_it_health_is_degraded_and_the_engine_opens_no_new_risk(store: Store, watchdog: Watchdog) -> None:
    played = SimpleNamespace(time=SimpleNamespace(venue=object()))
    engine = Engine(store, None, played)  # type: ignore[arg-type]
    watchdog.step()
    assert engine._guarded()
    assert store.reduce_only == []
    life.tamper(store, "UPDATE heartbeats SET at_wall = '2020-01-01T00:00:00.000000Z'")
    assert not engine._guarded()
    assert store.reduce_only == [NO_WATCHDOG]
    assert not engine._due()
    assert health_view(store).status == "degraded"
    question = life.ask(store)
    life.say(store, question)
    assert life.submit(store, question).value == "voided"
    life.tamper(store, "DELETE FROM heartbeats")
    watchdog = Watchdog(store.settings)
    watchdog.step()
    assert engine._guarded()
    assert store.reduce_only == []


def test_the_doctor_misses_it_only_while_a_desk_is_served(store: Store, watchdog: Watchdog) -> None:
    assert doctor._watchdog(store).state == "off"
    store.home.desk_file.write_text(DeskFile(url="http://127.0.0.1:9", pid=os.getpid()).model_dump_json())
    assert doctor._watchdog(store).state == "unsafe"
    watchdog.step()
    assert doctor._watchdog(store).state == "ok"


def test_a_zombie_does_not_live() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        deadline = time.monotonic() + 20
        while lives(child.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not lives(child.pid)
    finally:
        child.wait()
    assert lives(os.getpid())


def test_a_heartbeat_of_a_process_that_is_gone_is_down_in_health(store: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with store.db.write() as session:
        session.add(HeartbeatRow(component="engine", pid=child.pid, state="ok", detail="x", at_wall=now()))
    (shown,) = [c for c in health_view(store).components if c.component == "engine"]
    assert shown.state == "down"


def test_an_old_beat_is_not_a_resident(store: Store) -> None:
    with store.db.write() as session:
        old = now() - timedelta(minutes=1)
        session.add(HeartbeatRow(component="watchdog", pid=os.getpid(), state="ok", detail="x", at_wall=old))
    with store.db.read() as session:
        assert not resident(session, "watchdog")


def test_with_a_watchdog_that_lives_no_halt_program_is_started(
    store: Store, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr("pipeline.halt.subprocess.Popen", lambda *a, **k: started.append(a))
    halt.launch(store)
    assert len(started) == 1
    watchdog.step()
    halt.launch(store)
    assert len(started) == 1


def test_the_watchdog_imports_no_model_graph_vector_store_or_web() -> None:
    script = (
        "import sys, pipeline.watchdog; print([m for m in ('langgraph', 'langchain_core', 'chromadb', 'openai', "
        "'fastapi', 'starlette', 'uvicorn', 'pandas', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
