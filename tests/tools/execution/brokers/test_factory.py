"""Brokers by name: the built-in ones, others by entry point, and errors that say what exists."""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from tools.errors import ConfigError
from tools.execution.brokers import factory
from tools.execution.brokers.factory import GROUP, broker_names, make_broker
from tools.execution.brokers.simulation import SimulationBroker


def offer(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    points = EntryPoints(EntryPoint(name.rstrip("_"), value, GROUP) for name, value in values.items())
    monkeypatch.setattr(factory, "entry_points", lambda group: points.select(group=group))


def code(name: str, **options: object) -> tuple[str, str]:
    with pytest.raises(ConfigError) as error:
        make_broker(name, **options)
    return error.value.code, error.value.message


SIMULATION = "tools.execution.brokers.simulation:SimulationBroker"


def test_the_built_in_brokers_open_with_their_options(tmp_path: Path) -> None:
    options = {"seed": 1, "starting_cash": Decimal(5), "account": "a"}
    made = make_broker("simulation", path=tmp_path / "venue.sqlite", **options)
    assert isinstance(made, SimulationBroker)
    assert made.cash() == Decimal(5)
    made.close()
    paper = make_broker("alpaca", key_id="PKKEY", secret_key="hidden-secret")
    assert (paper.name, "hidden-secret" in repr(paper)) == ("alpaca", False)


def test_an_unknown_name_is_told_what_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, mine=SIMULATION)
    assert broker_names() == ("alpaca", "mine", "simulation")
    got, message = code("Alpaca")
    assert got == "unknown_broker"
    assert "'Alpaca' is not known: there are alpaca, mine, simulation" in message


def test_another_package_adds_a_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(monkeypatch, mine=SIMULATION)
    made = make_broker("mine", path=tmp_path / "v", seed=1, starting_cash=Decimal(7), account="a")
    assert made.cash() == Decimal(7)


def test_options_are_named_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    got, message = code("alpaca", key="PKKEY", secret_key="hidden-secret")
    assert got == "broker_options"
    assert "key_id, secret_key, live?, account_number?" in message
    assert "hidden-secret" not in message


def test_two_offers_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, simulation=SIMULATION)
    got, message = code("simulation")
    assert got == "ambiguous_broker"
    assert "built in" in message
    offer(monkeypatch, mine=SIMULATION, mine_="other:Thing")
    assert code("mine")[0] == "ambiguous_broker"


@pytest.mark.parametrize(
    "value", ["no.such.module:Broker", f"{SIMULATION}Missing", "tools.execution.brokers.factory:GROUP"]
)
def test_a_plug_in_that_cannot_be_used_says_which(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    offer(monkeypatch, mine=value)
    got, message = code("mine")
    assert got == "broker_unusable"
    assert value in message
