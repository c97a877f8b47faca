"""Wiring of the outside: which market feed and which broker a run uses."""

from __future__ import annotations

from memory.tables import RunRow
from pipeline.feed import open_market
from pipeline.store import Store
from tools.errors import ConfigError
from tools.execution.brokers.simulation import SimulationBroker

__all__ = ["open_broker", "open_market"]


def open_broker(store: Store, run: RunRow) -> SimulationBroker:
    """The venue of a run. ConfigError for a broker that this version does not know."""
    if run.config.get("broker") != "simulation":
        raise ConfigError(f"broker {run.config.get('broker')!r} is not known: use simulation", code="unknown_broker")
    return SimulationBroker(store.home.broker, seed=run.seed, starting_cash=run.equity_start, account=run.id)
