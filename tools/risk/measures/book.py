"""The book that is measured: positions with everything pending counted as filled, and with one more order in it."""

from __future__ import annotations

from decimal import Decimal

from tools.errors import ToolRejected
from tools.risk.measures.types import Book, Holding
from tools.risk.types import PortfolioView
from tools.types import Side


def book_of(view: PortfolioView, *, pending: bool = True) -> Book:
    """Join positions and, where `pending`, the orders that add risk; ToolRejected `no_equity` without equity."""
    if view.equity <= 0:
        raise ToolRejected(
            f"equity is {view.equity}: shares of equity need a positive one; see the positions", code="no_equity"
        )
    found: dict[str, Holding] = {}
    for held in view.positions:
        if held.quantity:
            found[held.symbol] = Holding(
                symbol=held.symbol, sector=held.sector, value=held.market_value, quantity=held.quantity,
                open_risk=held.open_risk,
            )  # fmt: skip
    for order in view.pending if pending else ():
        quantity = order.quantity if order.side == "buy" else -order.quantity
        found[order.symbol] = _joined(
            found.get(order.symbol), order.symbol, order.sector, quantity, order.price, order.open_risk
        )
    return Book(equity=view.equity, holdings=tuple(found[symbol] for symbol in sorted(found)))


def with_order(
    book: Book, *, symbol: str, sector: str, side: Side, quantity: int, price: Decimal, stop_price: Decimal | None
) -> Book:
    """The book after this order filled at `price`; equity stays, and a holding that reaches zero is gone.

    A reduction takes its part of the holding's open risk along. What opens or adds risks the way to its stop, all of
    its value without one; a short without a stop risks its value.
    """
    if quantity == 0:
        return book
    held = book.holding(symbol)
    before = held.quantity if held else 0
    signed = quantity if side == "buy" else -quantity
    opening = abs(signed) if before * signed >= 0 else max(0, abs(signed) - abs(before))
    per_share = price if stop_price is None else max(Decimal(0), (price - stop_price) * (1 if side == "buy" else -1))
    after = _joined(held, symbol, sector, signed, price, per_share * opening)
    rest = [item for item in book.holdings if item.symbol != symbol]
    if after.quantity:
        rest.append(after)
    return Book(equity=book.equity, holdings=tuple(sorted(rest, key=lambda item: item.symbol)))


def _joined(
    held: Holding | None, symbol: str, sector: str, quantity: int, price: Decimal, added_risk: Decimal
) -> Holding:
    """A holding and a signed change of it; the part that only reduces leaves at the holding's own mark."""
    if held is None:
        return Holding(symbol=symbol, sector=sector, value=price * quantity, quantity=quantity, open_risk=added_risk)
    total = held.quantity + quantity
    if held.quantity * quantity >= 0:
        value, kept = held.value + price * quantity, held.open_risk
    elif held.quantity * total > 0:
        value, kept = held.value * total / held.quantity, held.open_risk * total / held.quantity
    else:
        value, kept = price * total, Decimal(0)
    return Holding(symbol=symbol, sector=held.sector, value=value, quantity=total, open_risk=kept + added_risk)
