"""The model is down: no opinion increases nothing, exits and stops do not wait for it, and the outage costs little."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from agents.breaker import Breaker
from memory.tables import CaseRow, RecordingRow
from pipeline.decision_replay import replay_decision
from pipeline.desk_view import health_view
from tests.drills.desk import Drill, at_work, body_of
from tests.pipeline import life


@pytest.fixture
async def modelless(played_home: Path, tmp_path: Path, openai_peer: Callable[..., Any]) -> AsyncIterator[Drill]:
    """The desk with a model endpoint that is dead."""
    shutil.copytree(played_home, tmp_path / "home")
    peer = openai_peer("dead")
    store = life.new_store(
        tmp_path / "home", model_base_url=peer.base_url, model_api_key="key", model_id="peer", model_timeout_s=2
    )
    async with at_work(store) as opened:
        yield opened
    store.db.dispose()


async def test_nothing_is_bought_and_exits_that_need_nobody_go_out(modelless: Drill) -> None:
    drill = modelless
    await drill.play(1)
    begun = drill.index
    drill.time_is_up()
    held = drill.held()
    await drill.play(3)
    assert drill.bought(begun) == []
    assert drill.held() == {}
    assert held
    drill.books_agree()
    with drill.store.db.read() as session:
        states = session.exec(
            select(CaseRow.state, CaseRow.reason).where(
                CaseRow.kind == "order.entry", col(CaseRow.opened_index) >= begun
            )
        ).all()
    assert set(states) == {("blocked", "no_opinion")}


async def test_an_exit_that_needs_a_person_goes_at_the_next_open_because_half_the_desk_is_dead(
    modelless: Drill,
) -> None:
    drill = modelless
    await drill.settle_down()
    drill.exits_need_a_person("desk_half_dead")
    drill.time_is_up()
    held = drill.held()
    await drill.play(4, "none")
    gone = drill.unattended()
    assert {case.occasion for case in gone} == {"desk_half_dead"}
    assert all(case.order.quantity <= held[case.symbol] for case in gone)
    assert {body_of(row)["cause"] for row in drill.recorded("exit.unattended")} <= {"time_stop", "exit_signal"}
    assert drill.protected()
    drill.books_agree()


async def test_stops_go_on_tightening_without_a_model(modelless: Drill) -> None:
    drill = modelless
    await drill.play(4, "none")
    moves = drill.moved_stops()
    assert moves
    assert all(new >= old for old, new in moves)
    assert drill.protected()


class Clock:
    """A monotonic clock that stands until it is moved."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


async def test_a_dead_primary_costs_one_call_and_one_finding_until_a_probe_finds_it_alive(
    played_home: Path, tmp_path: Path, openai_peer: Callable[..., Any]
) -> None:
    shutil.copytree(played_home, tmp_path / "home")
    primary, spare, clock = openai_peer("error"), openai_peer(), Clock()
    store = life.new_store(
        tmp_path / "home", model_base_url=primary.base_url, model_id="first", model_concurrency=1,
        model_fallback_1=f"{spare.base_url} spare",
    )  # fmt: skip
    store.breakers[(primary.base_url, "first")] = Breaker(1, 60.0, clock)
    async with at_work(store) as drill:
        await drill.play(3)
        assert primary.calls == 1
        assert spare.calls > 1
        assert [row.body.message for row in drill.findings("model_fallback")] == [
            "The model first gave no answer (model unreachable); spare was asked instead."
        ]
        assert drill.findings("abstentions") == []
        assert ("model", "down") in {(item.component, item.state) for item in health_view(store).components}
        found = await asyncio.to_thread(replay_decision, store, drill.desk.cycle_id(drill.index))
        assert found.identical
        primary.mode, clock.at, before = "ok", 61.0, spare.calls
        await drill.play(4)
        assert primary.calls > 1
        assert spare.calls == before
        drill.books_agree()
    store.db.dispose()


async def test_unplugged_in_mid_cycle_a_model_leaves_abstentions_and_one_finding(
    played_home: Path, tmp_path: Path, openai_peer: Callable[..., Any]
) -> None:
    shutil.copytree(played_home, tmp_path / "home")
    peer = openai_peer("error", script=["ok"])
    store = life.new_store(tmp_path / "home", model_base_url=peer.base_url, model_id="only", model_breaker_failures=1)
    async with at_work(store) as drill:
        begun, law, held = drill.index, drill.desk.law, set(drill.held())
        await drill.play(5, "none")
        assert drill.desk.law == law
        assert set(drill.held()) <= held | set(drill.bought(begun - 1))
        assert peer.calls == 2
        with store.db.read() as session:
            rows = session.exec(select(RecordingRow).where(RecordingRow.kind == "model")).all()
            entries = session.exec(
                select(CaseRow).where(CaseRow.kind == "order.entry", CaseRow.opened_index > begun)
            ).all()
        assert any(row.meta.get("quarterdeck.breaker") == "open" for row in rows)
        silent = [case for case in entries if case.review["verdict"] == "abstain"]
        assert {(case.state, case.reason) for case in silent} == {("blocked", "no_opinion")}
        assert {case.review["abstain_reason"] for case in entries} == {None, "model_unreachable"}
        assert len(drill.findings("abstentions")) == 1
        assert drill.findings("model_fallback") == []
        said = next(item for item in health_view(store).components if item.component == "model")
        assert said.detail == "only failed too often in a row and is left alone for a while"
        found = await asyncio.to_thread(replay_decision, store, drill.desk.cycle_id(drill.index))
        assert found.identical
        drill.books_agree()
    store.db.dispose()
