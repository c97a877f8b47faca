"""Wiring of the outside: which market feed and which broker a run uses."""

from __future__ import annotations

from typing import Any

from memory.tables import RunRow
from pipeline import store as wall
from pipeline.feed import open_market
from pipeline.store import Store
from tools.errors import ConfigError
from tools.execution.brokers.factory import make_broker
from tools.execution.types import Broker
from tools.execution.venue_file import terms_of

__all__ = ["open_broker", "open_market"]


def open_broker(store: Store, run: RunRow) -> Broker:
    """The venue of a run, by the name in its configuration.

    A broker of an entry point is called with `home` (its folder, a Path), `account` (the run's id) and `live` (bool).
    ConfigError for a name nobody offers, missing keys, or a live account that was not asked for by name.
    """
    name = str(run.config.get("broker"))
    return make_broker(name, **_options(store, run, name))


def _options(store: Store, run: RunRow, name: str) -> dict[str, Any]:
    if name == "simulation":
        return {
            "path": store.home.broker, "seed": run.seed, "starting_cash": run.equity_start, "account": run.id,
            "terms": terms_of(run.config),
        }  # fmt: skip
    settings, live = store.settings, _live(store)
    if name == "alpaca":
        key, secret = settings.alpaca_key_id, settings.alpaca_secret_key
        return {
            "key_id": key.get_secret_value() if key else "", "secret_key": secret.get_secret_value() if secret else "",
            "live": live, "account_number": settings.alpaca_account, "base_url": settings.alpaca_url,
            "stream_url": settings.alpaca_stream_url, "journal": store.home.path / "alpaca.sqlite",
            "since": run.created_wall, "clock": lambda: wall.now().timestamp(),
        }  # fmt: skip
    return {"home": store.home.path, "account": run.id, "live": live}


def _live(store: Store) -> bool:
    """Whether real money is meant: the mode and the switch must say the same."""
    wanted = store.settings.mode == "live"
    if store.settings.allow_live != wanted:
        what = "QUARTERDECK_ALLOW_LIVE is not set" if wanted else "QUARTERDECK_ALLOW_LIVE is set"
        raise ConfigError(
            f"the mode is {store.settings.mode} and {what}: real orders need both live mode and the switch",
            code="live_not_confirmed",
        )
    return wanted
