"""A halt holds whatever the desk is doing: playing, standing still, dead, not there, or without a readable store."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline import halt
from pipeline.settings import load_settings
from pipeline.store import open_store
from tests.e2e.desk import Desk, Homes, bought, held, quarterdeck, rows, serving, stopped, until

pytestmark = pytest.mark.slow
PROMPT_S = 3.0
WHY = ("--reason", "a test halts")


@pytest.fixture(scope="module")
def desk(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk with positions and with questions open."""
    with serving(homes.copy("holding", tmp_path_factory.mktemp("halt") / "home")) as served:
        yield served


@pytest.fixture(autouse=True)
def nothing_halted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the shared desk free of halts."""
    yield
    if "desk" in request.fixturenames:
        served: Desk = request.getfixturevalue("desk")
        if served.process.poll() is None and served.view()["halts"]:
            served.post("/halts/release", {"reason": "the test is over"})


@pytest.fixture
def home(homes: Homes, tmp_path: Path) -> Path:
    """A home with positions and questions that nobody serves."""
    return homes.copy("holding", tmp_path / "home")


def entries(home: Path) -> int:
    return int(rows(home, "SELECT count(*) FROM orders WHERE leg='entry'")[0][0])


def carried_out(home: Path) -> bool:
    found = rows(home, "SELECT min(carried_out) FROM halts WHERE released_wall IS NULL")
    return found == [(1,)]


def closing(home: Path) -> bool:
    """A closing order for every position is on its way."""
    written = dict(rows(home, "SELECT symbol, quantity FROM orders WHERE leg='flatten' AND state IN ('new', 'filled')"))
    return written.keys() >= held(home).keys()


def state_of(home: Path, case_id: str) -> str:
    return str(rows(home, "SELECT state FROM cases WHERE id=?", case_id)[0][0])


def engage(desk: Desk, action: str) -> dict[str, Any]:
    """Halt over HTTP; fails when the answer is slow."""
    began = time.monotonic()
    answer = desk.post("/halts", {"action": action, "reason": "a test halts", "scope": "firm", "target": None})
    assert answer.status_code == 201, answer.text
    assert time.monotonic() - began < PROMPT_S
    found: dict[str, Any] = answer.json()
    return found


def refused_approval(desk: Desk, item: dict[str, Any]) -> None:
    answer = desk.decide(item, "approve")
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "a halt is in force: nothing that increases risk is approved"


def test_release_voids_what_was_approved_and_what_was_pending_and_sends_nothing(desk: Desk) -> None:
    released, waiting, *_ = desk.holds()
    assert desk.decide(released, "approve").status_code == 200
    before = entries(desk.home)

    halted = quarterdeck(desk.home, "--json", "halt", "--action", "no-new", *WHY)
    assert halted.status == 0, halted.err
    assert halted.json()["path"] == "api"
    view = desk.view()
    assert view["stage"] == "halted"
    assert [item["id"] for item in view["halts"]] == [halted.json()["id"]]
    refused_approval(desk, waiting)
    assert state_of(desk.home, released["case_id"]) == "approved"

    resumed = quarterdeck(desk.home, "--json", "resume", "--reason", "all clear")
    assert resumed.status == 0, resumed.err
    assert {released["case_id"], waiting["case_id"]} <= set(resumed.json()["voided_cases"])
    assert state_of(desk.home, released["case_id"]) == state_of(desk.home, waiting["case_id"]) == "voided"
    desk.holds()
    desk.next()
    assert entries(desk.home) == before
    grants = rows(desk.home, "SELECT status FROM grants WHERE case_id=?", released["case_id"])
    assert grants == [("voided",)]


def test_the_halt_file_alone_halts_and_resume_takes_it_away(desk: Desk) -> None:
    item = desk.holds()[0]
    (desk.home / "HALT").write_text("stop\n")
    view = desk.view()
    assert (view["stage"], [h["source"] for h in view["halts"]]) == ("halted", ["file"])
    until(lambda: rows(desk.home, "SELECT action FROM halts WHERE source='file'") == [("cancel",)], "it was taken in")
    refused_approval(desk, item)
    for other in desk.pending():
        assert desk.decide(other, "reject").status_code == 200
    index = desk.view()["session_index"]
    time.sleep(2.5)
    assert desk.view()["session_index"] == index, "a halted desk does not play by itself"
    answer = desk.post("/halts/release", {"reason": "all clear"})
    assert answer.status_code == 200
    assert not (desk.home / "HALT").exists()
    assert desk.view()["halts"] == []


def test_with_the_engine_killed_a_halt_is_in_force_at_once_and_carried_out_without_it(desk: Desk) -> None:
    item = desk.holds()[0]
    supervisor = psutil.Process(desk.process.pid)
    with stopped(supervisor):
        engine = desk.engine
        engine.kill()
        until(lambda: engine.status() == psutil.STATUS_ZOMBIE, "the engine is dead", timeout_s=5)
        engage(desk, "cancel")
        refused_approval(desk, item)
        until(lambda: carried_out(desk.home), "the halt program did its work", timeout_s=20)
    until(lambda: desk.component("engine")["pid"] != engine.pid and desk.component("engine")["state"] == "ok",
          "another engine lives")  # fmt: skip
    assert desk.view()["stage"] == "halted"
    refused_approval(desk, item)


def test_with_the_engine_standing_still_flatten_is_written_without_it_and_sells_what_is_held_and_no_more(
    desk: Desk,
) -> None:
    desk.holds()
    holding = held(desk.home)
    assert holding
    item = desk.pending()[0]
    with stopped(desk.engine):
        halted = engage(desk, "flatten")
        assert desk.decide(item, "approve").status_code in (409, 410)
        until(lambda: closing(desk.home), "the watchdog did its work", timeout_s=20)
        assert desk.engine.status() == psutil.STATUS_STOPPED
        written = rows(desk.home, "SELECT symbol, quantity, side, json_extract(body,'$.reduce_only') "
                       "FROM orders WHERE leg='flatten' AND case_id LIKE ?", f"{halted['id']}%")  # fmt: skip
        assert sorted(written) == sorted((symbol, shares, "sell", 1) for symbol, shares in holding.items())
    before = entries(desk.home)
    desk.next()
    assert held(desk.home) == {}
    assert bought(desk.home) == {}
    assert entries(desk.home) == before
    sold = rows(desk.home, "SELECT symbol, sum(f.quantity) FROM fills f JOIN orders o USING (client_order_id, symbol) "
                "WHERE o.leg='flatten' GROUP BY symbol")  # fmt: skip
    assert all(shares <= holding[symbol] for symbol, shares in sold)
    desk.next()
    assert (held(desk.home), bought(desk.home)) == ({}, {})
    until(lambda: carried_out(desk.home), "the halt is carried out once nothing is left")
    assert desk.get("/ledger/verify")["verified"]


def test_a_watchdog_that_is_killed_is_missed_and_started_again(desk: Desk) -> None:
    before = psutil.Process(desk.component("watchdog")["pid"])
    with stopped(psutil.Process(desk.process.pid)):
        before.kill()
        until(lambda: desk.component("watchdog")["state"] == "down", "health shows it", timeout_s=20)
        assert desk.get("/health")["status"] == "degraded"
        engage(desk, "cancel")
        until(lambda: carried_out(desk.home), "the halt is carried out without it", timeout_s=20)
    until(lambda: desk.component("watchdog")["state"] == "ok", "another watchdog lives")
    assert desk.component("watchdog")["pid"] != before.pid


def test_an_engine_that_falls_silent_with_positions_open_is_halted_by_the_dead_man_timer(home: Path) -> None:
    limits = home / "config" / "limits.yaml"
    limits.write_text(limits.read_text().replace("dead_man_seconds: 60", "dead_man_seconds: 10"))
    put = quarterdeck(home, "activate", "limits", "--reason", "a short timer")
    assert put.status == 0, put.err
    with serving(home) as desk:
        desk.holds()
        assert held(home)
        with stopped(desk.engine):
            until(lambda: desk.view()["halts"] or None, "the watchdog halts", timeout_s=60)
            (stopping,) = desk.view()["halts"]
            assert (stopping["source"], stopping["action"], stopping["scope"]) == ("watchdog", "cancel", "firm")
        assert held(home), "positions are left alone"
        assert rows(home, "SELECT code FROM findings WHERE code='dead_man'") == [("dead_man",)]


def test_a_halted_desk_ends_on_sigterm_with_all_its_processes(desk: Desk) -> None:
    engage(desk, "no_new")
    family = desk.children()
    desk.process.send_signal(signal.SIGTERM)
    assert desk.process.wait(30) == 0
    _gone, alive = psutil.wait_procs(family, timeout=3)
    assert alive == []
    assert rows(desk.home, "SELECT count(*) FROM halts WHERE released_wall IS NULL") == [(1,)]


def test_with_nothing_running_a_halt_goes_straight_into_the_store_and_the_next_open_flattens(home: Path) -> None:
    holding = held(home)
    assert holding
    halted = quarterdeck(home, "--json", "halt", "--action", "flatten", *WHY)
    assert halted.status == 0, halted.err
    assert halted.json()["path"] == "store"
    until(lambda: closing(home), "the halt program did its work", timeout_s=20)
    before = entries(home)
    played = quarterdeck(home, "--json", "next")
    assert played.status == 0, played.err
    assert (held(home), bought(home)) == ({}, {})
    assert entries(home) == before
    verified = quarterdeck(home, "--json", "ledger", "verify")
    assert verified.status == 0, verified.out


def test_with_the_store_unreadable_everything_counts_as_halted_and_the_command_leaves_the_halt_file(home: Path) -> None:
    store = open_store(load_settings(home=home), create=False)
    assert not halt.stands(store)
    store.db.dispose()
    for part in home.glob("quarterdeck.sqlite*"):
        part.write_bytes(b"this is not a database " * 4096)
    assert halt.stands(store)
    store.db.dispose()
    halted = quarterdeck(home, "--json", "halt", "--action", "flatten", *WHY)
    assert halted.status == 0, halted.err
    told = halted.json()
    assert (told["path"], told["action"], told["scope"]) == ("file", "flatten", "firm")
    assert "Traceback" not in halted.err
    assert (home / "HALT").read_text() == "flatten: a test halts\n"


def test_with_the_store_locked_by_somebody_who_hangs_a_halt_still_ends_soon_and_stands(home: Path) -> None:
    hanging = sqlite3.connect(home / "quarterdeck.sqlite", isolation_level=None)
    hanging.execute("BEGIN IMMEDIATE")
    try:
        began = time.monotonic()
        halted = quarterdeck(home, "--json", "halt", "--action", "no-new", *WHY)
        took = time.monotonic() - began
        assert halted.status == 0, halted.err
        assert halted.json()["path"] == "file"
        assert (home / "HALT").exists()
        assert took < 20
    finally:
        hanging.execute("ROLLBACK")
        hanging.close()


def test_a_halt_without_a_reason_or_on_no_home_is_refused(home: Path, tmp_path: Path) -> None:
    for refused in (
        quarterdeck(home, "halt", "--action", "no-new", "--reason", "  "),
        quarterdeck(tmp_path / "nowhere", "halt", "--action", "no-new", *WHY),
    ):
        assert refused.status == 2
        assert refused.err.startswith("quarterdeck: ")
        assert refused.err.count("\n") == 1
    assert rows(home, "SELECT count(*) FROM halts") == [(0,)]
    assert not (tmp_path / "nowhere").exists()
