"""Random fault schedules through the order manager: what may go wrong on the wire, at any moment, by a seed.

    python -m tests.drills.schedules --count 1000 --seed 0 --json

Each schedule gives granted parents to the execution of a desk and lets REST and stream misbehave, the process die at
its named moments, people cancel, trade beside the desk and take executions back, and the halt program run. Then the
venue is well again and three things must hold: no order was sent twice, no fill was booked twice, and every order is
known and as the venue has it, or an open break blocks its symbol. Both books are equal to the cent, or an open break
says that they are not.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from pipeline import execution, protection
from tests.drills.order_desk import ROUND_S, SYMBOLS, OrderDesk
from tests.peers.alpaca_peer import FAULTS, STREAM_FAULTS, AlpacaPeer
from tools.execution.brokers.alpaca import DOUBT_S
from tools.execution.brokers.alpaca_words import STATES

ROUNDS = 6
"""While things go wrong; the last two are after the open, when nothing that adds risk may be sent any more."""
AT_VENUE = ("new", "partially_filled")
POINTS = ("before_broker_submit", "after_broker_submit", "before_fill_commit", "after_fill_commit", "after_stop_cancel")


class Verdict(NamedTuple):
    """One schedule: what it met, and what it broke (nothing, if all is well)."""

    seed: int
    met: Counter[str]
    wrong: tuple[str, ...]


@contextmanager
def order_desk(folder: Path) -> Iterator[OrderDesk]:
    """A desk and its peer, with the named moments of the code in the schedule's hands."""
    with AlpacaPeer() as peer:
        desk = OrderDesk(folder, peer)
        modules = (execution, protection)
        kept = [module.reach for module in modules]
        for module in modules:
            module.reach = desk.reach  # type: ignore[attr-defined]
        try:
            yield desk
        finally:
            for module, reach in zip(modules, kept, strict=True):
                module.reach = reach  # type: ignore[attr-defined]
            desk.close()
            desk.store.db.dispose()


def drive(desk: OrderDesk, seed: int) -> Verdict:
    """Play one schedule to its end and judge it."""
    draw, peer = random.Random(seed), desk.peer
    cash = Decimal(draw.choice([3_000, 100_000]))
    peer.reset(seed, cash=cash)
    peer.book.refuse_duplicates = draw.random() < 0.5
    desk.begin(seed, cash)
    peer.rates = dict.fromkeys(draw.sample(FAULTS, 5), draw.choice([0.03, 0.08, 0.15]))
    peer.stream_rates = dict.fromkeys(STREAM_FAULTS, draw.choice([0.0, 0.05, 0.15]))
    dying, stops, halting = draw.random() < 0.4, draw.random() < 0.4, draw.random() < 0.2
    meddling, quiet = draw.random() < 0.15, draw.random() < 0.4
    fates = random.Random(seed + 1)
    desk.deaths, desk.fate = 0, lambda point: dying and fates.random() < 0.04
    names: list[str] = []
    for number in range(ROUNDS):
        peer.lively = not quiet or draw.random() < 0.4
        if number < 4:
            names.append(_grant(desk, draw, number))
        if draw.random() < 0.2:
            desk.cancel(draw.choice(names))
        if draw.random() < 0.3 and (there := [o.client_order_id for o in desk.orders() if o.state in AT_VENUE]):
            desk.cancel(draw.choice(there))
        if halting and number == 2:
            desk.halt(draw, names)
        if meddling and number == ROUNDS - 1:
            _meddle(desk, draw)
        desk.round(missed=number >= ROUNDS - 2, stops=stops)
        if draw.random() < 0.15:
            desk.restart()
        if draw.random() < 0.3:
            desk.reconcile()
    desk.fate = lambda point: False
    _recover(desk, stops=stops)
    return Verdict(seed, _met(desk, halting), wrong(desk))


def _meddle(desk: OrderDesk, draw: random.Random) -> None:
    """At the venue somebody trades beside the desk, or an execution is taken back; the stream may lose that."""
    book = desk.peer.book
    with desk.peer.lock:
        if draw.random() < 0.5 or not book.activities:
            name = f"by-hand-{desk.run_id}"
            book.submit(
                {"symbol": "DELL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day",
                 "client_order_id": name}
            )  # fmt: skip
            book.fill(name, draw.randint(1, 3))
        else:
            book.amend(draw.choice(book.activities))
        desk.peer.publish()


def _grant(desk: OrderDesk, draw: random.Random, number: int) -> str:
    if number == 3:
        return desk.grant(number, "GE", "sell", draw.randint(1, 40), limit=None)
    symbol = draw.choice(SYMBOLS)
    limit = draw.choice([None, desk.peer.book.prices[symbol]])
    return desk.grant(number, symbol, "buy", draw.randint(1, 25), limit=limit)


def _recover(desk: OrderDesk, *, stops: bool) -> None:
    """The venue is well, every doubt grows old, and the market has nothing more to do with what is open."""
    desk.peer.calm()
    desk.restart()
    for _ in range(2):
        desk.clock += DOUBT_S
        desk.round(missed=True, stops=stops)
    desk.peer.lively = False
    with desk.peer.lock:
        for order in desk.peer.book.open_orders():
            if order["status"] == "pending_cancel":
                desk.peer.book.finish(order["client_order_id"])
        desk.peer.publish()
    desk.round(missed=True, stops=False)
    desk.clock += ROUND_S
    assert desk.reconcile("asked") is None


def _met(desk: OrderDesk, halting: bool) -> Counter[str]:
    met = Counter({"orders": len(desk.orders()), "fills": len(desk.fills()), "deaths": desk.deaths})
    met.update(f"order {order.state}" for order in desk.orders())
    met["sendings lost"] = sum(method == "POST" for method, _ in desk.peer.requests) - len(desk.peer.book.orders)
    met["open breaks"], met["halts"] = len(desk.breaks()), int(halting)
    return met


def wrong(desk: OrderDesk) -> tuple[str, ...]:
    """Each property that does not hold, in a sentence."""
    return tuple(_wrong(desk))


def _wrong(desk: OrderDesk) -> Iterator[str]:
    book = desk.peer.book
    if again := sorted(+book.again):
        yield f"accepted, and sent again: {again}"
    booked = Counter(row.execution_id for row in desk.fills() if row.case_id is not None)
    if twice := [name for name, count in booked.items() if count > 1]:
        yield f"booked twice: {twice}"
    traded = {row["id"] for row in book.activities}
    if booked.keys() - traded:
        yield f"booked and never traded: {sorted(booked.keys() - traded)}"
    broken = {row.symbol for row in desk.breaks()}
    there = {order["client_order_id"]: order for order in book.orders.values()}
    for order in desk.orders():
        known = there.pop(order.client_order_id, None)
        if known is None:
            agrees = order.state in ("denied", "rejected") and not order.filled_quantity
        else:
            theirs = (STATES[known["status"]].value, int(Decimal(known["filled_qty"])))
            agrees = (order.state, order.filled_quantity) == theirs
        if not agrees and not (order.symbol in broken and desk.blocks(order.symbol)):
            said = "nowhere" if known is None else f"{known['status']} with {known['filled_qty']} filled"
            yield (
                f"{order.leg} {order.client_order_id} is {order.state} with {order.filled_quantity} of "
                f"{order.quantity} filled here, {said} at the venue, and no open break blocks {order.symbol}"
            )
    for name, symbol in sorted((name, str(order["symbol"])) for name, order in there.items()):
        if not (symbol in broken and desk.blocks(symbol)):
            yield f"{name} is at the venue and not ours, and no open break blocks {symbol}"
    held, cash = desk.books()
    for symbol in SYMBOLS:
        mine, there_held = held.get(symbol, 0), book.positions[symbol]
        if mine != there_held and not (symbol in broken and desk.blocks(symbol)):
            yield f"{symbol}: {mine} here and {there_held} at the venue, without a break"
    if cash != book.cash and not desk.breaks():
        yield f"cash is {cash} here and {book.cash} at the venue, without a break"


def run(count: int, seed: int, folder: Path) -> Iterator[Verdict]:
    """Play `count` schedules from `seed` on."""
    with order_desk(folder) as desk:
        for number in range(seed, seed + count):
            yield drive(desk, number)
        assert desk.store.verify_ledger().verified


def main() -> int:
    """Play them and say what they met; exit status 1 when a property does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.schedules", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="schedules to play (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first; each has the next one (default 0)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    begun, met, broken = time.monotonic(), Counter[str](), {}
    with tempfile.TemporaryDirectory() as folder:
        for verdict in run(given.count, given.seed, Path(folder)):
            met += verdict.met
            if verdict.wrong:
                broken[verdict.seed] = verdict.wrong
    figures = {
        "schedules": given.count, "first_seed": given.seed, "seconds": round(time.monotonic() - begun, 1),
        "met": dict(sorted(met.items())), "wrong": broken,
    }  # fmt: skip
    if given.json:
        print(json.dumps(figures, indent=2))
    else:
        print(
            f"{given.count} schedules in {figures['seconds']} s; "
            + ", ".join(f"{k} {v}" for k, v in sorted(met.items()))
        )
        for number, sentences in broken.items():
            print(f"seed {number}: " + "; ".join(sentences))
        print("every property holds" if not broken else f"{len(broken)} schedules broke a property")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
