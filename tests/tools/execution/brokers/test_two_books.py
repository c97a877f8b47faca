"""The venue's book and one of our own, kept from what the venue says alone, are worth the same at every close."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.execution.brokers.venue_help import make, order, tick
from tools.data.types import Bar, CorporateAction
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.positions import apply_corporate_action, apply_fill, cash_effect
from tools.execution.types import Fill, Position
from tools.types import Side

D = Decimal
NAMES: tuple[str, ...] = ("IBM", "DELL", "GIS")
SESSIONS = 30


class OwnBook:
    """Positions and cash from fills, charges, amendments and corporate actions."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.positions: dict[str, Position] = {}
        self.trades: dict[str, Fill] = {}
        self.heard = 0
        self.charged = 0
        self.amended = 0

    def hear(self, broker: SimulationBroker) -> None:
        for fill in broker.fills(self.heard):
            self.book(fill)
            self.trades[fill.execution_id], self.heard = fill, fill.sequence
        for message in broker.amendments(self.amended):
            assert message.execution is not None
            self.amended += 1
            before = self.trades[message.execution.execution_id]
            other: Side = "sell" if before.side == "buy" else "buy"
            self.book(before.model_copy(update={"side": other, "commission": D(0)}))
            update = {"quantity": message.execution.quantity, "price": message.execution.price, "commission": D(0)}
            after = before.model_copy(update=update)
            if after.quantity:
                self.book(after)
                self.trades[after.execution_id] = after
        for charge in broker.charges(self.charged):
            self.cash -= charge.amount
            self.charged = charge.sequence

    def book(self, fill: Fill) -> None:
        self.positions[fill.symbol] = apply_fill(self.positions.get(fill.symbol), fill)
        self.cash += cash_effect(fill)

    def act(self, action: CorporateAction) -> None:
        if (position := self.positions.get(action.symbol)) is not None:
            self.positions[action.symbol], paid = apply_corporate_action(position, action)
            self.cash += paid


def price(draw: Random, last: Decimal) -> Decimal:
    return max(D(1), (last * draw.randint(960, 1040) / 1000).quantize(D("0.01")))


def session_bar(draw: Random, symbol: str, day: int, last: Decimal) -> Bar:
    four = [price(draw, last) for _ in range(4)]
    at = tick("close", day)
    return Bar(
        symbol=symbol, session=at.session, open=four[0], high=max(four), low=min(four), close=four[1],
        volume=draw.randint(1_000, 60_000), event_time=at.as_of, known_at=at.as_of,
    )  # fmt: skip


def send(broker: SimulationBroker, draw: Random, name: str, last: Decimal) -> None:
    side, kind = draw.choice(["buy", "sell"]), draw.choice(["market", "limit", "stop", "trailing_stop"])
    away = (last * draw.randint(5, 30) / 1000).quantize(D("0.01"))
    up = 1 if side == "buy" else -1
    kinds: dict[str, dict[str, Any]] = {
        "market": {"bracket": {"stop_loss": last - away * 3 * up, "take_profit": last + away * 2 * up}},
        "limit": {"limit_price": last - away * up},
        "stop": {"stop_price": last + away * up},
        "trailing_stop": {"trail_price": away},
    }
    life = draw.choice(["day", "gtc"])
    broker.submit(order(name, side, draw.randint(1, 900), kind, symbol=name[:-4], time_in_force=life, **kinds[kind]))


def live(seed: int) -> tuple[SimulationBroker, OwnBook]:
    """Play sessions of any orders and compare the books at each close."""
    draw, last = Random(seed), {symbol: D(100) for symbol in NAMES}
    broker = make(
        cash=150_000, costs={}, borrow={"annual_bps": 5_000, "limits": dict.fromkeys(NAMES, 2_000)}, credit_bps=900,
        initial_margin="0.4", latency_ticks=seed % 2, reject_rate="0.05",
    )  # fmt: skip
    own = OwnBook(D(150_000))
    for day in range(SESSIONS):
        if day % 8 == 5:
            ratio, paid = draw.choice(["2", "1.5", "0.5"]), draw.choice(["0", "1.25"])
            action = CorporateAction(
                symbol=draw.choice(NAMES), kind="split", ex_date=tick("open", day).session, ratio=D(ratio),
                cash=D(paid), known_at=tick("open").as_of, note="synthetic",
            )  # fmt: skip
            broker.apply_action(action)
            own.act(action)
            last[action.symbol] = ((last[action.symbol] - action.cash) / action.ratio).quantize(D("0.01"))
        bars = {symbol: session_bar(draw, symbol, day, last[symbol]) for symbol in NAMES}
        volumes = {symbol: float(bar.volume) for symbol, bar in bars.items()}
        for number, symbol in enumerate(NAMES):
            send(broker, draw, f"{symbol}{day:02d}a{number}", last[symbol])
        broker.match_open(tick("open", day), {symbol: bar.open for symbol, bar in bars.items()}, volumes)
        for number, symbol in enumerate(NAMES):
            send(broker, draw, f"{symbol}{day:02d}b{number}", bars[symbol].open)
        broker.match_close(tick("close", day), bars)
        amend_one(broker, draw, own.heard)
        own.hear(broker)
        last = {symbol: bar.close for symbol, bar in bars.items()}
        theirs = broker.cash() + sum(last[symbol] * shares for symbol, shares in broker.positions().items())
        ours = own.cash + sum(last[symbol] * position.quantity for symbol, position in own.positions.items())
        assert abs(theirs - ours) <= D("1e-9")
        shares = {symbol: position.quantity for symbol, position in own.positions.items() if position.quantity}
        assert shares == broker.positions()
    return broker, own


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_equity_of_both_books_is_equal_at_every_close(seed: int) -> None:
    live(seed)[0].close()


def test_the_compared_books_hold_shorts_credit_amendments_and_many_trades() -> None:
    broker, own = live(1)
    assert {charge.kind for charge in broker.charges(0)} == {"borrow", "interest"}
    assert (len(own.trades) > 60, own.amended > 2) == (True, True)
    broker.close()


def amend_one(broker: SimulationBroker, draw: Random, heard: int) -> None:
    """Bust or correct the last fill of the session, now and then."""
    new = broker.fills(heard)
    if not new or draw.random() < 0.7:
        return
    if draw.random() < 0.5:
        broker.bust(new[-1].execution_id)
    else:
        broker.correct(new[-1].execution_id, price=new[-1].price + D("0.10"))
