"""Which market feed a run uses. No broker is reached from here, so a web route may read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from memory.tables import RunRow
from pipeline import store as wall
from pipeline.store import Store
from tools.data.collectors.alpaca_feed import AlpacaFeed, open_alpaca
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import MarketData
from tools.errors import ConfigError

EMBEDDED, ALPACA = "embedded", "alpaca"


def open_market(symbols: Sequence[str] | None) -> MarketData:
    """The embedded market over the chosen names; None is every complete name."""
    return EmbeddedMarket(symbols)


@lru_cache(maxsize=2)
def shared_market(symbols: tuple[str, ...] | None) -> MarketData:
    """The same for readers that come again and again: immutable, so one a process will do."""
    return open_market(symbols)


def new_market(store: Store, symbols: Sequence[str] | None) -> tuple[MarketData, dict[str, Any]]:
    """The market that a new run begins on, and what its configuration keeps to find it again.

    ConfigError for missing keys; errors of the feed as `AlpacaMarket` says.
    """
    if store.settings.feed == EMBEDDED:
        return open_market(symbols), {}
    market = _alpaca(store, symbols, None).market
    return market, {"feed": ALPACA, "anchor": market.anchor.isoformat()}


def market_of(store: Store, run: RunRow) -> MarketData:
    """The market of a run, opened once a process; the first time takes a second, so never inside a transaction."""
    if run.config.get("feed", EMBEDDED) == EMBEDDED:
        names = run.config.get("symbols")
        return shared_market(None if names is None else tuple(names))
    return alpaca_of(store, run).market


def alpaca_of(store: Store, run: RunRow) -> AlpacaFeed:
    """The Alpaca market and venue state of a run that was begun on them."""
    return _alpaca(store, run.config.get("symbols"), date.fromisoformat(run.config["anchor"]))


@contextmanager
def listening(store: Store, run: RunRow) -> Iterator[None]:
    """Keep the state of a real venue fresh (pauses, clock, borrow) while the engine works."""
    if run.config.get("feed", EMBEDDED) == EMBEDDED:
        yield
        return
    feed = alpaca_of(store, run)
    feed.start()
    try:
        yield
    finally:
        feed.close()


def _alpaca(store: Store, symbols: Sequence[str] | None, anchor: date | None) -> AlpacaFeed:
    settings = store.settings
    if settings.alpaca_key_id is None or settings.alpaca_secret_key is None:
        raise ConfigError(
            "the Alpaca feed needs QUARTERDECK_ALPACA_KEY_ID and QUARTERDECK_ALPACA_SECRET_KEY", code="missing_key"
        )
    folder = str(store.home.path / "alpaca")
    return _opened(
        settings.alpaca_key_id.get_secret_value(), settings.alpaca_secret_key.get_secret_value(), folder,
        None if symbols is None else tuple(symbols), anchor, settings.alpaca_feed, settings.mode == "live",
        settings.alpaca_data_url, settings.alpaca_url, settings.alpaca_status_url, settings.alpaca_history,
        settings.alpaca_horizon,
    )  # fmt: skip


@lru_cache(maxsize=2)
def _opened(
    key_id: str,
    secret_key: str,
    folder: str,
    symbols: tuple[str, ...] | None,
    anchor: date | None,
    feed: Any,
    live: bool,
    data_url: str | None,
    trading_url: str | None,
    stream_url: str | None,
    history: int,
    horizon: int,
) -> AlpacaFeed:
    return open_alpaca(
        key_id, secret_key, Path(folder), symbols=symbols, anchor=anchor, feed=feed, live=live, data_url=data_url,
        trading_url=trading_url, stream_url=stream_url, history=history, horizon=horizon, clock=_now,
    )  # fmt: skip


def _now() -> datetime:
    return wall.now()
