"""One played stage and one calm situation for every test of drills; what changes anything works on a copy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.drills.control_drills import calm_situation
from pipeline.drills.halt_drills import Usual, play_usual
from pipeline.drills.scratch import close, new_desk, scratch_market
from pipeline.drills.stage import Stage, set_stage
from tools.data.types import MarketData
from tools.risk.control import Situation
from tools.risk.limits import default_limits_text, load_limits


@pytest.fixture(scope="package")
def market() -> MarketData:
    return scratch_market()


@pytest.fixture(scope="package")
def calm(market: MarketData, tmp_path_factory: pytest.TempPathFactory) -> Situation:
    desk = new_desk(tmp_path_factory.mktemp("controls") / "home", market)
    found = calm_situation(desk, load_limits(default_limits_text()))
    close(desk)
    return found


@pytest.fixture(scope="package")
def stage(market: MarketData, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder: Path = tmp_path_factory.mktemp("stage")
    return asyncio.run(set_stage(folder, market))


@pytest.fixture(scope="package")
def usual(stage: Stage) -> Usual:
    return asyncio.run(play_usual(stage))
