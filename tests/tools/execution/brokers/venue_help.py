"""A small simulated venue in memory for tests: one symbol, round prices, no slippage unless asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tools.data.types import Bar
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import BrokerOrder, OrderRequest
from tools.execution.venue_terms import VenueTerms
from tools.types import Phase, Tick

D = Decimal
DAY = date(2009, 11, 17)
FREE: dict[str, Any] = {"costs": {"spread_bps": 0, "impact_bps": 0, "commission_per_share": 0, "minimum_commission": 0}}


def make(path: Path = Path(":memory:"), *, cash: int = 1_000_000, **terms: Any) -> SimulationBroker:
    made = VenueTerms.model_validate({**FREE, **terms})
    return SimulationBroker(path, seed=7, starting_cash=D(cash), account="run_1", terms=made)


def tick(phase: Phase, days: int = 0) -> Tick:
    session = DAY + timedelta(days=days)
    at = datetime(session.year, session.month, session.day, 14 if phase == "open" else 21, tzinfo=UTC)
    return Tick(session=session, phase=phase, as_of=at)


def bar(prices: str, days: int = 0, volume: int = 1_000_000) -> Bar:
    """A bar of `open high low close`."""
    opened, high, low, close = (D(price) for price in prices.split())
    at = tick("close", days)
    return Bar(
        symbol="IBM", session=at.session, open=opened, high=high, low=low, close=close, volume=volume,
        event_time=at.as_of, known_at=at.as_of,
    )  # fmt: skip


def opening(broker: SimulationBroker, price: str, days: int = 0, volume: float = 1_000_000) -> None:
    broker.match_open(tick("open", days), {"IBM": D(price)}, {"IBM": volume})


def closing(broker: SimulationBroker, prices: str, days: int = 0, volume: int = 1_000_000) -> None:
    broker.match_close(tick("close", days), {"IBM": bar(prices, days, volume)})


def order(
    name: str = "o1", side: str = "buy", quantity: int = 100, kind: str = "market", **changes: Any
) -> OrderRequest:
    return OrderRequest.model_validate(
        {
            "client_order_id": name, "symbol": "IBM", "side": side, "quantity": quantity, "order_type": kind,
            "time_in_force": "gtc", **changes,
        }
    )  # fmt: skip


def found(broker: SimulationBroker, name: str) -> BrokerOrder:
    known = broker.find(name)
    assert known is not None
    return known


def told(order: BrokerOrder) -> tuple[str, int, str | None]:
    """State, filled quantity and reason."""
    return (order.state.value, order.filled_quantity, order.reason)
