"""Compare two books of one account. Pure: what ours says and what the broker says in, the differences out.

One cause gives one break: an execution that is not booked explains the position and the cash that follow from it, and
an order about which something is still to be said is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tools.canonical import decimal_text
from tools.execution.positions import cash_effect
from tools.execution.reconciliation.types import Break, BrokerBook, OwnBook, OwnFill, OwnOrder
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderState

CASH = "cash"
LOOK = "See the order at the broker; adopt its state or explain the difference."


class _Move(NamedTuple):
    """Shares and money by which the broker's book is to be changed before it is compared with ours."""

    symbol: str
    shares: int
    cash: Decimal


def compare(
    ours: OwnBook, theirs: BrokerBook, *, as_of: datetime, cash_tolerance: Decimal = Decimal(0)
) -> tuple[Break, ...]:
    """Every difference between two books, in the order of kind and subject.

    Executions later than `as_of` are no difference yet; they, and those that are breaks themselves, are taken out of
    the broker's positions and cash before these are compared. Cash may differ by less than `cash_tolerance`.
    """
    heard = {fill.execution_id: fill for fill in (*theirs.fills, *ours.strange)}
    unbooked = [fill for name, fill in sorted(heard.items()) if name not in ours.fills]
    found: list[Break] = [_unbooked(fill, theirs) for fill in unbooked if fill.at <= as_of]
    moves = [_move(fill, -1) for fill in unbooked]
    coming: Counter[str] = Counter()
    for fill in unbooked:
        coming[fill.client_order_id] += fill.quantity
    for name, mine in sorted(ours.fills.items()):
        there = heard.get(name)
        if mine.amended:
            continue
        if there is None and theirs.whole and mine.quantity:
            found.append(_missing_fill(mine))
            moves.append(_move(mine, 1))
            coming[mine.client_order_id] -= mine.quantity
        elif there is not None and _differs(mine, there):
            found.append(_differing_fill(mine, there))
            moves.append(_move(there, -1))
            coming[mine.client_order_id] += there.quantity - mine.quantity
            if mine.quantity:
                moves.append(_move(mine, 1))
    found += _orders(ours, theirs, coming)
    found += _positions(ours, theirs, moves)
    found += _cash(ours, theirs, moves, cash_tolerance)
    return tuple(sorted(found, key=lambda item: (item.kind, item.subject)))


def _orders(ours: OwnBook, theirs: BrokerBook, coming: Counter[str]) -> Iterator[Break]:
    for there in theirs.orders:
        mine = ours.orders.get(there.client_order_id)
        if mine is None:
            if there.state not in TERMINAL:
                yield _foreign(there)
        elif not mine.in_flight:
            yield from _one_order(mine, there, coming[there.client_order_id])
    for name in sorted(theirs.absent):
        mine = ours.orders.get(name)
        if mine is not None and not mine.in_flight and mine.state not in TERMINAL:
            yield Break(
                kind="order_missing_at_broker", subject=name, symbol=mine.symbol, ours=_order_text(mine),
                theirs="no such order",
                message=f"{name} ({_order_text(mine)} {mine.symbol}) is not known to the broker",
                remedy="Ask the broker by phone or on its site; adopt ends it here, explain keeps it.",
            )  # fmt: skip


def _one_order(mine: OwnOrder, there: BrokerOrder, coming: int) -> Iterator[Break]:
    """At most one difference of an order: its terms, else what it filled, else its state."""
    name, filled = mine.client_order_id, mine.filled + coming
    if (mine.symbol, mine.side, mine.quantity) != (there.symbol, there.side, there.quantity):
        yield _order_break(
            "order_terms", mine, there, f"{mine.side} {mine.quantity} {mine.symbol}",
            f"{there.side} {there.quantity} {there.symbol}", f"{name} has other terms at the broker",
        )  # fmt: skip
    elif there.filled_quantity != filled:
        yield _order_break(
            "order_filled",
            mine,
            there,
            f"{filled} filled",
            f"{there.filled_quantity} filled",
            f"{name} in {mine.symbol} filled {filled} by its executions and {there.filled_quantity} by the broker",
        )
    elif not _same_state(mine.state, there.state, coming):
        yield _order_break(
            "order_state",
            mine,
            there,
            mine.state.value,
            there.state.value,
            f"{name} in {mine.symbol} is {mine.state.value} here and {there.state.value} at the broker",
        )


def _same_state(mine: OrderState, there: OrderState, coming: int) -> bool:
    """Live states are not told apart, but unknown is one; executions that differ explain an end that does."""
    if mine in TERMINAL or there in TERMINAL:
        return mine is there or coming != 0
    return mine is not OrderState.UNKNOWN or there is OrderState.UNKNOWN


def _positions(ours: OwnBook, theirs: BrokerBook, moves: list[_Move]) -> Iterator[Break]:
    there = Counter(theirs.positions)
    for move in moves:
        there[move.symbol] += move.shares
    for symbol in sorted(ours.positions.keys() | there.keys()):
        mine = ours.positions.get(symbol, 0)
        if mine != there[symbol]:
            yield Break(
                kind="position", subject=symbol, symbol=symbol, ours=str(mine), theirs=str(there[symbol]),
                message=f"{symbol}: {mine} shares here and {there[symbol]} at the broker",
                remedy="Find the missing execution or transfer; adopt takes the broker's count, explain keeps ours.",
            )  # fmt: skip


def _cash(ours: OwnBook, theirs: BrokerBook, moves: list[_Move], tolerance: Decimal) -> Iterator[Break]:
    there = theirs.cash + sum((move.cash for move in moves), Decimal(0))
    difference = there - ours.cash
    if difference and abs(difference) >= tolerance:
        mine, said = decimal_text(ours.cash), decimal_text(there)
        yield Break(
            kind="cash", subject=CASH, symbol=None, ours=mine, theirs=said,
            message=f"cash is {mine} here and {said} at the broker, {decimal_text(difference)} apart",
            remedy="Find the fee, dividend or transfer; adopt takes the broker's cash. Until then nothing is added.",
        )  # fmt: skip


def _order_break(kind: str, mine: OwnOrder, there: BrokerOrder, own: str, said: str, message: str) -> Break:
    return Break.model_validate(
        {
            "kind": kind, "subject": mine.client_order_id, "symbol": mine.symbol, "ours": own, "theirs": said,
            "message": message, "remedy": LOOK, "order": there,
        }
    )  # fmt: skip


def _foreign(there: BrokerOrder) -> Break:
    text = f"{there.side} {there.quantity} {there.symbol} {there.order_type.replace('_', ' ')}"
    return Break(
        kind="foreign_order", subject=there.client_order_id, symbol=there.symbol, ours="no such order",
        theirs=f"{text}, {there.state.value}, {there.filled_quantity} filled", order=there,
        message=f"{text} was placed outside the desk ({there.client_order_id})",
        remedy="Find who placed it; adopt it into the book, or leave it at the broker and out of the book.",
    )  # fmt: skip


def _unbooked(fill: Fill, theirs: BrokerBook) -> Break:
    order = next((item for item in theirs.orders if item.client_order_id == fill.client_order_id), None)
    text = _fill_text(fill.side, fill.quantity, fill.symbol, fill.price)
    return Break(
        kind="fill_unbooked", subject=fill.execution_id, symbol=fill.symbol, ours="not booked", theirs=text, fill=fill,
        order=order, message=f"execution {fill.execution_id} ({text}) of {fill.client_order_id} is not in our book",
        remedy="Find whose order it was; adopt books it, leave keeps it out of the book.",
    )  # fmt: skip


def _missing_fill(mine: OwnFill) -> Break:
    text = _fill_text(mine.side, mine.quantity, mine.symbol, mine.price)
    return Break(
        kind="fill_missing_at_broker", subject=mine.execution_id, symbol=mine.symbol, ours=text,
        theirs="no such execution", message=f"execution {mine.execution_id} ({text}) is not known to the broker",
        remedy="Ask whether it was busted; adopt takes it out of our book, explain keeps it.",
    )  # fmt: skip


def _differing_fill(mine: OwnFill, there: Fill) -> Break:
    own = _fill_text(mine.side, mine.quantity, mine.symbol, mine.price)
    said = _fill_text(there.side, there.quantity, there.symbol, there.price)
    return Break(
        kind="fill_differs", subject=mine.execution_id, symbol=mine.symbol, ours=own, theirs=said, fill=there,
        message=f"execution {mine.execution_id} is {own} here and {said} at the broker",
        remedy="Ask whether it was corrected; adopt takes the broker's terms, explain keeps ours.",
    )  # fmt: skip


def _differs(mine: OwnFill, there: Fill) -> bool:
    return (mine.symbol, mine.side, mine.quantity, mine.price, mine.commission) != (
        there.symbol, there.side, there.quantity, there.price, there.commission,
    )  # fmt: skip


def _order_text(order: OwnOrder) -> str:
    return f"{order.side} {order.quantity}, {order.state.value}, {order.filled} filled"


def _fill_text(side: str, quantity: int, symbol: str, price: Decimal) -> str:
    return f"{side} {quantity} {symbol} at {decimal_text(price)}" if quantity else "busted"


def _move(fill: Fill | OwnFill, times: int) -> _Move:
    signed = fill.quantity if fill.side == "buy" else -fill.quantity
    return _Move(fill.symbol, times * signed, times * cash_effect(fill))
