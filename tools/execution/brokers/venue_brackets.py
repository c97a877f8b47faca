"""The exits of brackets in one account of the simulated venue, inside its transaction."""

from __future__ import annotations

from tools.execution.brackets import exit_request
from tools.execution.brokers.venue_account import VenueAccount
from tools.execution.brokers.venue_orders import VenueOrder, exits_of, received
from tools.execution.types import OrderState


def exits(account: VenueAccount, client_order_id: str) -> tuple[VenueOrder, ...]:
    """The exits of an entry that appeared so far, the stop first."""
    found = (account.order(leg.client_order_id) for leg in exits_of(account.name, client_order_id))
    return tuple(item for item in found if item is not None)


def follow(account: VenueAccount, item: VenueOrder, filled: int) -> tuple[VenueOrder, ...]:
    """Carry `filled` shares more (below zero: fewer) of an entry or exit to the rest of its bracket.

    Returns the open exits where `item` is the entry.
    """
    if item.working.bracket is not None:
        return _size_exits(account, item, filled)
    parent = item.report.parent_client_order_id
    if parent is None:
        return ()
    for other in exits(account, parent):
        if other.request != item.request:
            account.save_order(_resized(other, -filled, "one_cancels_other"))
    entry = account.order(parent)
    if entry is not None and entry.is_open and item.report.state is OrderState.FILLED:
        account.save_order(entry.reporting(state=OrderState.CANCELLED, reason="exit_filled"))
    return ()


def _size_exits(account: VenueAccount, entry: VenueOrder, filled: int) -> tuple[VenueOrder, ...]:
    name, bracket = entry.request.client_order_id, entry.working.bracket
    assert bracket is not None
    for leg in exits_of(account.name, name):
        known = account.order(leg.client_order_id)
        if known is not None:
            account.save_order(_resized(known, filled, "trade_busted"))
        elif filled > 0 and (asked := exit_request(entry.request, bracket, leg, filled)) is not None:
            account.add_order(received(account.name, asked, parent=name))
    return tuple(item for item in exits(account, name) if item.is_open)


def _resized(item: VenueOrder, change: int, reason: str) -> VenueOrder:
    """An open exit for `change` more shares; cancelled for `reason` where none are left to fill."""
    quantity = item.report.quantity + change
    if not item.is_open:
        return item
    if quantity > item.report.filled_quantity:
        return item.reporting(quantity=quantity)
    return item.reporting(state=OrderState.CANCELLED, reason=reason)
