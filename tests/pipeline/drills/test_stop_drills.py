"""The other ways to stop: each fires, and one that is broken does not."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import automatic_halts, halt, signer, submission, watchdog
from pipeline.drills.report import Line
from pipeline.drills.run import OTHERS
from pipeline.drills.stage import Stage, on_copy


async def drill(stage: Stage, name: str) -> Line:
    made, seen = OTHERS[name]
    async with on_copy(stage, name) as scene:
        return Line.of(name, await made(scene), seen)


@pytest.mark.parametrize("name", OTHERS)
async def test_the_desk_stops_and_stops_nothing_before(stage: Stage, name: str) -> None:
    line = await drill(stage, name)
    assert line.fired, line.detail


def _none(*_args: Any, **_kwargs: Any) -> None:
    return None


def _nothing(*_args: Any, **_kwargs: Any) -> tuple[()]:
    return ()


def _no(*_args: Any, **_kwargs: Any) -> bool:
    return False


BREAKS = {
    "the file is not looked at": ("stop:halt_file", halt, "_by_file", _no, "the file alone did not halt"),
    "nobody minds a silence": ("stop:dead_man:api", watchdog, "dead_man", _none, "for the silence of the api"),
    "no control is beyond its limit": ("stop:control:daily_loss", automatic_halts, "alarms", _nothing, "none"),
    "findings may always halt": ("stop:control:finding", automatic_halts, "_why_not", _none, "without evidence"),
    "nothing is held against the grant": ("tamper:price_band", submission, "tampered", _none, "an order was written"),
    "any approval is signed": ("tamper:unsigned_grant", signer, "approval_body", _nothing, "without a signature"),
}


@pytest.mark.parametrize("what", BREAKS)
async def test_a_way_to_stop_that_is_broken_does_not_fire(
    stage: Stage, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, module, function, instead, told = BREAKS[what]
    monkeypatch.setattr(module, function, instead)
    line = await drill(stage, name)
    assert not line.fired
    assert told in line.detail
