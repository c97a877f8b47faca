"""The book as the API shows it: positions, orders, fills, equity, outcomes, signals."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from sqlmodel import col

from api.paging import Order, Page, select_page
from api.queries.runs import RunQuery, run_filter
from api.schemas import EquityBody, FillBody, OrderBody, PositionBody
from memory.tables import EquityRow, FillRow, OrderRow, OutcomeRow, PositionRow, SignalRow
from pipeline.store import Store
from tools.execution.types import OrderState
from tools.types import Outcome, Signal

SymbolFilter = Annotated[str | None, Query(max_length=10)]


class SymbolQuery(RunQuery):
    """A list that may be kept to one symbol."""

    symbol: SymbolFilter = None


class OrderQuery(SymbolQuery):
    """Filters of /orders."""

    state: OrderState | None = None


class OutcomeQuery(SymbolQuery):
    """Filters of /outcomes."""

    settled: bool | None = None
    disposition: Literal["filled", "refused", "not_selected", "blocked", "unfilled"] | None = None


def order_body(row: OrderRow) -> OrderBody:
    """An order row as the API shows it."""
    return OrderBody.model_validate(row.model_dump(include=set(OrderBody.model_fields)))


def fill_body(row: FillRow) -> FillBody:
    """A fill row as the API shows it, with its slippage."""
    return FillBody(
        **row.model_dump(include=set(FillBody.model_fields) - {"slippage"}), slippage=row.body.slippage
    )  # fmt: skip


def position_body(row: PositionRow) -> PositionBody:
    """A position row with its value at the mark."""
    return PositionBody(
        **row.model_dump(include=set(PositionBody.model_fields) - {"market_value", "unrealised"}),
        market_value=row.mark * row.quantity, unrealised=(row.mark - row.average_price) * row.quantity,
    )  # fmt: skip


def list_positions(store: Store, query: SymbolQuery) -> Page[PositionBody]:
    """Open positions by symbol."""
    with store.db.read() as session:
        where = [*run_filter(session, query, PositionRow.run_id), col(PositionRow.quantity) != 0]
        if query.symbol is not None:
            where.append(col(PositionRow.symbol) == query.symbol)
        found = select_page(session, PositionRow, query, where=where, order=(Order("symbol"), Order("run_id")))
    return Page[PositionBody](items=[position_body(r) for r in found.rows], next=found.next, total=found.total)


def list_orders(store: Store, query: OrderQuery) -> Page[OrderBody]:
    """Orders, newest first."""
    with store.db.read() as session:
        where = run_filter(session, query, OrderRow.run_id)
        if query.symbol is not None:
            where.append(col(OrderRow.symbol) == query.symbol)
        if query.state is not None:
            where.append(col(OrderRow.state) == query.state.value)
        order = (Order("created", descending=True), Order("client_order_id"))
        found = select_page(session, OrderRow, query, where=where, order=order)
    return Page[OrderBody](items=[order_body(r) for r in found.rows], next=found.next, total=found.total)


def list_fills(store: Store, query: SymbolQuery) -> Page[FillBody]:
    """Fills, newest first."""
    with store.db.read() as session:
        where = run_filter(session, query, FillRow.run_id)
        if query.symbol is not None:
            where.append(col(FillRow.symbol) == query.symbol)
        order = (Order("at", descending=True), Order("execution_id"))
        found = select_page(session, FillRow, query, where=where, order=order)
    return Page[FillBody](items=[fill_body(r) for r in found.rows], next=found.next, total=found.total)


def list_equity(store: Store, query: RunQuery) -> Page[EquityBody]:
    """Marked equity per close, oldest first."""
    with store.db.read() as session:
        where = run_filter(session, query, EquityRow.run_id)
        found = select_page(session, EquityRow, query, where=where, order=(Order("session"), Order("run_id")))
    items = [
        EquityBody(
            session=r.session, equity=r.equity, cash=r.cash, drawdown=float(r.drawdown), index_close=r.index_close
        )
        for r in found.rows
    ]
    return Page[EquityBody](items=items, next=found.next, total=found.total)


def list_signals(store: Store, query: SymbolQuery) -> Page[Signal]:
    """Signals, newest first."""
    with store.db.read() as session:
        where = run_filter(session, query, SignalRow.run_id)
        if query.symbol is not None:
            where.append(col(SignalRow.symbol) == query.symbol)
        order = (Order("as_of", descending=True), Order("id"))
        found = select_page(session, SignalRow, query, where=where, order=order)
    return Page[Signal](items=[r.body for r in found.rows], next=found.next, total=found.total)


def list_outcomes(store: Store, query: OutcomeQuery) -> Page[Outcome]:
    """Outcomes, the newest view first."""
    with store.db.read() as session:
        where = run_filter(session, query, OutcomeRow.run_id)
        if query.symbol is not None:
            where.append(col(OutcomeRow.symbol) == query.symbol)
        if query.settled is not None:
            where.append(col(OutcomeRow.settled).is_(query.settled))
        if query.disposition is not None:
            where.append(col(OutcomeRow.disposition) == query.disposition)
        order = (Order("opened_index", descending=True), Order("id"))
        found = select_page(session, OutcomeRow, query, where=where, order=order)
    return Page[Outcome](items=[r.body for r in found.rows], next=found.next, total=found.total)
