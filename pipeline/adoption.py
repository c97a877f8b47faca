"""A person decides a break: explains it, adopts what the broker has into our book, or leaves it at the broker.

explain  the difference is known and stays as it is; the block ends, other values are a new break
adopt    our book takes the broker's word, under a manual case where an order or shares come in; the block ends
leave    it stays at the broker and out of our book; nothing that adds risk is done in its symbol while it is there
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from memory.tables import AmendmentRow, BreakRow, CaseRow, FillRow, OrderRow, PositionRow, RunRow
from pipeline import amendments, breaks, manual
from pipeline.activation import in_force
from pipeline.approvals import clean_reason
from pipeline.booking import book_on
from pipeline.feed import market_of
from pipeline.order_ends import end_order
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now
from tools.canonical import plain, stable_id
from tools.data.types import MarketData
from tools.errors import ApprovalError, ToolRejected
from tools.execution.positions import apply_fill
from tools.execution.reconciliation.types import Decision
from tools.execution.types import TERMINAL, BrokerOrder, Fill, OrderRequest, OrderState, Position
from tools.risk.types import Limits
from tools.types import CaseState, Review, Side, Tick

STATUS: dict[Decision, str] = {"explain": breaks.EXPLAINED, "adopt": "adopted", "leave": breaks.LEFT}


def decide(store: Store, break_id: str, decision: Decision, *, principal: Principal, reason: str) -> BreakRow:
    """Decide one break for good, in one transaction with its record. Only a named risk officer.

    ApprovalError: unknown, decided (it is closed or decided), stale (our book moved since), invalid, role.
    """
    text = clean_reason(reason)
    if principal.kind != "person":
        raise ApprovalError("only a person decides a break", code="role")
    limits = in_force(store).limits
    with store.db.write() as session:
        confirm(session, principal, needed="risk_officer")
        row = session.get(BreakRow, break_id)
        if row is None:
            raise ApprovalError(f"there is no break {break_id!r}", code="unknown")
        if row.status not in (breaks.OPEN, breaks.LEFT) or row.status == STATUS[decision]:
            raise ApprovalError(
                f"break {break_id} is {row.status}" + (f" by {row.principal}" if row.principal else ""), code="decided"
            )
        run = session.get_one(RunRow, row.run_id)
        content: dict[str, Any] = {"principal": principal.name, "reason": text}
        if decision == "adopt":
            content |= _Adoption(session, run, row, limits, text, lambda: market_of(store, run)).carry_out()
        row.status, row.principal, row.reason = STATUS[decision], principal.name, text
        row.ended_wall = None if decision == "leave" else now()
        session.add(row)
        breaks.record(session, row, f"break.{STATUS[decision]}", row.opened, content)
    store.publish_head()
    return row


class _Adoption:
    """Taking over one break in the caller's transaction."""

    def __init__(
        self,
        session: Session,
        run: RunRow,
        row: BreakRow,
        limits: Limits,
        reason: str,
        opened: Callable[[], MarketData],
    ) -> None:
        self.session = session
        self.run = run
        self.row = row
        self.limits = limits
        self.reason = reason
        self._opened = opened
        self.tick = Tick(session=row.opened.date(), phase="close", as_of=row.opened)

    @property
    def market(self) -> MarketData:
        return self._opened()

    def carry_out(self) -> dict[str, Any]:
        """Change our book; returns what the record says of it."""
        body = self.row.body
        match body.kind:
            case "foreign_order" if body.order is not None:
                self._take_order(body.order, self._case(body.order.symbol, body.order.side, body.order.quantity))
            case "fill_unbooked" if body.fill is not None:
                self._take_fill(body.fill, body.order)
            case "order_missing_at_broker":
                end_order(self.session, self._order(), OrderState.CANCELLED, self.reason, self.tick)
            case "order_state" | "order_filled" | "order_terms" if body.order is not None:
                self._take_terms(body.order)
            case "fill_missing_at_broker" | "fill_differs":
                self._amend(body.fill)
            case "position":
                self._take_position(int(body.theirs))
            case "cash":
                self._still(str(plain(self.run.cash)))
                self.run.cash = Decimal(body.theirs)
                self.session.add(self.run)
            case _:
                raise ApprovalError(
                    f"the broker's words on {body.subject} are not known: reconcile again or explain it",
                    code="invalid",
                )
        return {"ours": body.ours, "theirs": body.theirs, "case": self.row.case_id, "cash": self.run.cash}

    def _order(self) -> OrderRow:
        return self.session.get_one(OrderRow, self.row.subject)

    def _still(self, ours: str) -> None:
        if ours != self.row.body.ours:
            raise ApprovalError(
                f"our book says {ours} by now, not {self.row.body.ours}: reconcile again", code="stale_digest"
            )

    def _case(self, symbol: str, side: Side, quantity: int) -> str:
        """Open the manual case that what comes in belongs to; it is done: nothing of it is to be released."""
        held = self.session.get(PositionRow, (self.run.id, symbol))
        try:
            made = manual.propose(
                self.market, self.limits, key=self.row.id, run_id=self.run.id, symbol=symbol, side=side,
                quantity=quantity, held=held.quantity if held else 0, reason=self.reason, as_of=self.row.opened,
            )  # fmt: skip
        except ToolRejected as error:
            raise ApprovalError(f"{error.message}; leave it at the broker", code="invalid") from None
        body = made.proposal
        case = CaseRow(
            id=stable_id("case", self.run.id, body.id), run_id=self.run.id, cycle_id=body.cycle_id,
            strategy=body.strategy, symbol=symbol, side=side, kind=body.kind, state=CaseState.DONE.value,
            reason=f"adopted: {self.reason}", rank=0, risk_effect=body.risk_effect, digest=body.digest,
            opened=self.tick.session, opened_index=self.run.session_index,
            review=plain(Review(proposal_id=body.id, verdict="keep", reasons=())), body=body, updated_wall=now(),
        )  # fmt: skip
        self.session.add(case)
        self.session.flush()
        self.row.case_id = case.id
        return case.id

    def _take_order(self, order: BrokerOrder, case_id: str) -> OrderRow:
        leg = "exit" if self.session.get_one(CaseRow, case_id).kind == "order.exit" else "entry"
        row = OrderRow(
            client_order_id=order.client_order_id, run_id=self.run.id, case_id=case_id, grant_id=self.row.id, leg=leg,
            attempt=1, symbol=order.symbol, side=order.side, quantity=order.quantity, state=order.state.value,
            stop_price=order.stop_price, broker_order_id=order.broker_order_id, reason="adopted",
            created=self.row.opened, body=_request(order, reduces=leg == "exit"), updated_wall=now(),
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        for fill in breaks.strange_fills(self.session, self.run.id, order.client_order_id):
            self._book(row, fill)
        return row

    def _take_fill(self, fill: Fill, order: BrokerOrder | None) -> None:
        row = self.session.get(OrderRow, fill.client_order_id)
        if row is not None:
            self._book(row, fill)
            return
        words = order or BrokerOrder(
            client_order_id=fill.client_order_id, broker_order_id="", symbol=fill.symbol, side=fill.side,
            quantity=fill.quantity, order_type="market", state=OrderState.UNKNOWN,
        )  # fmt: skip
        row = self._take_order(words, self._case(fill.symbol, fill.side, words.quantity))
        known = self.session.get(FillRow, fill.execution_id)
        if known is None:
            self._book(row, fill)
        if words.state in TERMINAL:
            row.state = words.state.value
            self.session.add(row)

    def _book(self, order: OrderRow, fill: Fill) -> None:
        """Book an execution that was heard of, or is known from the broker alone."""
        row = self.session.get(FillRow, fill.execution_id) or FillRow(
            execution_id=fill.execution_id, run_id=self.run.id, client_order_id=fill.client_order_id,
            symbol=fill.symbol, side=fill.side, quantity=fill.quantity, price=fill.price,
            commission=fill.commission, session=fill.session, at=fill.at, body=fill,
        )  # fmt: skip
        if row.case_id is not None:
            raise ApprovalError(f"execution {fill.execution_id} is booked by now: reconcile again", code="stale_digest")
        row.case_id = order.case_id
        self.session.add(row)
        self.session.flush()
        if OrderState(order.state) in TERMINAL and order.reason == "adopted":
            order.state = OrderState.UNKNOWN.value
        book_on(self.session, self.market, self.run, order, fill, self.tick)

    def _take_terms(self, words: BrokerOrder) -> None:
        order = self._order()
        if (order.symbol, order.side) != (words.symbol, words.side):
            raise ApprovalError(
                f"{words.client_order_id} is {words.side} {words.symbol} at the broker: cancel it there and leave it",
                code="invalid",
            )
        live = OrderState(order.state) not in TERMINAL
        if live and words.state in TERMINAL and words.state is not OrderState.FILLED:
            end_order(self.session, order, words.state, self.reason, self.tick)
        order.quantity, order.filled_quantity = words.quantity, words.filled_quantity
        order.state, order.updated_wall = words.state.value, now()
        self.session.add(order)

    def _amend(self, there: Fill | None) -> None:
        name = self.row.subject
        if there is not None and there.commission != self.session.get_one(FillRow, name).commission:
            raise ApprovalError(f"execution {name} differs in its commission: adopt the cash instead", code="invalid")
        amended = AmendmentRow(
            execution_id=name, run_id=self.run.id, message_id=self.row.id, kind="correct" if there else "bust",
            quantity=there.quantity if there else 0, price=there.price if there else Decimal(0), at=self.row.opened,
        )  # fmt: skip
        self.session.merge(amended)
        self.session.flush()
        amendments.carry_out(self.session, self.run, amended, self.tick)

    def _take_position(self, there: int) -> None:
        symbol = self.row.subject
        held = self.session.get(PositionRow, (self.run.id, symbol))
        before = held.quantity if held else 0
        self._still(str(before))
        shares = abs(there - before)
        side: Side = "buy" if there > before else "sell"
        case_id = self._case(symbol, side, shares)
        body = self.session.get_one(CaseRow, case_id).order
        price = held.mark if held is not None and held.quantity else body.reference_price
        position = Position(symbol=symbol, quantity=0, average_price=Decimal(0))
        if held is not None:
            position = Position(
                symbol=symbol, quantity=held.quantity, average_price=held.average_price, realised=held.realised
            )
        after = apply_fill(position, self._shares(symbol, side, shares, price))
        held = held or PositionRow(
            run_id=self.run.id, symbol=symbol, quantity=0, average_price=price, realised=Decimal(0), mark=price,
            sector=self.market.instrument(symbol).sector, strategy=manual.STRATEGY, case_id=case_id,
            opened_index=self.run.session_index,
        )  # fmt: skip
        if before == 0:
            held.strategy, held.case_id, held.opened_index = manual.STRATEGY, case_id, self.run.session_index
            held.opened_realised, held.stop_price, held.stop_why = held.realised, body.stop_price, "entry"
        held.quantity, held.average_price = after.quantity, after.average_price
        if there == 0:
            held.stop_price = None
        self.session.add(held)

    def _shares(self, symbol: str, side: Side, quantity: int, price: Decimal) -> Fill:
        """Shares that come in or go out without an execution, as average cost counts them; no money moves."""
        return Fill(
            execution_id=self.row.id, sequence=0, client_order_id=self.row.id, symbol=symbol, side=side,
            quantity=quantity, price=price, commission=Decimal(0), reference_price=price, session=self.tick.session,
            at=self.tick.as_of,
        )  # fmt: skip


def _request(order: BrokerOrder, *, reduces: bool) -> OrderRequest:
    """An order of the broker's in the words of one of ours; how long it lives is the broker's to say."""
    return OrderRequest(
        client_order_id=order.client_order_id, symbol=order.symbol, side=order.side, quantity=order.quantity,
        order_type=order.order_type, time_in_force="gtc", limit_price=order.limit_price, stop_price=order.stop_price,
        trail_price=order.trail_price, trail_percent=None if order.trail_price else order.trail_percent,
        reduce_only=reduces,
    )  # fmt: skip
