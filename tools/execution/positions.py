"""Position arithmetic: fills and corporate actions, with average cost."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from tools.data.types import CorporateAction
from tools.errors import ExecutionError
from tools.execution.reconciliation.types import OwnFill
from tools.execution.types import Fill, Position

AVERAGE_STEP = Decimal("0.000001")
CENT = Decimal("0.01")


class ActionResult(NamedTuple):
    """A position after a corporate action and the cash it paid."""

    position: Position
    cash: Decimal


class RestingTerms(NamedTuple):
    """Quantity and stop price of a resting order after a corporate action."""

    quantity: int
    stop_price: Decimal | None


def apply_fill(position: Position | None, fill: Fill) -> Position:
    """Book one fill at average cost.

    Adding to a side averages the price (to 1e-6); taking from it realises `(price - average) * quantity` and
    leaves the average; passing through zero realises the old side and opens the new one at the fill's price.
    Commission is not part of it. Raises ExecutionError `wrong_symbol`.
    """
    before = position or Position(symbol=fill.symbol, quantity=0, average_price=Decimal(0))
    if before.symbol != fill.symbol:
        raise ExecutionError(
            f"a fill in {fill.symbol} cannot be booked on a position in {before.symbol}", code="wrong_symbol"
        )
    delta = fill.quantity if fill.side == "buy" else -fill.quantity
    after = before.quantity + delta
    if before.quantity * delta >= 0:
        cost = before.average_price * abs(before.quantity) + fill.price * fill.quantity
        average, realised = (cost / abs(after)).quantize(AVERAGE_STEP), before.realised
    else:
        closed = min(abs(before.quantity), fill.quantity)
        sign = 1 if before.quantity > 0 else -1
        realised = before.realised + (fill.price - before.average_price) * closed * sign
        passed_zero = before.quantity * after < 0
        average = fill.price if passed_zero else before.average_price if after != 0 else Decimal(0)
    return Position(symbol=before.symbol, quantity=after, average_price=average, realised=realised)


def undo_fill(position: Position, fill: Fill) -> Position:
    """Take one booked fill out again, whatever was booked after it.

    Kept exactly: the quantity, and `realised - average * quantity`, which is the money that all fills together moved;
    so equity is as if the fill had never been. The average is what remains of it where the fill added to the present
    side, and stays where it can, else it becomes the fill's price. Raises ExecutionError `wrong_symbol`.
    """
    if position.symbol != fill.symbol:
        raise ExecutionError(
            f"a fill in {fill.symbol} cannot be taken out of a position in {position.symbol}", code="wrong_symbol"
        )
    delta = fill.quantity if fill.side == "buy" else -fill.quantity
    before, after = position.quantity, position.quantity - delta
    moved = position.realised - position.average_price * before + fill.price * delta
    average = position.average_price
    if after == 0:
        average = Decimal(0)
    elif before * after <= 0:
        average = fill.price
    elif before * delta > 0:
        cost = average * abs(before) - fill.price * fill.quantity
        average = (cost / abs(after)).quantize(AVERAGE_STEP) if cost > 0 else average
    return Position(symbol=position.symbol, quantity=after, average_price=average, realised=moved + average * after)


def cash_effect(fill: Fill | OwnFill) -> Decimal:
    """What a fill does to cash: minus price and commission for a buy, plus price less commission for a sell."""
    sign = -1 if fill.side == "buy" else 1
    return sign * fill.price * fill.quantity - fill.commission


def apply_corporate_action(position: Position, action: CorporateAction) -> ActionResult:
    """Apply a split or distribution with effect before the open of its ex-date.

    `cash` per old share is paid out and taken off the average price, so that unrealised profit does not jump;
    `ratio` new shares replace each old one. A fraction of a share is paid in cash at the new average price (no
    market price is known before the open). A short position pays the cash. Raises ExecutionError `wrong_symbol`.
    """
    if position.symbol != action.symbol:
        raise ExecutionError(
            f"an action of {action.symbol} cannot be applied to a position in {position.symbol}", code="wrong_symbol"
        )
    if position.quantity == 0:
        return ActionResult(position, Decimal(0))
    sign = 1 if position.quantity > 0 else -1
    shares = abs(position.quantity)
    average = ((position.average_price - action.cash) / action.ratio).quantize(AVERAGE_STEP)
    exact = shares * action.ratio
    whole = int(exact.to_integral_value(rounding=ROUND_FLOOR))
    paid = sign * (action.cash * shares + (exact - whole) * max(average, Decimal(0)))
    excess = sign * max(Decimal(0), -average) * exact
    after = Position(
        symbol=position.symbol,
        quantity=sign * whole,
        average_price=max(average, Decimal(0)) if whole else Decimal(0),
        realised=position.realised + excess,
    )
    return ActionResult(after, paid.quantize(CENT))


def adjust_resting(quantity: int, stop_price: Decimal | None, action: CorporateAction) -> RestingTerms:
    """Move a resting order's terms to the new share basis: `floor(quantity * ratio)`, `(stop - cash) / ratio`.

    A quantity of 0 means the order has nothing left to do. A stop price never falls below 0.01.
    """
    whole = int((quantity * action.ratio).to_integral_value(rounding=ROUND_FLOOR))
    if stop_price is None:
        return RestingTerms(whole, None)
    return RestingTerms(whole, max(CENT, ((stop_price - action.cash) / action.ratio).quantize(CENT)))
