"""The simulated venue against a reference written from its published rules, in plain numbers, on the embedded market.

Thirty names, the sessions round the flash crash and a split; entries at the open, limits and stops within the bar, more
than the participation cap, orders without cash or shares. Every fill, position and the cash agree to the cent.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import Bar, CorporateAction
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import OrderRequest

D = Decimal
CENT = D("0.01")
NAMES = 29
SESSIONS = 12
SEED = 11
CASH = D(3_000_000)


@dataclass
class Order:
    """An order of the reference, as sent."""

    name: str
    symbol: str
    side: str
    left: int
    kind: str
    life: str
    limit: Decimal | None
    stop: Decimal | None
    reduce: bool
    done: int = 0
    alive: bool = True


@dataclass
class Reference:
    """The venue's rules again, in the plainest words: at most a tenth of the volume, half a spread and the square root
    of participation against the trader, half a cent a share and a dollar at least."""

    seed: int
    cash: Decimal
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: D(0)))
    orders: list[Order] = field(default_factory=list)
    fills: list[tuple[str, str, int, Decimal, Decimal]] = field(default_factory=list)
    gaps: Counter[str] = field(default_factory=Counter)
    used: dict[tuple[str, Any], int] = field(default_factory=lambda: defaultdict(int))

    def send(self, order: Order) -> None:
        held = self.held[order.symbol]
        short_of = held <= 0 if order.reduce else held < order.left
        order.alive = not (order.side == "sell" and short_of)
        self.orders.append(order)

    def open(self, session: Any, prices: dict[str, Decimal], volumes: dict[str, float]) -> None:
        for order in self.living():
            price = prices.get(order.symbol)
            last = order.life == "opg"
            if order.kind == "stop":
                continue
            if price is None:
                order.alive = not last
                continue
            fits = order.limit is None or (price <= order.limit if order.side == "buy" else price >= order.limit)
            self.trade(order, price if fits else None, int(volumes[order.symbol]), session, last)

    def close(self, session: Any, bars: dict[str, Bar]) -> None:
        for order in self.living():
            bar, last = bars.get(order.symbol), order.life != "gtc"
            if bar is None or order.life == "opg":
                order.alive = not last
                continue
            price: Decimal | None = bar.close
            if order.kind == "stop":
                assert order.stop is not None
                gapped = min(bar.open, order.stop) if order.side == "sell" else max(bar.open, order.stop)
                touched = bar.low <= order.stop if order.side == "sell" else bar.high >= order.stop
                price = gapped if touched else None
                self.gaps[order.side] += touched and gapped != order.stop
            elif order.kind == "limit":
                assert order.limit is not None
                better = max(bar.open, order.limit) if order.side == "sell" else min(bar.open, order.limit)
                touched = bar.high >= order.limit if order.side == "sell" else bar.low <= order.limit
                price = better if touched else None
            self.trade(order, price, bar.volume, session, last)

    def trade(self, order: Order, price: Decimal | None, volume: int, session: Any, last: bool) -> None:
        held, wanted = self.held[order.symbol], order.left
        if order.side == "sell" and order.reduce:
            wanted = min(wanted, held)
        if order.side == "sell" and (held < wanted or wanted <= 0):
            order.alive = False
            return
        free = volume // 10 - self.used[order.symbol, session]
        shares = min(wanted, free)
        if price is None or shares <= 0:
            order.alive = not last
            return
        paid = self.slip(order, price, shares, volume)
        fee = max(D(1), (D(shares) * 5 / 1000).quantize(CENT, ROUND_HALF_EVEN))
        if order.side == "buy" and paid * shares + fee > self.cash:
            order.alive = False
            return
        sign = 1 if order.side == "buy" else -1
        self.cash -= sign * paid * shares + fee
        self.book(order.symbol, sign * shares, paid)
        self.used[order.symbol, session] += shares
        self.fills.append((order.name, order.symbol, shares, paid, fee))
        order.left -= shares
        order.done += shares
        order.alive = order.left > 0 and shares == free and shares < wanted and not last

    def slip(self, order: Order, price: Decimal, shares: int, volume: int) -> Decimal:
        word = hashlib.sha256(f"{self.seed}:{order.name}".encode()).hexdigest()[:8]
        chance = D("0.5") + D(int(word, 16)) / 4_294_967_296
        points = (2 + 100 * (D(shares) / D(volume)).sqrt()) * chance / 10_000
        moved = price * (1 + points) if order.side == "buy" else price * (1 - points)
        paid = max(CENT, moved.quantize(CENT, ROUND_HALF_EVEN))
        if order.limit is not None:
            paid = min(paid, order.limit) if order.side == "buy" else max(paid, order.limit)
        return paid

    def book(self, symbol: str, shares: int, price: Decimal) -> None:
        if shares > 0:
            before = self.cost[symbol] * self.held[symbol]
            average = (before + price * shares) / (self.held[symbol] + shares)
            self.cost[symbol] = average.quantize(D("0.000001"), ROUND_HALF_EVEN)
        self.held[symbol] += shares

    def split(self, action: CorporateAction) -> None:
        held = self.held[action.symbol]
        if held:
            average = ((self.cost[action.symbol] - action.cash) / action.ratio).quantize(D("0.000001"), ROUND_HALF_EVEN)
            exact = held * action.ratio
            whole = exact.to_integral_value(ROUND_FLOOR)
            self.cash += (action.cash * held + (exact - whole) * average).quantize(CENT, ROUND_HALF_EVEN)
            self.held[action.symbol], self.cost[action.symbol] = int(whole), average
        for order in self.living():
            if order.symbol == action.symbol:
                order.left = int((order.left * action.ratio).to_integral_value(ROUND_DOWN))
                order.alive = order.left > 0
                if order.stop is not None:
                    order.stop = max(CENT, ((order.stop - action.cash) / action.ratio).quantize(CENT, ROUND_HALF_EVEN))
                if order.limit is not None:
                    order.limit = max(
                        CENT, ((order.limit - action.cash) / action.ratio).quantize(CENT, ROUND_HALF_EVEN)
                    )

    def living(self) -> list[Order]:
        return [order for order in self.orders if order.alive]


@pytest.fixture(scope="module")
def market() -> EmbeddedMarket:
    every = EmbeddedMarket().symbols
    return EmbeddedMarket([*every[:: len(every) // NAMES][:NAMES], "GIS"])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulationBroker]:
    made = SimulationBroker(tmp_path / "venue.sqlite", seed=SEED, starting_cash=CASH, account="reference")
    yield made
    made.close()


class Pair:
    """Sends every order to both."""

    def __init__(self, broker: SimulationBroker, draw: Random) -> None:
        self.broker = broker
        self.reference = Reference(SEED, CASH)
        self.draw = draw
        self.count = 0

    def send(
        self, symbol: str, side: str, shares: int, kind: str, life: str, *, limit: Decimal | None = None,
        stop: Decimal | None = None, reduce: bool = False,
    ) -> None:  # fmt: skip
        self.count += 1
        name = f"r{self.count}"
        request = {
            "client_order_id": name, "symbol": symbol, "side": side, "quantity": shares, "order_type": kind,
            "time_in_force": life, "limit_price": limit, "stop_price": stop, "reduce_only": reduce,
        }  # fmt: skip
        self.broker.submit(OrderRequest.model_validate(request))
        self.reference.send(Order(name, symbol, side, shares, kind, life, limit, stop, reduce))

    def near(self, price: Decimal) -> Decimal:
        return (price * self.draw.randint(95, 105) / 100).quantize(CENT)

    def before_open(self, symbol: str, price: Decimal, volume: int) -> None:
        held, draw = self.reference.held[symbol], self.draw
        if held == 0 and draw.random() < 0.7:
            shares = draw.choice([1, draw.randint(50, 2_000), max(1, volume // 9)])
            if draw.random() < 0.6:
                self.send(symbol, "buy", shares, "market", "opg")
            else:
                self.send(symbol, "buy", shares, "limit", draw.choice(["opg", "day", "gtc"]), limit=self.near(price))
        elif held and draw.random() < 0.3:
            self.send(symbol, "sell", draw.randint(1, held + 50), "market", "opg", reduce=True)
        elif held and draw.random() < 0.2:
            self.send(symbol, "sell", draw.randint(1, held * 2), "limit", "day", limit=self.near(price))

    def after_open(self, symbol: str, price: Decimal) -> None:
        held, draw = self.reference.held[symbol], self.draw
        if held and draw.random() < 0.5:
            self.send(
                symbol,
                "sell",
                held,
                "stop",
                "gtc",
                stop=(price * draw.randint(975, 1010) / 1000).quantize(CENT),
                reduce=True,
            )
        elif draw.random() < 0.1:
            self.send(symbol, "buy", draw.randint(1, 500), "stop", "day", stop=self.near(price))
        elif held and draw.random() < 0.1:
            self.send(symbol, "sell", held, "market", "day", reduce=True)

    def agree(self) -> None:
        ours = self.reference
        theirs = [
            (fill.client_order_id, fill.symbol, fill.quantity, fill.price, fill.commission)
            for fill in self.broker.fills(0)
        ]
        assert theirs == ours.fills
        assert self.broker.positions() == {symbol: held for symbol, held in ours.held.items() if held}
        assert self.broker.cash() == ours.cash
        assert [order.client_order_id for order in self.broker.open_orders()] == [one.name for one in ours.living()]


@pytest.mark.parametrize("start", ["2009-11-16", "2010-04-28", "2010-06-02"])
def test_every_fill_on_the_embedded_market_equals_the_reference_to_the_cent(
    market: EmbeddedMarket, broker: SimulationBroker, start: str
) -> None:
    pair = Pair(broker, Random(start))
    days = [day for day in market.sessions if day.isoformat() >= start][:SESSIONS]
    for day in days:
        at_open, at_close = market.tick(day, "open"), market.tick(day, "close")
        for action in market.corporate_actions(day, at_open.as_of):
            broker.apply_action(action)
            pair.reference.split(action)
        opens, bars = market.opens(at_open), market.bars(day, at_close.as_of)
        for symbol in market.symbols:
            pair.before_open(symbol, opens[symbol], bars[symbol].volume)
        volumes = {symbol: float(bar.volume) for symbol, bar in bars.items()}
        broker.match_open(at_open, opens, volumes)
        pair.reference.open(day, opens, volumes)
        for symbol in market.symbols:
            pair.after_open(symbol, opens[symbol])
        broker.match_close(at_close, bars)
        pair.reference.close(day, bars)
        pair.agree()
    kinds = {order.kind for order in pair.reference.orders if order.done}
    assert kinds == {"market", "limit", "stop"}
    assert len(pair.reference.fills) > 150
    assert min(pair.reference.gaps["buy"], pair.reference.gaps["sell"]) > 5
    capped = [order for order in pair.reference.orders if order.done and order.left]
    refused = [order for order in pair.reference.orders if not order.done and not order.alive]
    assert len(capped) > 10
    assert len(refused) > 10
