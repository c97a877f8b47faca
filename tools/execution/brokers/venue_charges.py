"""What an account of the simulated venue pays each session for what it holds: borrowed stock and credit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from tools.canonical import stable_id
from tools.execution.brokers.venue_account import VenueAccount
from tools.execution.costs import session_fee
from tools.execution.types import Charge
from tools.execution.venue_terms import VenueTerms
from tools.types import Tick


def charge_session(account: VenueAccount, tick: Tick, closes: Mapping[str, Decimal], terms: VenueTerms) -> None:
    """Take the fees of a session: each short on its value at the close (without one: at its average price), then
    interest on what cash is below zero after that."""
    for item in account.positions() if terms.borrow.annual_bps else ():
        value = max(0, -item.quantity) * closes.get(item.symbol, item.average_price)
        _take(account, tick, "borrow", item.symbol, session_fee(value, terms.borrow.annual_bps))
    if terms.credit_bps:
        _take(account, tick, "interest", None, session_fee(max(Decimal(0), -account.cash()), terms.credit_bps))


def charges(account: VenueAccount, after_sequence: int) -> tuple[Charge, ...]:
    """Charges with a higher sequence, ascending."""
    rows = account.db.execute(
        "SELECT charge FROM charges WHERE account = ? AND sequence > ? ORDER BY sequence",
        (account.name, after_sequence),
    ).fetchall()
    return tuple(Charge.model_validate_json(row[0]) for row in rows)


def _take(
    account: VenueAccount, tick: Tick, kind: Literal["borrow", "interest"], symbol: str | None, amount: Decimal
) -> None:
    if amount <= 0:
        return
    (last,) = account.db.execute(
        "SELECT COALESCE(MAX(sequence), 0) FROM charges WHERE account = ?", (account.name,)
    ).fetchone()
    charge = Charge(
        charge_id=stable_id("charge", account.name, kind, symbol, tick.session), sequence=last + 1, kind=kind,
        symbol=symbol, amount=amount, session=tick.session, at=tick.as_of,
    )  # fmt: skip
    account.db.execute(
        "INSERT INTO charges VALUES (?, ?, ?)", (account.name, charge.sequence, charge.model_dump_json())
    )
    account.add_cash(-amount)
