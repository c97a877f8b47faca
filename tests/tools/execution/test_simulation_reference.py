"""The simulated venue against a reference written from its published rules, in plain numbers, on the embedded market.

Thirty names, the sessions round the flash crash and a split. First the terms that replays use, with entries at the
open, limits and stops within the bar, more than the participation cap, orders without cash or shares; then every order
type and time in force, with latency, rejects, halts, borrowed stock and margin. Every fill, position, fee and the cash
agree to the cent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.tools.execution.venue_reference import Order, Reference, Rules
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import Bar
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import OrderRequest
from tools.execution.venue_terms import VenueTerms

D = Decimal
CENT = D("0.01")
NAMES = 29
SESSIONS = 12
SEED = 11
CASH = D(3_000_000)
PLAIN = Rules()


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

    def __init__(self, broker: SimulationBroker, draw: Random, cash: Decimal = CASH, rules: Rules = PLAIN) -> None:
        self.broker = broker
        self.reference = Reference(SEED, cash, "reference", rules)
        self.draw = draw
        self.count = 0

    def send(self, symbol: str, side: str, shares: int, kind: str, life: str, **terms: Any) -> None:
        self.count += 1
        order = Order(f"r{self.count}", symbol, side, shares, kind, life, **terms)
        bracket = {"take_profit": order.profit, "stop_loss": order.loss, "stop_loss_limit": order.loss_limit}
        request = {
            "client_order_id": order.name, "symbol": symbol, "side": side, "quantity": shares, "order_type": kind,
            "time_in_force": life, "limit_price": order.limit, "stop_price": order.stop, "reduce_only": order.reduce,
            "trail_price": order.trail, "trail_percent": order.percent,
            "bracket": bracket if order.profit or order.loss else None,
        }  # fmt: skip
        self.broker.submit(OrderRequest.model_validate(request))
        self.reference.send(order)

    def anything(self, symbol: str, price: Decimal, volume: int) -> None:
        """An order of any type and time in force, mostly not far from the price."""
        draw, held, lent = self.draw, self.reference.held[symbol], symbol in self.reference.rules.lent
        side = draw.choice(["buy", "sell"]) if held or lent else "buy"
        up = 1 if side == "buy" else -1
        kind = draw.choice(["market", "limit", "limit", "stop", "stop_limit", "trailing_stop"])
        lives = ["opg", "day", "gtc", "gtc", "cls", "ioc", "fok"]
        life = draw.choice(lives if kind in ("market", "limit") else ["day", "gtc", "gtc"])
        terms: dict[str, Any] = {"reduce": bool(held) and (held < 0) == (side == "buy") and draw.random() < 0.7}
        if kind == "limit":
            terms["limit"] = self.off(price, -15 * up, 15 * up)
        elif kind == "trailing_stop":
            terms |= draw.choice([{"trail": self.off(price, -990, -970)}, {"percent": D(draw.randint(3, 30)) / 10}])
        elif kind != "market":
            terms["stop"] = self.off(price, 1, 25 * up)
            terms["limit"] = self.off(terms["stop"], -4 * up, 8 * up) if kind == "stop_limit" else None
        if kind in ("market", "limit") and life in ("day", "gtc") and not terms["reduce"] and draw.random() < 0.8:
            middle = terms.get("limit", price)
            terms["loss"] = self.off(middle, -5 * up, -25 * up)
            terms["loss_limit"] = draw.choice([None, self.off(terms["loss"], -3 * up, 3 * up)])
            terms["profit"] = draw.choice([None, self.off(middle, 5 * up, 25 * up)])
        most = abs(held) if terms["reduce"] or not lent else 900
        large = side == "buy" and price * volume < 10**7 and draw.random() < 0.2
        shares = volume // 8 if large else draw.randint(1, 900) if side == "buy" else 0
        self.send(symbol, side, max(1, shares or draw.randint(1, most + 20)), kind, life, **terms)

    def off(self, price: Decimal, least: int, most: int) -> Decimal:
        """A price some thousandths away, in cents."""
        part = self.draw.randint(min(least, most), max(least, most))
        return max(CENT, (price * (1000 + part) / 1000).quantize(CENT))

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
        assert [(charge.symbol, charge.amount) for charge in self.broker.charges(0)] == ours.fees
        resting = [
            (order.client_order_id, order.quantity - order.filled_quantity) for order in self.broker.open_orders()
        ]
        assert resting == [(order.name, order.left) for order in ours.living()]

    def play(self, market: EmbeddedMarket, day: date) -> None:
        """A session of any orders, some sent before the open, some after."""
        at_open, at_close = market.tick(day, "open"), market.tick(day, "close")
        for action in market.corporate_actions(day, at_open.as_of):
            self.broker.apply_action(action)
            self.reference.split(action)
        opens, bars = market.opens(at_open), market.bars(day, at_close.as_of)
        volumes = {symbol: float(bar.volume) for symbol, bar in bars.items()}
        self.some(opens, bars)
        self.broker.match_open(at_open, opens, volumes)
        self.reference.open(day, opens, volumes)
        self.some(opens, bars)
        self.broker.match_close(at_close, bars)
        self.reference.close(day, bars)
        self.agree()

    def some(self, opens: dict[str, Decimal], bars: dict[str, Bar]) -> None:
        for symbol, price in opens.items():
            if self.draw.random() < 0.6:
                self.anything(symbol, price, bars[symbol].volume)


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


def test_every_order_type_and_time_in_force_equals_the_reference_to_the_cent(
    market: EmbeddedMarket, broker: SimulationBroker
) -> None:
    pair = Pair(broker, Random("kinds"))
    for day in [day for day in market.sessions if day >= date(2010, 6, 2)][:18]:
        pair.play(market, day)
    done = Counter((order.kind, order.life, order.entry is not None) for order in pair.reference.orders if order.done)
    assert {kind for kind, _, _ in done} == {"market", "limit", "stop", "stop_limit", "trailing_stop"}
    assert {life for _, life, _ in done} == {"opg", "day", "gtc", "cls", "ioc", "fok"}
    assert {kind for kind, _, leg in done if leg} == {"limit", "stop", "stop_limit"}
    assert len(pair.reference.fills) > 300


def test_latency_rejects_halts_borrow_and_margin_equal_the_reference_to_the_cent(
    market: EmbeddedMarket, tmp_path: Path
) -> None:
    cash, lent = D(250_000), dict.fromkeys(market.symbols[::2], 700)
    halted = {date(2010, 6, 4): tuple(market.symbols[:12]), date(2010, 6, 9): ("GIS",)}
    terms = VenueTerms.model_validate(
        {
            "costs": {"spread_bps": 7, "impact_bps": 60}, "participation": "0.02", "latency_ticks": 1,
            "reject_rate": "0.1", "halted": halted, "borrow": {"annual_bps": 900, "limits": lent},
            "initial_margin": "0.5", "credit_bps": 800,
        }
    )  # fmt: skip
    rules = Rules(
        spread=7, impact=60, part=D("0.02"), late=1, refused=D("0.1"), lent=lent, borrow=D(900), margin=D("0.5"),
        credit=D(800), halted={(day, symbol) for day, symbols in halted.items() for symbol in symbols},
    )  # fmt: skip
    broker = SimulationBroker(tmp_path / "v", seed=SEED, starting_cash=cash, account="reference", terms=terms)
    pair = Pair(broker, Random("terms"), cash, rules)
    for day in [day for day in market.sessions if day >= date(2010, 6, 2)][:18]:
        pair.play(market, day)
    reasons = Counter(one.reason for one in map(broker.find, [order.name for order in pair.reference.orders]) if one)
    broker.close()
    assert {"venue_refused", "symbol_halted", "borrow_limit", "no_cash", "no_margin"} <= set(reasons)
    assert {symbol is None for symbol, _ in pair.reference.fees} == {True, False}
    assert len(pair.reference.fills) > 200
