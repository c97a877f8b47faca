"""A broker that says what the test wrote down, and the book it is compared with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from memory.tables import BreakRow, FillRow, LedgerRow, OrderRow, RunRow
from pipeline import reconciliation
from pipeline.reconciliation import Occasion
from pipeline.store import Store
from pipeline.submission import add_order
from tests.pipeline import life
from tools.errors import RetryableToolError
from tools.execution.reconciliation.types import Report
from tools.execution.types import BrokerOrder, Fill, Leg, OrderRequest, OrderState
from tools.types import Tick

D = Decimal
CLOSE = Tick(session=life.SESSION, phase="close", as_of=life.AS_OF)


class Scripted:
    """One account at no venue."""

    name = "scripted"

    def __init__(self) -> None:
        self.orders: dict[str, BrokerOrder] = {}
        self.executions: list[Fill] = []
        self.held: dict[str, int] = {}
        self.money = D(1_000_000)
        self.silent = False
        self.raising: Exception | None = None
        self.sent: list[str] = []

    def _ask(self) -> None:
        if self.silent:
            raise RetryableToolError("no answer", code="broker_unreachable")

    def submit(self, request: OrderRequest) -> BrokerOrder:
        self._ask()
        self.sent.append(request.client_order_id)
        if self.raising is not None:
            raise self.raising
        self.orders[request.client_order_id] = word(request.client_order_id, quantity=request.quantity)
        return self.orders[request.client_order_id]

    def find(self, client_order_id: str) -> BrokerOrder | None:
        self._ask()
        return self.orders.get(client_order_id)

    def cancel(self, client_order_id: str) -> BrokerOrder:
        self._ask()
        self.orders[client_order_id] = self.orders[client_order_id].model_copy(update={"state": OrderState.CANCELLED})
        return self.orders[client_order_id]

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        self._ask()
        ended = ("filled", "cancelled", "rejected", "expired", "replaced", "denied")
        return tuple(order for order in self.orders.values() if order.state.value not in ended)

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        self._ask()
        return tuple(item for item in self.executions if item.sequence > after_sequence)

    def positions(self) -> dict[str, int]:
        self._ask()
        return {symbol: quantity for symbol, quantity in self.held.items() if quantity}

    def cash(self) -> Decimal:
        self._ask()
        return self.money

    def fill(self, name: str, quantity: int, price: str = "120", **changes: Any) -> Fill:
        """Execute shares of an order, known here or not, and move the account."""
        number = len(self.executions) + 1
        body: dict[str, Any] = {
            "execution_id": f"exec-{number}", "sequence": number, "client_order_id": name, "symbol": "IBM",
            "side": "buy", "quantity": quantity, "price": D(price), "commission": D(1), "reference_price": D(price),
            "session": life.SESSION, "at": life.AS_OF, **changes,
        }  # fmt: skip
        made = Fill.model_validate(body)
        self.executions.append(made)
        sign = 1 if made.side == "buy" else -1
        self.held[made.symbol] = self.held.get(made.symbol, 0) + sign * quantity
        self.money -= sign * made.price * quantity + made.commission
        order = self.orders.get(name)
        if order is not None:
            filled = order.filled_quantity + quantity
            state = OrderState.FILLED if filled >= order.quantity else OrderState.PARTIALLY_FILLED
            self.orders[name] = order.model_copy(update={"filled_quantity": filled, "state": state})
        return made


def word(name: str = "o1", state: OrderState = OrderState.NEW, **changes: Any) -> BrokerOrder:
    body: dict[str, Any] = {
        "client_order_id": name, "broker_order_id": f"b-{name}", "symbol": "IBM", "side": "buy", "quantity": 100,
        "order_type": "market", "state": state, **changes,
    }  # fmt: skip
    return BrokerOrder.model_validate(body)


def write(store: Store, name: str = "o1", state: str = "new", *, leg: Leg = "entry", **changes: Any) -> None:
    """An order of ours, said to the broker already."""
    body: dict[str, Any] = {
        "client_order_id": name, "symbol": "IBM", "side": "buy", "quantity": 100, "order_type": "market",
        "time_in_force": "day",
    }  # fmt: skip
    request = OrderRequest.model_validate({**body, **changes})
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        row = add_order(
            session, run, request, case_id=f"case-{name}", grant_id=f"grant-{name}", leg=leg, attempt=1, at=CLOSE
        )
        row.state = state
        session.add(row)
    life.tamper(store, "UPDATE outbox SET status = 'done'")


def order(store: Store, name: str = "o1") -> OrderRow:
    with store.db.read() as session:
        return session.get_one(OrderRow, name)


def run_row(store: Store) -> RunRow:
    with store.db.read() as session:
        return session.get_one(RunRow, life.RUN)


def compare(store: Store, broker: Scripted, occasion: Occasion = "timer") -> Report:
    return reconciliation.reconcile(store, broker, life.MARKET, life.RUN, CLOSE, occasion)


def breaks(store: Store, *status: str) -> list[tuple[str, str]]:
    """Kind and subject of the breaks with a status, open ones unless it says so."""
    with store.db.read() as session:
        query = select(BreakRow).where(col(BreakRow.status).in_(status or ("open",)))
        return [(row.kind, row.subject) for row in session.exec(query.order_by(col(BreakRow.opened), BreakRow.kind))]


def the_break(session: Session) -> BreakRow:
    return session.exec(select(BreakRow)).one()


def fills(store: Store) -> list[FillRow]:
    with store.db.read() as session:
        return list(session.exec(select(FillRow).order_by(FillRow.execution_id)).all())


def recorded(store: Store) -> list[str]:
    with store.db.read() as session:
        return list(session.exec(select(LedgerRow.kind).order_by(col(LedgerRow.seq))).all())
