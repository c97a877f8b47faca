"""Every scope with every action fires; a halt that does too little, too much or the wrong thing does not."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import flatten, halt, halt_program, halt_release, halt_scope
from pipeline.drills.halt_drills import CELLS, Usual, drill_cell
from pipeline.drills.report import Line
from pipeline.drills.stage import IN_FLIGHT, MIX, Stage
from pipeline.halt_scope import ACTIONS, SCOPES


async def drill(stage: Stage, usual: Usual, name: str) -> Line:
    return await drill_cell(stage, usual, *CELLS[name])


def test_there_is_one_cell_for_every_scope_and_action() -> None:
    assert list(CELLS) == [f"halt:{scope}:{action}" for scope in SCOPES for action in ACTIONS]
    assert len(CELLS) == 20


def test_the_stage_holds_everything_in_flight_of_both_strategies_and_reasoners(stage: Stage) -> None:
    for kind in IN_FLIGHT:
        assert tuple((part.strategy, part.reasoner) for part in stage.of(kind)) == MIX
    for held in (stage.of("held"), stage.of("leaving")):
        assert {(part.strategy, part.reasoner) for part in held} >= set(MIX)
    assert len({part.symbol for part in stage.parts}) == len(stage.parts)


@pytest.mark.parametrize("name", CELLS)
async def test_a_cell_stops_what_it_names_and_nothing_else(stage: Stage, usual: Usual, name: str) -> None:
    line = await drill(stage, usual, name)
    assert line.fired, line.detail
    assert not stage.home.with_name(name.replace(":", "-")).exists()


def _nothing(*_args: Any, **_kwargs: Any) -> tuple[()]:
    return ()


def _no(*_args: Any, **_kwargs: Any) -> bool:
    return False


def _yes(*_args: Any, **_kwargs: Any) -> bool:
    return True


def _done(*_args: Any, **_kwargs: Any) -> flatten.Progress:
    return flatten.Progress(0, ())


_FREE = flatten._free


def _half(*args: Any) -> int:
    return _FREE(*args) // 2


BREAKS = {
    "orders are not cancelled": ("halt:strategy:cancel", halt_program, "cancel_increases", _nothing, "left the venue"),
    "approvals are taken": ("halt:symbol:no_new", halt, "blocks_increase", _no, "approvals refused"),
    "questions stay": ("halt:firm:reduce_only", halt, "void_waiting", _nothing, "questions and approvals voided"),
    "positions stay": ("halt:agent:flatten", flatten, "go_on", _done, "closing orders"),
    "positions are closed by half": ("halt:firm:flatten", flatten, "_free", _half, "closing orders"),
    "a narrow halt stops the firm": ("halt:order:cancel", halt_scope, "concerns", _yes, "left the venue"),
    "a narrow flatten closes the firm": ("halt:strategy:flatten", flatten, "closes", _yes, "left the venue"),
    "a release lets nothing go": ("halt:firm:no_new", halt_release, "void_waiting", _nothing, "voided by the release"),
}


@pytest.mark.parametrize("what", BREAKS)
async def test_a_halt_that_is_broken_does_not_fire(
    stage: Stage, usual: Usual, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, module, function, instead, told = BREAKS[what]
    monkeypatch.setattr(module, function, instead)
    line = await drill(stage, usual, name)
    assert not line.fired
    assert told in line.detail
