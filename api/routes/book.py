"""The book and what was learnt from it: plain lists."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, StoreDep
from api.paging import Page
from api.queries import book as queries
from api.queries.runs import RunQuery
from api.schemas import EquityBody, FillBody, OrderBody, PositionBody
from tools.types import Outcome, Signal

router = APIRouter(tags=["book"], dependencies=READ)


@router.get("/positions")
def list_positions(store: StoreDep, query: Annotated[queries.SymbolQuery, Query()]) -> Page[PositionBody]:
    """List open positions by symbol, marked at the last close."""
    return queries.list_positions(store, query)


@router.get("/orders")
def list_orders(store: StoreDep, query: Annotated[queries.OrderQuery, Query()]) -> Page[OrderBody]:
    """List orders, newest first."""
    return queries.list_orders(store, query)


@router.get("/fills")
def list_fills(store: StoreDep, query: Annotated[queries.SymbolQuery, Query()]) -> Page[FillBody]:
    """List fills, newest first."""
    return queries.list_fills(store, query)


@router.get("/equity")
def list_equity(store: StoreDep, query: Annotated[RunQuery, Query()]) -> Page[EquityBody]:
    """List marked equity per close, oldest first."""
    return queries.list_equity(store, query)


@router.get("/signals", tags=["findings"])
def list_signals(store: StoreDep, query: Annotated[queries.SymbolQuery, Query()]) -> Page[Signal]:
    """List signals, newest first."""
    return queries.list_signals(store, query)


@router.get("/outcomes", tags=["learning"])
def list_outcomes(store: StoreDep, query: Annotated[queries.OutcomeQuery, Query()]) -> Page[Outcome]:
    """List what became of views, traded or not."""
    return queries.list_outcomes(store, query)
