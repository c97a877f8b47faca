"""The simulated venue's published rules again, in plain numbers and the plainest words. Imports nothing of it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from tools.canonical import stable_id
from tools.data.types import Bar, CorporateAction

D = Decimal
CENT = D("0.01")


@dataclass
class Order:
    """An order of the reference, as sent; `line` is where a trailing stop stands."""

    name: str
    symbol: str
    side: str
    left: int
    kind: str
    life: str
    limit: Decimal | None = None
    stop: Decimal | None = None
    reduce: bool = False
    trail: Decimal | None = None
    percent: Decimal | None = None
    profit: Decimal | None = None
    loss: Decimal | None = None
    loss_limit: Decimal | None = None
    entry: Order | None = None
    exits: list[Order] = field(default_factory=list)
    line: Decimal | None = None
    born: int = 0
    filled_at: int = 0
    done: int = 0
    woken: bool = False
    alive: bool = True

    @property
    def sells(self) -> bool:
        return self.side == "sell"

    @property
    def bracketed(self) -> bool:
        return self.profit is not None or self.loss is not None

    def fits(self, price: Decimal) -> bool:
        return self.limit is None or (price >= self.limit if self.sells else price <= self.limit)

    def hits(self, price: Decimal, level: Decimal) -> bool:
        return price <= level if self.sells else price >= level


@dataclass
class Rules:
    """The terms in plain numbers."""

    spread: int = 4
    impact: int = 100
    part: Decimal = Decimal("0.1")
    late: int = 0
    refused: Decimal = Decimal(0)
    halted: set[tuple[Any, str]] = field(default_factory=set)
    lent: dict[str, int] = field(default_factory=dict)
    borrow: Decimal = Decimal(0)
    margin: Decimal = Decimal(1)
    credit: Decimal = Decimal(0)


@dataclass
class Reference:
    """At most a part of the volume; half a spread and the square root of participation against the trader; half a cent
    a share and a dollar at least; exits that share their entry's shares; fees on shorts and credit at each close."""

    seed: int
    cash: Decimal
    account: str
    rules: Rules = field(default_factory=Rules)
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: D(0)))
    orders: list[Order] = field(default_factory=list)
    fills: list[tuple[str, str, int, Decimal, Decimal]] = field(default_factory=list)
    fees: list[tuple[str | None, Decimal]] = field(default_factory=list)
    gaps: Counter[str] = field(default_factory=Counter)
    used: dict[tuple[str, Any], int] = field(default_factory=lambda: defaultdict(int))
    marks: dict[str, Decimal] = field(default_factory=dict)
    turn: list[Order] = field(default_factory=list)
    ticks: int = 0

    def send(self, order: Order) -> None:
        held = self.held[order.symbol]
        if order.reduce:
            nothing = held <= 0 if order.sells else held >= 0
        else:
            nothing = order.sells and held + self.rules.lent.get(order.symbol, 0) < order.left
        order.alive = not nothing and self.chance(f"{order.name}:reject") >= self.rules.refused
        order.born = self.ticks + 1 + self.rules.late
        self.orders.append(order)

    def open(self, session: Any, prices: dict[str, Decimal], volumes: dict[str, float]) -> None:
        self.ticks += 1
        self.marks = prices
        for order in self.living():
            last = order.life in ("opg", "ioc", "fok")
            if order.born > self.ticks or not order.alive:
                continue
            if (session, order.symbol) in self.rules.halted:
                order.alive = not last
            elif (order.kind in ("stop", "stop_limit", "trailing_stop") and not order.woken) or order.life == "cls":
                continue
            elif (price := prices.get(order.symbol)) is None:
                order.alive = not last
            else:
                self.trade(order, price if order.fits(price) else None, int(volumes[order.symbol]), session, last)

    def close(self, session: Any, bars: dict[str, Bar]) -> None:
        self.ticks += 1
        self.marks = {symbol: bar.open for symbol, bar in bars.items()}
        self.turn = sorted(self.living(), key=lambda one: one.kind == "market" and one.bracketed)
        for order in self.turn:
            if order.born > self.ticks or not order.alive:
                continue
            bar, last = bars.get(order.symbol), order.life != "gtc"
            fresh = order.entry is not None and order.entry.filled_at == self.ticks
            if fresh and order.entry is not None and (order.kind == "limit" or order.entry.kind == "market"):
                bar = None
            if bar is None or order.life == "opg" or (session, order.symbol) in self.rules.halted:
                order.alive = not last
            else:
                self.trade(order, self.price_in(order, bar), bar.volume, session, last, closing=True)
        self.charge(bars)

    def price_in(self, order: Order, bar: Bar) -> Decimal | None:
        if order.life in ("cls", "ioc", "fok"):
            return bar.close if order.fits(bar.close) else None
        if order.kind == "trailing_stop" and not order.woken:
            return self.trailing(order, bar)
        if order.kind in ("stop", "stop_limit") and not order.woken:
            assert order.stop is not None
            if not order.hits(bar.low if order.sells else bar.high, order.stop):
                return None
            gapped = order.hits(bar.open, order.stop)
            price = bar.open if gapped else order.stop
            self.gaps[order.side] += gapped and price != order.stop
            if order.kind == "stop":
                return price
            order.woken = True
            if order.fits(price):
                return price
            later = (bar.high if order.sells else bar.low) if gapped else bar.close
            return order.limit if order.fits(later) else None
        if order.limit is None:
            return bar.close
        if order.fits(bar.open):
            return bar.open
        return order.limit if order.fits(bar.high if order.sells else bar.low) else None

    def trailing(self, order: Order, bar: Bar) -> Decimal | None:
        turns = [bar.low, bar.high] if order.sells else [bar.high, bar.low]
        for number, price in enumerate([bar.open, *turns, bar.close]):
            if order.line is not None and order.hits(price, order.line):
                order.woken = True
                return bar.open if number == 0 else order.line
            if order.percent is not None:
                line = price * (100 - order.percent if order.sells else 100 + order.percent) / 100
            else:
                assert order.trail is not None
                line = price - order.trail if order.sells else price + order.trail
            line = max(CENT, line.quantize(CENT, ROUND_FLOOR if order.sells else ROUND_CEILING))
            best = max if order.sells else min
            order.line = line if order.line is None else best(order.line, line)
        return None

    def trade(
        self, order: Order, price: Decimal | None, volume: int, session: Any, last: bool, closing: bool = False
    ) -> None:
        held, wanted = self.held[order.symbol], order.left
        if order.reduce:
            wanted = min(wanted, max(0, held if order.sells else -held))
        lent = self.rules.lent.get(order.symbol, 0)
        if wanted <= 0 or (order.sells and not order.reduce and held + lent < wanted):
            order.alive = False
            return
        free = int(self.rules.part * volume) - self.used[order.symbol, session]
        shares = max(0, min(wanted, free))
        if price is None or shares == 0 or (order.life == "fok" and shares < order.left):
            order.alive = not last
            return
        paid = self.slip(order, price, shares, volume)
        fee = max(D(1), (D(shares) * 5 / 1000).quantize(CENT, ROUND_HALF_EVEN))
        sign = -1 if order.sells else 1
        if not self.affords(order.symbol, sign * shares, paid, fee):
            order.alive = False
            return
        self.cash -= sign * paid * shares + fee
        self.book(order.symbol, sign * shares, paid)
        self.used[order.symbol, session] += shares
        self.fills.append((order.name, order.symbol, shares, paid, fee))
        order.left -= shares
        order.done += shares
        order.alive = order.left > 0 and shares == free and shares < wanted and not last
        if closing:
            order.filled_at = self.ticks
        self.bracket(order, shares, closing)

    def affords(self, symbol: str, change: int, price: Decimal, fee: Decimal) -> bool:
        before, after = self.held[symbol], self.held[symbol] + change
        if abs(after) < abs(before) and before * after >= 0:
            return True
        worth, gross = self.cash - change * price - fee + after * price, abs(after) * price
        for other, shares in self.held.items():
            if other != symbol:
                value = shares * self.marks.get(other, self.cost[other])
                worth, gross = worth + value, gross + abs(value)
        return worth >= self.rules.margin * gross

    def bracket(self, order: Order, shares: int, closing: bool) -> None:
        if order.entry is not None:
            for other in order.entry.exits:
                if other is not order:
                    other.left -= shares
                    other.alive = other.alive and other.left > 0
            if order.left == 0:
                order.entry.alive = False
        elif order.exits:
            for leg in order.exits:
                leg.left += shares if leg.alive else 0
        elif order.bracketed:
            for name, limit, stop in (("stop_loss", order.loss_limit, order.loss), ("take_profit", order.profit, None)):
                if limit is None and stop is None:
                    continue
                leg = Order(
                    stable_id("leg", self.account, order.name, name), order.symbol, "buy" if order.sells else "sell",
                    shares, "limit" if stop is None else "stop" if limit is None else "stop_limit", order.life,
                    limit, stop, reduce=True, entry=order, born=self.ticks + (not closing),
                )  # fmt: skip
                order.exits.append(leg)
                self.orders.append(leg)
                self.turn.append(leg)

    def charge(self, bars: dict[str, Bar]) -> None:
        for symbol in sorted(self.held):
            if self.held[symbol] < 0:
                mark = bars[symbol].close if symbol in bars else self.cost[symbol]
                self.pay(symbol, -self.held[symbol] * mark, self.rules.borrow)
        if self.cash < 0:
            self.pay(None, -self.cash, self.rules.credit)

    def pay(self, symbol: str | None, value: Decimal, rate: Decimal) -> None:
        fee = (value * rate / 10_000 / 252).quantize(CENT, ROUND_HALF_EVEN)
        if fee:
            self.cash -= fee
            self.fees.append((symbol, fee))

    def chance(self, text: str) -> Decimal:
        word = hashlib.sha256(f"{self.seed}:{text}".encode()).hexdigest()[:8]
        return D(int(word, 16)) / 4_294_967_296

    def slip(self, order: Order, price: Decimal, shares: int, volume: int) -> Decimal:
        root = (D(shares) / D(volume)).sqrt()
        points = (D(self.rules.spread) / 2 + self.rules.impact * root) * (D("0.5") + self.chance(order.name)) / 10_000
        moved = price * (1 - points) if order.sells else price * (1 + points)
        paid = max(CENT, moved.quantize(CENT, ROUND_HALF_EVEN))
        if order.limit is not None:
            paid = max(paid, order.limit) if order.sells else min(paid, order.limit)
        return paid

    def book(self, symbol: str, change: int, price: Decimal) -> None:
        before, after = self.held[symbol], self.held[symbol] + change
        if before * change >= 0:
            average = (self.cost[symbol] * abs(before) + price * abs(change)) / abs(after)
            self.cost[symbol] = average.quantize(D("0.000001"), ROUND_HALF_EVEN)
        elif before * after < 0:
            self.cost[symbol] = price
        self.held[symbol] = after

    def split(self, action: CorporateAction) -> None:
        held, sign = abs(self.held[action.symbol]), 1 if self.held[action.symbol] > 0 else -1
        if held:
            average = ((self.cost[action.symbol] - action.cash) / action.ratio).quantize(D("0.000001"), ROUND_HALF_EVEN)
            exact = held * action.ratio
            whole = exact.to_integral_value(ROUND_FLOOR)
            paid = sign * (action.cash * held + (exact - whole) * average)
            self.cash += paid.quantize(CENT, ROUND_HALF_EVEN)
            self.held[action.symbol], self.cost[action.symbol] = sign * int(whole), average
        for order in self.living():
            if order.symbol != action.symbol:
                continue
            order.left = int((order.left * action.ratio).to_integral_value(ROUND_DOWN))
            order.alive = order.left > 0
            for name in ("stop", "limit", "line", "profit", "loss", "loss_limit"):
                price = getattr(order, name)
                if price is not None:
                    moved = ((price - action.cash) / action.ratio).quantize(CENT, ROUND_HALF_EVEN)
                    setattr(order, name, max(CENT, moved))
            if order.trail is not None:
                order.trail = max(CENT, (order.trail / action.ratio).quantize(CENT, ROUND_HALF_EVEN))

    def living(self) -> list[Order]:
        return [order for order in self.orders if order.alive]
