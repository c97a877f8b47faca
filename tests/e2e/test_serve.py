"""A served desk: its clock holds for people, its engine may die, its answers are one whoever asks."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.e2e.desk import ROOT, Desk, Homes, free_port, held, quarterdeck, rows, serving, stopped, until

pytestmark = pytest.mark.slow
FIRST = 60
RACES = 20


@pytest.fixture(scope="module")
def desk(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for the tests of this module, on a home whose run has five questions open."""
    with serving(homes.copy("waiting", tmp_path_factory.mktemp("serve") / "home")) as served:
        yield served


def test_serve_goes_on_with_the_run_of_the_home_and_holds_the_clock_while_anything_waits(desk: Desk) -> None:
    started = rows(desk.home, "SELECT id FROM runs")
    before = desk.view()
    assert [(before["run"],)] == started
    assert (before["session_index"], before["waiting"], before["holding"]) == (FIRST, 5, True)
    time.sleep(3)
    after = desk.view()
    assert (after["session_index"], after["waiting"]) == (FIRST, 5)
    assert after["ledger"] == before["ledger"]


def test_next_by_api_and_by_command_line_each_play_one_session_and_expire_what_nobody_answered(desk: Desk) -> None:
    asked = {item["id"] for item in desk.pending()}
    index = desk.view()["session_index"]
    assert desk.next()["session_index"] == index + 1
    said = quarterdeck(desk.home, "--json", "next")
    assert said.status == 0, said.err
    assert said.json()["status"] == "done"
    assert desk.view()["session_index"] == index + 2
    states = dict(rows(desk.home, "SELECT id, status FROM approvals"))
    assert {states[item] for item in asked} == {"expired"}
    assert held(desk.home) == {}
    assert rows(desk.home, "SELECT count(*) FROM orders") == [(0,)]


def test_commands_reach_the_desk_through_its_api_although_it_holds_the_lock(desk: Desk) -> None:
    listed = quarterdeck(desk.home, "--json", "approvals", "list")
    assert listed.status == 0, listed.err
    first = listed.json()["items"][0]
    rejected = quarterdeck(
        desk.home, "--json", "approvals", "reject", first["id"], "--reason", "by hand", "--digest", first["digest"]
    )
    assert rejected.status == 0, rejected.err
    assert rejected.json()["status"] == "rejected"
    again = quarterdeck(desk.home, "approvals", "approve", first["id"], "--reason", "after all")
    assert again.status == 2
    assert again.err.startswith("quarterdeck: decided before: local operator said reject")
    asked = quarterdeck(desk.home, "--json", "ask", "what is waiting?")
    assert asked.status == 0, asked.err
    assert asked.json()["answer"]
    assert first["id"] not in {item["id"] for item in desk.pending()}


def test_the_token_and_the_keys_are_readable_by_the_owner_only(desk: Desk) -> None:
    for file in (desk.home / "token", *(desk.home / "keys").iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_second_desk_on_the_home_is_refused_and_leaves_the_first_alone(desk: Desk) -> None:
    second = quarterdeck(desk.home, "serve", "--port", str(free_port()), timeout=60)
    assert second.status == 2
    assert second.err.strip().endswith("[home_locked]")
    assert second.err.count("\n") == 1
    assert (desk.home / "desk.json").exists()
    assert desk.view()["waiting"] > 0


class Decider:
    """A person at another machine's speed: one process with its own connection."""

    def __init__(self, desk: Desk) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.decider", desk.url, desk.token], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def deciders(desk: Desk) -> Iterator[tuple[Decider, Decider]]:
    pair = (Decider(desk), Decider(desk))
    assert [one.hear() for one in pair] == ["ready", "ready"]
    yield pair
    for one in pair:
        one.end()


def test_of_two_deciders_at_once_exactly_one_wins(desk: Desk, deciders: tuple[Decider, Decider]) -> None:
    raced: list[str] = []
    winners: Counter[str] = Counter()
    while len(raced) < RACES:
        for item in desk.holds():
            at = time.time() + 0.05
            for one, decision in zip(deciders, ("approve", "reject"), strict=True):
                one.tell(f"{item['id']} {decision} {item['digest']} {at}")
            answers = [one.hear() for one in deciders]
            assert sorted(answers) == ["200", "409"], item["id"]
            winners["approve" if answers[0] == "200" else "reject"] += 1
            raced.append(item["id"])
    marks = ",".join("?" * len(raced))
    said = rows(desk.home, f"SELECT approval_id, decision FROM decisions WHERE approval_id IN ({marks})", *raced)
    assert Counter(approval for approval, _ in said) == Counter(raced)
    assert Counter(decision for _, decision in said) == winners
    ordered = rows(desk.home, "SELECT case_id, count(*) FROM orders WHERE leg='entry' GROUP BY case_id")
    approved = {case for (case,) in rows(desk.home, "SELECT case_id FROM decisions WHERE decision='approve'")}
    assert {case for case, _ in ordered} <= approved
    assert all(count == 1 for _, count in ordered)
    assert desk.get("/ledger/verify")["verified"]


def test_a_decision_taken_while_the_engine_stands_still_is_filled_once_when_it_goes_on(desk: Desk) -> None:
    asked = desk.holds()
    with stopped(desk.engine):
        for item in asked:
            began = time.monotonic()
            assert desk.decide(item, "approve").status_code == 200
            assert time.monotonic() - began < 3
        cases = [item["case_id"] for item in asked]
        marks = ",".join("?" * len(cases))
        states = f"SELECT DISTINCT state FROM cases WHERE id IN ({marks})"
        assert rows(desk.home, states, *cases) == [("approved",)]
    until(lambda: ("approved",) not in rows(desk.home, states, *cases), "the engine took the decisions")
    desk.holds()
    orders = rows(
        desk.home, "SELECT o.case_id, o.quantity, sum(f.quantity) FROM orders o JOIN fills f USING (client_order_id) "
        f"WHERE o.leg='entry' AND o.case_id IN ({marks}) GROUP BY o.client_order_id", *cases,
    )  # fmt: skip
    assert orders
    assert len({case for case, _, _ in orders}) == len(orders)
    assert all(filled == quantity for _, quantity, filled in orders)


def test_an_engine_that_is_killed_is_started_again_and_goes_on(desk: Desk) -> None:
    asked = {item["id"] for item in desk.holds()}
    before = desk.view()
    engine = desk.engine
    engine.kill()
    gone = f"The engine ended with status {-signal.SIGKILL}"
    until(lambda: gone in desk.said(), "the supervisor says so", timeout_s=10)

    def back() -> dict[str, Any] | None:
        found = desk.component("engine")
        return found if found["pid"] != engine.pid and found["state"] == "ok" else None

    until(back, "another engine lives")
    assert {item["id"] for item in desk.pending()} == asked
    after = desk.next()
    assert after["session_index"] == before["session_index"] + 1
    assert after["run"] == before["run"]
    assert desk.get("/ledger/verify")["verified"]


def test_with_speed_it_plays_on_without_people_and_ctrl_c_leaves_nothing_behind(
    homes: Homes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = homes.copy("waiting", tmp_path_factory.mktemp("speed") / "home")
    with serving(home, "--speed", "1") as desk:
        view = desk.view()
        assert (view["speed"], view["holding"]) == (1.0, False)
        until(lambda: desk.view()["session_index"] >= FIRST + 3, "three sessions went by", timeout_s=30)
        assert rows(home, "SELECT count(*) FROM approvals WHERE status='expired'") >= [(10,)]
        assert held(home) == {}
        family = desk.children()
        assert len(family) >= 2
        assert desk.stop() == 0
        assert "Stopped." in desk.said()
        _gone, alive = psutil.wait_procs(family, timeout=3)
        assert alive == []
        assert not (home / "desk.json").exists()
    stopped_at = rows(home, "SELECT session_index, stage FROM runs")
    assert stopped_at[0][1] == "closed"
    again = quarterdeck(home, "--json", "ledger", "verify")
    assert again.status == 0, again.err
