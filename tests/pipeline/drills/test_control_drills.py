"""Each control is provoked by a declared change of a real situation; one that is broken or new does not fire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pipeline.drills.control_drills import PREFIX, PROVOCATIONS, calm_situation, control_names, drill_control
from pipeline.drills.report import Line
from pipeline.drills.scratch import DrillError, close, new_desk
from tools.data.types import MarketData
from tools.risk.control import Situation
from tools.risk.controls import CONTROLS
from tools.risk.types import Check

Edit = Callable[[Check], Check]


def drill(control: str, calm: Situation) -> Line:
    return drill_control(PREFIX + control, calm)


def damage(patch: pytest.MonkeyPatch, control: str, edit: Edit) -> None:
    """Let a control answer what `edit` makes of its answer."""
    real = CONTROLS[control]
    patch.setitem(CONTROLS, control, replace(real, evaluate=lambda now: edit(real.evaluate(now))))


def to(**changes: Any) -> Edit:
    return lambda check: check.model_copy(update=changes)


def test_every_control_of_the_registry_has_one_line_and_one_provocation() -> None:
    assert control_names() == tuple(PREFIX + name for name in CONTROLS)
    assert PROVOCATIONS.keys() == CONTROLS.keys()


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_passes_the_calm_situation_and_blocks_the_provoked_one(control: str, calm: Situation) -> None:
    line = drill(control, calm)
    assert line.fired, line.detail
    assert line.detail.startswith("blocked: ")


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_that_lets_everything_pass_does_not_fire(
    control: str, calm: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(monkeypatch, control, to(verdict="pass"))
    line = drill(control, calm)
    assert not line.fired
    assert line.detail.startswith("it lets pass what it must block")


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_that_blocks_everything_does_not_fire(
    control: str, calm: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(monkeypatch, control, to(verdict="block"))
    line = drill(control, calm)
    assert not line.fired
    assert line.detail.startswith("it blocks what it must let pass")


def test_a_block_for_want_of_an_input_is_not_what_was_provoked(
    calm: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(monkeypatch, "max_notional", lambda check: to(value=None)(check) if check.verdict == "block" else check)
    assert "for want of an input" in drill("max_notional", calm).detail


def test_a_new_control_without_a_provocation_does_not_fire_and_says_what_to_write(
    calm: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONTROLS, "moon_phase", replace(CONTROLS["restricted"], id="moon_phase"))
    assert PREFIX + "moon_phase" in control_names()
    line = drill("moon_phase", calm)
    assert not line.fired
    assert "write its provocation" in line.detail


def test_a_provocation_whose_control_is_gone_does_not_fire(calm: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CONTROLS, "drawdown")
    assert PREFIX + "drawdown" in control_names()
    assert "remove its provocation" in drill("drawdown", calm).detail


@pytest.fixture
def desk(market: MarketData, tmp_path: Any) -> Any:
    opened = new_desk(tmp_path / "home", market, 50_000)
    yield opened
    close(opened)


def test_any_limits_that_leave_one_order_are_drilled_at_their_own_values(desk: Any) -> None:
    """A small account with names of its own: the lists are the drill's, every number is the house's."""
    house = desk.law.limits.model_copy(
        update={
            "permitted": ("AAPL",), "restricted": ("ADI", "AEP"), "min_order_notional": Decimal(0),
            "max_order_notional": Decimal(900), "max_open_positions": 1, "max_trades_per_day": 1,
            "max_orders_per_minute": 1, "max_automatic_executions": 1, "max_daily_loss": Decimal(1),
            "max_drawdown": Decimal(1), "max_order_quantity": 30, "short_permitted": True, "settlement_days": 0,
        }
    )  # fmt: skip
    calm = calm_situation(desk, house)
    lines = [drill_control(name, calm) for name in control_names()]
    assert [line.name for line in lines if not line.fired] == []
    (notional,) = [line.detail for line in lines if line.name == "control:max_notional"]
    assert "above the limit of 900.00" in notional


def test_limits_under_which_nothing_can_be_bought_are_said_to_be_so(desk: Any) -> None:
    house = desk.law.limits.model_copy(update={"max_order_quantity": 1, "min_order_notional": Decimal(10_000)})
    with pytest.raises(DrillError, match="no order that passes every control"):
        calm_situation(desk, house)
