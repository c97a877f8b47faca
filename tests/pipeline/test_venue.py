"""Which broker a run uses: by name, with its own options, and never real money by accident."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import LedgerRow, RunRow
from pipeline.desk import Desk, RunRequest, start_run
from pipeline.store import Store
from pipeline.venue import open_broker
from tests.pipeline import life
from tests.pipeline.life import code_of
from tools.execution.brokers import factory
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import PlayedVenue

KEYS = {"alpaca_key_id": "PK-visible", "alpaca_secret_key": "very-secret"}


def run_at(tmp_path: Path, broker: str, **settings: Any) -> tuple[Store, RunRow]:
    store = life.new_store(tmp_path / "home", **settings)
    life.seed_run(store, config={"broker": broker, "symbols": ["IBM"]})
    with store.db.read() as session:
        return store, session.exec(select(RunRow)).one()


def test_a_replay_runs_at_a_venue_that_the_desk_plays(tmp_path: Path) -> None:
    broker = open_broker(*run_at(tmp_path, "simulation"))
    assert isinstance(broker, SimulationBroker)
    assert isinstance(broker, PlayedVenue)


def test_alpaca_takes_its_keys_from_the_settings_and_is_a_paper_account(tmp_path: Path) -> None:
    store, run = run_at(tmp_path, "alpaca", mode="paper", **KEYS)
    broker = open_broker(store, run)
    assert isinstance(broker, AlpacaBroker)
    assert not broker.live
    assert not isinstance(broker, PlayedVenue)
    assert (store.home.path / "alpaca.sqlite").exists()
    broker.close()


def test_no_key_is_readable_back(tmp_path: Path) -> None:
    store, run = run_at(tmp_path, "alpaca", mode="paper", **KEYS)
    broker = open_broker(store, run)
    shown = repr(store.settings) + str(store.settings) + store.settings.model_dump_json() + repr(broker)
    assert not any(key in shown for key in KEYS.values())
    assert isinstance(broker, AlpacaBroker)
    broker.close()


def test_without_keys_alpaca_is_refused(tmp_path: Path) -> None:
    store, run = run_at(tmp_path, "alpaca", mode="paper")
    assert code_of(lambda: open_broker(store, run)) == "missing_key"


@pytest.mark.parametrize("settings", [{"mode": "live"}, {"mode": "paper", "allow_live": True}])
def test_real_money_needs_the_mode_and_the_switch(tmp_path: Path, settings: dict[str, Any]) -> None:
    store, run = run_at(tmp_path, "alpaca", **settings, **KEYS)
    assert code_of(lambda: open_broker(store, run)) == "live_not_confirmed"


def test_a_name_that_nobody_offers_is_refused_with_those_that_are(tmp_path: Path) -> None:
    store, run = run_at(tmp_path, "imaginary", mode="paper")
    assert code_of(lambda: open_broker(store, run)) == "unknown_broker"


def test_an_installed_broker_is_given_its_folder_and_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def build(*, home: Path, account: str, live: bool) -> SimulationBroker:
        given.update(home=home, account=account, live=live)
        return SimulationBroker(home / "other.sqlite", seed=1, starting_cash=Decimal(1), account=account)

    monkeypatch.setitem(factory.BUILT_IN, "other", lambda: build)
    store, run = run_at(tmp_path, "other", mode="paper")
    open_broker(store, run)
    assert given == {"home": store.home.path, "account": run.id, "live": False}


def test_a_replay_at_a_real_broker_is_refused(tmp_path: Path) -> None:
    store = life.new_store(tmp_path / "home", broker="alpaca", **KEYS)
    assert code_of(lambda: start_run(store, RunRequest(symbols=("IBM",)))) == "bad_settings"


def test_a_real_broker_cannot_be_played(desk: Desk, tmp_path: Path) -> None:
    store, run = run_at(tmp_path / "paper", "alpaca", mode="paper", **KEYS)
    desk.broker = open_broker(store, run)
    assert code_of(lambda: desk.venue) == "not_played"
    assert isinstance(desk.broker, AlpacaBroker)
    desk.broker.close()


def test_the_record_of_a_run_at_the_simulation_names_no_setting(desk: Desk) -> None:
    with desk.db.read() as session:
        first = session.exec(select(LedgerRow.content).where(LedgerRow.kind == "run.started")).one()
    assert '"broker":"simulation"' in first
