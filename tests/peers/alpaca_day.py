"""One movable clock and one source of prices for the Alpaca peers: the embedded market on days that a test chooses.

    day = AlpacaDay(EmbeddedMarket(["IBM", "GE"]), last=date(2026, 11, 20))
    with AlpacaPeer() as trading, AlpacaDataPeer(day) as data:
        day.attach(trading)                      # orders fill at the day's prices
        day.to_open(day.days[-20])               # market, opg and marketable orders fill at the open
        day.trade()                              # so do those that came after it
        day.to_close(day.days[-20])              # stops and limits that lie in the bar fill, day orders expire
        day.to(day.now + timedelta(minutes=20))  # the bars of the session are final for a desk that settles 15 minutes

The i-th embedded session becomes the i-th of as many exchange sessions ending at `last`; nothing but the dates changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.peers.alpaca_book import OPEN, AlpacaBook, Json
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.sessions import Schedule, exchange_sessions
from tools.data.types import Bar, CorporateAction, Headline

if TYPE_CHECKING:
    from tests.peers.alpaca_peer import AlpacaPeer

NEW_YORK = ZoneInfo("America/New_York")
BENCHMARK = "SPY"
TENTH = Decimal(10)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class AlpacaDay:
    """What the venue and the feed agree on: the moment, the sessions, the prices.

    The clock only moves forward, by `to`, `to_open` and `to_close`; each open and close on the way happens in order.
    SPY is the embedded index divided by ten. `now` starts at the close of the middle session unless told otherwise.
    """

    def __init__(self, market: EmbeddedMarket, *, last: date, now: datetime | None = None) -> None:
        count = len(market.sessions)
        exchange = exchange_sessions(last - timedelta(days=count * 2), last + timedelta(days=14))
        at = bisect_right([item.day for item in exchange], last)
        self.schedule = Schedule(exchange[at - count : at])
        self._after = exchange[at:]
        self.market = market
        self.symbols = market.symbols
        self.days = self.schedule.days
        self._real = dict(zip(self.days, market.sessions, strict=True))
        self._dated = {real: day for day, real in self._real.items()}
        self._bars: dict[date, dict[str, Bar]] = {}
        self.actions = tuple(self._action(item) for item in _actions(market))
        self.headlines = tuple(self._headline(item) for item in market.headlines(EPOCH, EPOCH + timedelta(days=9999)))
        self.now = now or self.schedule.sessions[count // 2].closes
        self._venues: list[AlpacaPeer] = []

    def bars(self, day: date) -> dict[str, Bar]:
        """The whole bars of a session, known or not, SPY among them."""
        if day not in self._bars:
            real = self._real[day]
            end = self.market.tick(real, "close").as_of
            close = (Decimal(str(self.market.index_close(real, end))) / TENTH).quantize(Decimal("0.01"))
            found = {**self.market.bars(real, end)}
            found[BENCHMARK] = next(iter(found.values())).model_copy(
                update={"symbol": BENCHMARK, "open": close, "high": close, "low": close, "close": close}
            )
            self._bars[day] = found
        return self._bars[day]

    def prices(self) -> dict[str, Decimal]:
        """The last price of every name at `now`: the open within a session, the close after it."""
        opened, closed = self.schedule.opened(self.now), self.schedule.closed(self.now)
        if not opened:
            return {}
        bars = self.bars(self.days[opened - 1])
        return {name: bar.open if opened > closed else bar.close for name, bar in bars.items()}

    def clock(self) -> Json:
        """The body of GET /v2/clock."""
        sessions = (*self.schedule.sessions, *self._after)
        return {
            "timestamp": text(self.now), "is_open": any(item.opens <= self.now < item.closes for item in sessions),
            "next_open": text(next(item.opens for item in sessions if item.opens > self.now)),
            "next_close": text(next(item.closes for item in sessions if item.closes > self.now)),
        }  # fmt: skip

    def attach(self, venue: AlpacaPeer) -> None:
        """Give a trading peer this clock and these prices. After a `reset` of the peer attach it again."""
        if venue not in self._venues:
            self._venues.append(venue)
        venue.book.calendar, venue.book.listed = self.clock, self.symbols
        self._tell(venue)

    def to(self, moment: datetime) -> None:
        """Move the clock on; every open and close on the way happens first."""
        if moment < self.now:
            raise ValueError(f"the clock stands at {self.now}, it cannot go back to {moment}")
        for at, day, phase in self._events(moment):
            self.now = at
            for venue in self._venues:
                with venue.lock:
                    self._tell(venue)
                    _at_open(venue.book, self.bars(day)) if phase == "open" else _at_close(venue.book, self.bars(day))
                    venue.publish()
        self.now = moment
        for venue in self._venues:
            with venue.lock:
                self._tell(venue)
                venue.publish()

    def to_open(self, day: date) -> None:
        """To the opening moment of a session: what waits for the open is filled."""
        self.to(self.schedule.session(day).opens)

    def to_close(self, day: date) -> None:
        """To the closing moment of a session: what its bar touched is filled, what was for the day ends."""
        self.to(self.schedule.session(day).closes)

    def trade(self) -> None:
        """Fill, within a session, what its open satisfies: orders that were sent after the opening moment."""
        opened, closed = self.schedule.opened(self.now), self.schedule.closed(self.now)
        if opened == closed:
            raise ValueError(f"no session is under way at {self.now}")
        for venue in self._venues:
            with venue.lock:
                self._tell(venue)
                _at_open(venue.book, self.bars(self.days[opened - 1]), auction=False)
                venue.publish()

    def _events(self, until: datetime) -> Iterator[tuple[datetime, date, str]]:
        found = [(item.opens, item.day, "open") for item in self.schedule.sessions]
        found += [(item.closes, item.day, "close") for item in self.schedule.sessions]
        return (event for event in sorted(found) if self.now < event[0] <= until)

    def _tell(self, venue: AlpacaPeer) -> None:
        book = venue.book
        book.now, book.prices = max(book.now, self.now), self.prices() or book.prices
        for order in book.open_orders():
            if order["status"] == "pending_cancel":
                book.finish(order["client_order_id"])

    def _action(self, item: CorporateAction) -> CorporateAction:
        day = self._dated[item.ex_date]
        opens = self.schedule.session(day).opens
        early = opens - self.market.tick(item.ex_date, "open").as_of
        return item.model_copy(update={"ex_date": day, "known_at": min(opens, item.known_at + early)})

    def _headline(self, item: Headline) -> Headline:
        at = self._moved(item.known_at)
        return item.model_copy(update={"event_time": at, "known_at": at})

    def _moved(self, moment: datetime) -> datetime:
        """The same New York time, as many days after the same session, but before the next one."""
        local = moment.astimezone(NEW_YORK)
        position = max(0, bisect_right(self.market.sessions, local.date()) - 1)
        offset = max(0, (local.date() - self.market.sessions[position]).days)
        room = (self.days[position + 1] - self.days[position]).days - 1 if position + 1 < len(self.days) else 2
        day = self.days[position] + timedelta(days=min(offset, room))
        return datetime.combine(day, local.timetz().replace(tzinfo=None), NEW_YORK).astimezone(UTC)


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _actions(market: EmbeddedMarket) -> list[CorporateAction]:
    return [item for day in market.sessions for item in market.corporate_actions(day, EPOCH + timedelta(days=9999))]


def _price(order: Json, name: str) -> Decimal | None:
    return None if order.get(name) is None else Decimal(str(order[name]))


def _at_open(book: AlpacaBook, bars: dict[str, Bar], *, auction: bool = True) -> None:
    """Fill at the open what the open satisfies; in the auction, an order for the open that it does not satisfy ends."""
    for order in _working(book, bars):
        price = bars[order["symbol"]].open
        limit, stop, buys = _price(order, "limit_price"), _price(order, "stop_price"), order["side"] == "buy"
        reached = stop is None or (price >= stop if buys else price <= stop)
        within = limit is None or (price <= limit if buys else price >= limit)
        if order["time_in_force"] == "opg" and not auction:
            continue
        if reached and within and order["time_in_force"] != "cls":
            _fill(book, order, price)
        elif order["time_in_force"] == "opg":
            book.finish(order["client_order_id"], "expired")


def _at_close(book: AlpacaBook, bars: dict[str, Bar]) -> None:
    """Fill what the bar touched at its own price, orders for the close at the close; then end what was for the day."""
    for order in _working(book, bars):
        bar = bars[order["symbol"]]
        limit, stop, buys = _price(order, "limit_price"), _price(order, "stop_price"), order["side"] == "buy"
        if order["time_in_force"] == "cls" or (limit is None and stop is None):
            at: Decimal | None = bar.close
        elif stop is not None:
            touched = bar.high >= stop if buys else bar.low <= stop
            at = (max(stop, bar.open) if buys else min(stop, bar.open)) if touched else None
            if at is not None and limit is not None and not (at <= limit if buys else at >= limit):
                at = None
        else:
            assert limit is not None
            at = limit if (bar.low <= limit if buys else bar.high >= limit) else None
        if at is not None:
            _fill(book, order, at)
    for order in book.open_orders():
        if order["time_in_force"] in ("day", "opg", "cls"):
            book.finish(order["client_order_id"], "expired")


def _fill(book: AlpacaBook, order: Json, price: Decimal) -> None:
    """Trade the rest of an order. Its exits start to work; the other exit of the same bracket ends."""
    if order["status"] not in OPEN:
        return
    book.fill(order["client_order_id"], int(Decimal(order["qty"]) - Decimal(order["filled_qty"])), price)
    for leg in order["legs"] or ():
        leg["status"] = "new"
    for parent in list(book.orders.values()):
        if any(leg["id"] == order["id"] for leg in parent["legs"] or ()):
            for leg in parent["legs"]:
                if leg["status"] in OPEN:
                    book.finish(leg["client_order_id"])


def _working(book: AlpacaBook, bars: dict[str, Bar]) -> list[Json]:
    return [order for order in book.open_orders() if order["symbol"] in bars and order["status"] != "held"]
