"""Terms of the simulated venue from a file: the run's for ever, in its record, shown; without one all is as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from memory.tables import LedgerRow
from pipeline import desk, doctor
from pipeline.desk import RunRequest, start_run
from pipeline.desk_view import desk_view
from pipeline.headless import choose_run
from pipeline.store import Store, require_run
from pipeline.venue import open_broker
from tests.pipeline import life
from tools.errors import ConfigError
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import OrderRequest, OrderState
from tools.execution.venue_file import default_venue_text

REQUEST = RunRequest(symbols=("IBM", "GE"))


def begun(folder: Path, text: str | None = None) -> tuple[Store, Path]:
    file = folder / "venue.yaml"
    if text is not None:
        file.write_text(text)
    store = life.new_store(folder / "home", venue=None if text is None else file)
    start_run(store, REQUEST)
    return store, file


def contents(store: Store) -> list[str]:
    with store.db.read() as session:
        return list(session.exec(select(LedgerRow.content).where(LedgerRow.kind == "run.started")).all())


def test_the_default_terms_given_as_a_file_leave_the_run_as_it_is_without_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    plain, _ = begun(tmp_path / "a")
    given, _ = begun(tmp_path / "b", default_venue_text())
    assert contents(plain) == contents(given)
    assert "venue" not in contents(plain)[0]


def test_a_harsher_venue_is_in_the_record_and_refuses(tmp_path: Path) -> None:
    store, _ = begun(tmp_path, "version: 2\nreject_rate: 1")
    assert '"sha256"' in contents(store)[0]
    with store.db.read() as session:
        broker = open_broker(store, require_run(session))
    assert isinstance(broker, SimulationBroker)
    order = OrderRequest(
        client_order_id="o1", symbol="IBM", side="buy", quantity=1, order_type="market", time_in_force="opg"
    )
    assert broker.submit(order).state is OrderState.REJECTED
    broker.close()
    assert "version 2" in desk_view(store).venue
    assert "reject_rate 1" in desk_view(store).venue
    (line, following) = (item for item in doctor.examine(store.settings) if item.component == "venue")
    assert line.text.startswith("this run: version 2")
    assert following.text.startswith("a new run: version 2")


def test_a_run_does_not_change_its_terms(tmp_path: Path) -> None:
    store, file = begun(tmp_path, "version: 2\nlatency_ticks: 1")
    choose_run(store, REQUEST, continue_run=True, new_run=False)
    file.write_text("version: 3\nlatency_ticks: 2")
    with pytest.raises(ConfigError, match="for ever") as refused:
        choose_run(store, REQUEST, continue_run=True, new_run=False)
    assert refused.value.code == "venue_fixed"


def test_a_bad_file_stops_the_start_and_the_doctor_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reject_rate = 2"):
        begun(tmp_path, "version: 2\nreject_rate: 2")
    store = life.new_store(tmp_path / "home", venue=tmp_path / "venue.yaml")
    (line,) = (item for item in doctor.examine(store.settings) if item.component == "venue")
    assert (line.state, "reject_rate = 2" in line.text) == ("unsafe", True)
    assert "venue.yaml" in line.remedy


def test_a_real_broker_takes_no_terms(tmp_path: Path) -> None:
    file = tmp_path / "venue.yaml"
    file.write_text("version: 1\nlatency_ticks: 1")
    store = life.new_store(tmp_path / "home", mode="paper", venue=file, alpaca_key_id="k", alpaca_secret_key="s")
    with pytest.raises(ConfigError, match="gives terms to the simulation"):
        desk._venue_terms(store)
