"""What controls must know of the flow: our own orders, trades of the session, settled cash, losses in a row, and how
often a strategy went out without a person. All of it from the tables, on the desk's clock."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sqlmodel import Session, col, func, or_, select, true

from memory.tables import ApprovalRow, CaseRow, FillRow, OrderRow, RunRow, StrategyRow
from pipeline.book import LIVE_ORDER_STATES, portfolio_view
from tools.data.types import MarketData
from tools.risk.flow_controls import MINUTE
from tools.risk.types import Limits, OwnOrder, PortfolioView
from tools.types import Tick


def checked_view(
    session: Session, run: RunRow, market: MarketData, tick: Tick, limits: Limits, without: str | None = None
) -> PortfolioView:
    """The book with everything that the controls of an order ask for; the order's own case is `without`, its children
    and their protective stop among it."""
    view = portfolio_view(session, run, market, without)
    return view.model_copy(
        update={
            "settled_cash": _settled_cash(session, run, market, tick, limits),
            "orders": _orders(session, run, tick, max(MINUTE, float(limits.duplicate_window_seconds)), without),
            "trades_today": _trades_today(session, run, market, tick), "loss_streak": run.loss_streak,
            "automatic_executions": automatic_executions(session, run.id, without),
        }
    )  # fmt: skip


def _orders(session: Session, run: RunRow, tick: Tick, window_s: float, without: str | None) -> tuple[OwnOrder, ...]:
    since = tick.as_of - timedelta(seconds=window_s)
    rows = session.exec(
        select(OrderRow)
        .where(OrderRow.run_id == run.id, or_(col(OrderRow.state).in_(LIVE_ORDER_STATES), OrderRow.created > since))
        .order_by(col(OrderRow.client_order_id))
    ).all()
    return tuple(
        OwnOrder(
            symbol=row.symbol, side="buy" if row.side == "buy" else "sell", quantity=row.quantity,
            age_seconds=(tick.as_of - row.created).total_seconds(), live=row.state in LIVE_ORDER_STATES,
            price=row.body.limit_price or row.stop_price,
        )
        for row in rows
        if row.case_id != without
    )  # fmt: skip


def _trades_today(session: Session, run: RunRow, market: MarketData, tick: Tick) -> int | None:
    if tick.session not in market.sessions:
        return None
    opened = market.tick(tick.session, "open").as_of
    query = select(func.count()).select_from(OrderRow)
    return session.exec(
        query.where(OrderRow.run_id == run.id, OrderRow.leg == "entry", OrderRow.created >= opened)
    ).one()


def _settled_cash(session: Session, run: RunRow, market: MarketData, tick: Tick, limits: Limits) -> Decimal | None:
    """Cash less what was sold within the last `settlement_days` sessions, this one among them."""
    if tick.session not in market.sessions:
        return None
    if limits.settlement_days == 0:
        return run.cash
    at = market.sessions.index(tick.session)
    first = market.sessions[max(0, at - limits.settlement_days + 1)]
    sold = session.exec(
        select(FillRow).where(FillRow.run_id == run.id, FillRow.side == "sell", FillRow.session >= first)
    )
    return run.cash - sum((fill.price * fill.quantity - fill.commission for fill in sold), Decimal(0))


def automatic_executions(session: Session, run_id: str, without: str | None = None) -> dict[str, int]:
    """Entries by strategy that no person released, since somebody last enabled it; not the case `without`."""
    others = true() if without is None else col(CaseRow.id) != without
    counted = session.exec(
        select(CaseRow.strategy, func.count(func.distinct(CaseRow.id)))
        .join(OrderRow, col(OrderRow.case_id) == col(CaseRow.id))
        .join(ApprovalRow, col(ApprovalRow.case_id) == col(CaseRow.id))
        .where(CaseRow.run_id == run_id, OrderRow.leg == "entry", ApprovalRow.required == 0, others)
        .group_by(CaseRow.strategy)
    ).all()
    since = {
        row.name: row.executions for row in session.exec(select(StrategyRow).where(StrategyRow.run_id == run_id)).all()
    }
    return {name: count - since.get(name, 0) for name, count in sorted(counted)}
