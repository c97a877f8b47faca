"""Borrowed stock and credit cost a 252nd of their annual rate each session, once."""

from __future__ import annotations

from decimal import Decimal

from tests.tools.execution.brokers.venue_help import closing, make, opening, order, tick

D = Decimal


def test_a_short_pays_on_its_value_at_each_close() -> None:
    broker = make(borrow={"annual_bps": 2_520, "limits": {"IBM": 500}})
    broker.submit(order(side="sell", quantity=300))
    opening(broker, "100")
    closing(broker, "100 111 99 110")
    closing(broker, "100 111 99 110")
    (charge,) = broker.charges(0)
    assert (charge.kind, charge.symbol, charge.amount, charge.sequence) == ("borrow", "IBM", D(33), 1)
    assert broker.cash() == D(1_000_000 + 30_000 - 33)
    opening(broker, "120", 1)
    broker.match_close(tick("close", 1), {})
    (later,) = broker.charges(1)
    assert (later.amount, later.session) == (D(30), tick("close", 1).session)


def test_credit_pays_on_cash_below_zero_after_the_borrow_fee() -> None:
    broker = make(cash=10_000, initial_margin="0.5", credit_bps=252, borrow={"annual_bps": 252, "limits": {"IBM": 9}})
    broker.submit(order(quantity=150))
    opening(broker, "100")
    closing(broker, "100 101 99 100")
    assert [(one.kind, one.symbol, one.amount) for one in broker.charges(0)] == [("interest", None, D("0.50"))]
    assert broker.cash() == D("-5000.50")


def test_the_default_terms_charge_nothing() -> None:
    broker = make()
    broker.submit(order())
    opening(broker, "100")
    closing(broker, "100 101 99 100")
    assert broker.charges(0) == ()
