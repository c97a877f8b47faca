"""What the tests of halts need: a venue that holds what the book holds, working orders, and a broker that fails."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlmodel import select

from memory.tables import CaseRow, HaltRow, OrderRow, PositionRow, RunRow
from pipeline import execution
from pipeline.store import Store
from pipeline.submission import OpenMarket
from pipeline.venue import open_broker
from tests.pipeline import life
from tests.pipeline.life import AS_OF, OPEN_TICK, SESSION, Question, say, submit
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.brokers.simulation import SimulationBroker
from tools.execution.types import BrokerOrder, Fill, OrderRequest, OrderState
from tools.types import Tick

EARLIER = Tick(session=SESSION, phase="open", as_of=AS_OF.replace(hour=14, minute=30))
PRICES = {name: Decimal("120.6") for name in ("IBM", "MSFT", "GE")}
OPEN = OpenMarket(
    tick=OPEN_TICK, opens=PRICES, adv={name: Decimal(500_000_000) for name in PRICES},
    groups={name: frozenset({name}) for name in PRICES},
)  # fmt: skip


def venue(store: Store) -> SimulationBroker:
    with store.db.read() as session:
        broker = open_broker(store, session.get_one(RunRow, life.RUN))
    assert isinstance(broker, SimulationBroker)
    return broker


def own(store: Store, holdings: Mapping[str, int], **changes: object) -> SimulationBroker:
    """Hold shares in the book and at the venue alike."""
    broker = venue(store)
    for symbol, quantity in holdings.items():
        broker.submit(
            OrderRequest(
                client_order_id=f"seed-{symbol}", symbol=symbol, side="buy", quantity=quantity, order_type="market",
                time_in_force="opg",
            )
        )  # fmt: skip
        life.hold(store, quantity, symbol, **changes)
    broker.match_open(EARLIER, {name: Decimal(120) for name in holdings}, dict.fromkeys(holdings, 1e9))
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        run.broker_sequence = len(holdings)
        session.add(run)
    return broker


def asked(store: Store, number: int, symbol: str = "IBM", reasoner: str = "rules") -> Question:
    """A question that waits, on a case that this reasoner reviewed."""
    question = life.ask(store, life.proposal(number, symbol=symbol))
    with store.db.write() as session:
        case = session.get_one(CaseRow, question.case_id)
        case.review = {"reasoner": reasoner}
        session.add(case)
    return question


def unsent(store: Store, number: int, symbol: str = "IBM", reasoner: str = "rules") -> Question:
    """An order that is written and that nobody began to send."""
    question = asked(store, number, symbol, reasoner)
    say(store, question)
    assert submit(store, question, OPEN).value == "submitted"
    return question


def working(store: Store, number: int, symbol: str = "IBM", reasoner: str = "rules") -> Question:
    """An order that rests at the venue."""
    question = unsent(store, number, symbol, reasoner)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    return question


def order_of(store: Store, question: Question) -> OrderRow:
    with store.db.read() as session:
        return session.exec(select(OrderRow).where(OrderRow.case_id == question.case_id)).one()


def halt_row(store: Store, halt_id: str) -> HaltRow:
    with store.db.read() as session:
        return session.get_one(HaltRow, halt_id)


def children(store: Store) -> dict[str, int]:
    """Quantities of flatten orders by symbol."""
    with store.db.read() as session:
        rows = session.exec(select(OrderRow).where(OrderRow.leg == "flatten").order_by(OrderRow.symbol)).all()
    total: dict[str, int] = {}
    for row in rows:
        total[row.symbol] = total.get(row.symbol, 0) + row.quantity
    return total


class PoorBroker:
    """A broker in memory that can be told to time out, to refuse and to fill in parts."""

    @property
    def name(self) -> str:
        return "poor"

    def cash(self) -> Decimal:
        return Decimal(0)

    def __init__(self, held: dict[str, int]) -> None:
        self.held = dict(held)
        self.orders: dict[str, BrokerOrder] = {}
        self.silent: set[str] = set()
        self.refusing: set[str] = set()
        self.pending: set[str] = set()
        self.deaf = False
        self.calls: list[str] = []

    def _reach(self, what: str, name: str) -> None:
        self.calls.append(what)
        if self.deaf or name in self.silent:
            raise RetryableToolError(f"timed out while asked to {what} {name}", code="broker_unreachable")

    def submit(self, request: OrderRequest) -> BrokerOrder:
        self._reach("submit", request.client_order_id)
        known = self.orders.get(request.client_order_id)
        if known is not None:
            return known
        self.orders[request.client_order_id] = BrokerOrder(
            client_order_id=request.client_order_id, broker_order_id=f"b-{request.client_order_id}",
            symbol=request.symbol, side=request.side, quantity=request.quantity, order_type=request.order_type,
            limit_price=request.limit_price, stop_price=request.stop_price, state=OrderState.NEW,
        )  # fmt: skip
        return self.orders[request.client_order_id]

    def find(self, client_order_id: str) -> BrokerOrder | None:
        self._reach("find", client_order_id)
        return self.orders.get(client_order_id)

    def cancel(self, client_order_id: str) -> BrokerOrder:
        self._reach("cancel", client_order_id)
        known = self.orders.get(client_order_id)
        if known is None:
            raise ExecutionError(f"no order {client_order_id}", code="unknown_order")
        if client_order_id in self.refusing:
            raise ExecutionError("too late to cancel", code="cancel_rejected")
        if known.state is OrderState.NEW:
            state = OrderState.PENDING_CANCEL if client_order_id in self.pending else OrderState.CANCELLED
            self.orders[client_order_id] = known.model_copy(update={"state": state})
        return self.orders[client_order_id]

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        self._reach("open_orders", "")
        return tuple(order for order in self.orders.values() if order.state is OrderState.NEW)

    def fills(self, after_sequence: int) -> tuple[Fill, ...]:
        return ()

    def positions(self) -> dict[str, int]:
        self._reach("positions", "")
        return {symbol: quantity for symbol, quantity in self.held.items() if quantity}

    def open_market(self, store: Store, share: float) -> int:
        """Fill this share of every resting flatten order, end it, and book it as the engine would; shares traded."""
        done = 0
        for name, order in list(self.orders.items()):
            if order.state is not OrderState.NEW or not name.startswith("qd-flatten"):
                continue
            part = int(order.quantity * share)
            sign = 1 if order.side == "buy" else -1
            self.held[order.symbol] += sign * part
            ended = OrderState.FILLED if part == order.quantity else OrderState.EXPIRED
            self.orders[name] = order.model_copy(update={"state": ended, "filled_quantity": part})
            with store.db.write() as session:
                row = session.get_one(OrderRow, name)
                row.filled_quantity, row.state = part, ended.value
                position = session.get_one(PositionRow, (life.RUN, order.symbol))
                position.quantity += sign * part
                session.add(row)
                session.add(position)
            done += part
        life.move_clock(store, _index(store) + 1)
        return done


def _index(store: Store) -> int:
    with store.db.read() as session:
        return session.get_one(RunRow, life.RUN).session_index
