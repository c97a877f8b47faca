"""The model is down: no opinion increases nothing, exits and stops do not wait for it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from memory.tables import CaseRow
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
