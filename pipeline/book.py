"""Our own book of a run: positions, cash, marks, and the view of it that the controls see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, or_, select

from memory.ledger import Entry, Stage, append
from memory.tables import BreakRow, CaseRow, EquityRow, OrderRow, PositionRow, RunRow
from pipeline.store import now
from tools.data.types import CorporateAction, MarketData, VenueState
from tools.execution.positions import apply_corporate_action, apply_fill
from tools.execution.types import TERMINAL, Fill, OrderState, Position
from tools.risk.groups import Groups, within
from tools.risk.types import MarketView, PendingOrder, PortfolioView, PositionView
from tools.types import ORDER_KINDS, CaseState, Tick

LIVE_ORDER_STATES = tuple(state.value for state in OrderState if state not in TERMINAL)


def open_positions(session: Session, run_id: str) -> tuple[PositionRow, ...]:
    """Positions with a quantity, by symbol."""
    query = select(PositionRow).where(PositionRow.run_id == run_id, PositionRow.quantity != 0)
    return tuple(session.exec(query.order_by(col(PositionRow.symbol))).all())


def live_orders(session: Session, run_id: str) -> tuple[OrderRow, ...]:
    query = select(OrderRow).where(OrderRow.run_id == run_id, col(OrderRow.state).in_(LIVE_ORDER_STATES))
    return tuple(session.exec(query.order_by(col(OrderRow.client_order_id))).all())


def equity_of(session: Session, run: RunRow) -> Decimal:
    """Cash plus positions at their marks."""
    return run.cash + sum((row.mark * row.quantity for row in open_positions(session, run.id)), Decimal(0))


def portfolio_view(session: Session, run: RunRow, market: MarketData, without: str | None = None) -> PortfolioView:
    """Positions, and what is approved-unsent or live and adds risk, counted as if filled; not the case `without`."""
    positions = tuple(
        PositionView(
            symbol=row.symbol, quantity=row.quantity, average_price=row.average_price, mark=row.mark,
            sector=row.sector, strategy=row.strategy, opened_session_index=row.opened_index,
            stop_price=row.stop_price,
        )
        for row in open_positions(session, run.id)
    )  # fmt: skip
    pending = []
    for case in _waiting(session, run.id):
        if case.id == without:
            continue
        filled = _filled(session, case.id)
        if case.order.quantity > filled:
            pending.append(
                PendingOrder(
                    symbol=case.symbol, side=case.order.side, quantity=case.order.quantity - filled,
                    price=case.order.band.high, sector=market.instrument(case.symbol).sector,
                    stop_price=case.order.stop_price,
                )
            )  # fmt: skip
    return PortfolioView(
        equity=equity_of(session, run), cash=run.cash, peak_equity=run.peak_equity,
        day_start_equity=run.day_start_equity, positions=positions, pending=tuple(pending),
    )  # fmt: skip


def _waiting(session: Session, run_id: str) -> Sequence[CaseRow]:
    return session.exec(
        select(CaseRow)
        .where(
            CaseRow.run_id == run_id,
            col(CaseRow.kind).in_(ORDER_KINDS),
            CaseRow.risk_effect != "reduces",
            col(CaseRow.state).in_([CaseState.APPROVED.value, CaseState.SUBMITTED.value, CaseState.UNKNOWN.value]),
        )
        .order_by(col(CaseRow.id))
    ).all()


def _filled(session: Session, case_id: str) -> int:
    rows = session.exec(select(OrderRow).where(OrderRow.case_id == case_id, OrderRow.leg == "entry")).all()
    return sum(row.filled_quantity for row in rows)


def market_view(
    session: Session,
    run: RunRow,
    market: MarketData,
    tick: Tick,
    symbol: str,
    *,
    price: Decimal | None,
    atr: Decimal | None,
    adv: Decimal | None,
    known_at: datetime | None,
    groups: Groups | None = None,
) -> MarketView:
    """What a control may know of a symbol now; what is missing stays None, and missing blocks.

    The sample market holds no volatility pauses and replays on one clock; elsewhere a feed that is a `VenueState`
    says so, and what it does not know stays None.
    """
    age = None if known_at is None else (tick.as_of - known_at).total_seconds() / 3600
    replayed = run.mode == "replay"
    trading_day = tick.session in market.sessions
    book = {row.symbol for row in open_positions(session, run.id)} | {case.symbol for case in _waiting(session, run.id)}
    seen = MarketView(
        symbol=symbol, sector=market.instrument(symbol).sector, price=price, atr=atr, adv=adv, data_age_hours=age,
        unknown_order=_in_doubt(session, run.id, symbol), trading_day=trading_day,
        in_hours=trading_day and _within_hours(market, tick), volatility_paused=False if replayed else None,
        clock_skew_seconds=0.0 if replayed else None, group=within(groups, symbol, book),
    )  # fmt: skip
    return _as_the_venue_says(seen, market, tick) if not replayed and isinstance(market, VenueState) else seen


def _as_the_venue_says(seen: MarketView, venue: VenueState, tick: Tick) -> MarketView:
    tradable = venue.tradable(seen.symbol)
    return seen.model_copy(
        update={
            "halted": None if tradable is None else not tradable,
            "volatility_paused": venue.paused(seen.symbol, tick.as_of),
            "borrow_available": venue.borrow(seen.symbol), "clock_skew_seconds": venue.clock_skew_seconds(now()),
        }
    )  # fmt: skip


def _in_doubt(session: Session, run_id: str, symbol: str) -> bool:
    """True while an order in the symbol is unknown, or a break of the books concerns it; one of cash concerns all.

    What a person left at the broker goes on concerning its symbol: nothing is added beside it.
    """
    unknown = select(OrderRow).where(OrderRow.run_id == run_id, OrderRow.symbol == symbol, OrderRow.state == "unknown")
    breaks = select(BreakRow).where(
        BreakRow.run_id == run_id, col(BreakRow.status).in_(["open", "left"]),
        or_(col(BreakRow.symbol) == symbol, col(BreakRow.symbol).is_(None)),
    )  # fmt: skip
    return any(session.exec(query).first() is not None for query in (unknown, breaks))


def _within_hours(market: MarketData, tick: Tick) -> bool:
    return market.tick(tick.session, "open").as_of <= tick.as_of <= market.tick(tick.session, "close").as_of


def book_fill(session: Session, run: RunRow, fill: Fill, order: OrderRow, sector: str) -> PositionRow:
    """Move cash and position for one fill, in the caller's transaction."""
    row = session.get(PositionRow, (run.id, fill.symbol))
    before = None
    if row is not None:
        before = Position(
            symbol=row.symbol, quantity=row.quantity, average_price=row.average_price, realised=row.realised
        )
    after = apply_fill(before, fill)
    sign = 1 if fill.side == "buy" else -1
    run.cash = run.cash - sign * fill.price * fill.quantity - fill.commission
    if row is None:
        row = PositionRow(
            run_id=run.id, symbol=fill.symbol, quantity=0, average_price=Decimal(0), realised=Decimal(0),
            mark=fill.price, sector=sector, strategy="", case_id="", opened_index=0,
        )  # fmt: skip
    if row.quantity == 0 and after.quantity != 0:
        case = session.get(CaseRow, order.case_id)
        row.case_id, row.opened_index = order.case_id, run.session_index
        row.opened_realised = row.realised
        row.strategy = case.strategy if case else "manual"
        row.stop_price = case.order.stop_price if case else None
        row.stop_why = "entry"
        row.atr, row.adv_shares = case.order.atr if case else None, None
    row.quantity, row.average_price, row.realised = after.quantity, after.average_price, after.realised
    row.mark = fill.price
    if row.quantity == 0:
        row.stop_price = None
        run.loss_streak = run.loss_streak + 1 if row.realised < row.opened_realised else 0
    session.add(row)
    session.add(run)
    return row


def book_action(session: Session, run: RunRow, action: CorporateAction) -> PositionRow | None:
    """Apply a split or distribution to our position, its stop and cash; None when we hold nothing."""
    row = session.get(PositionRow, (run.id, action.symbol))
    if row is None or row.quantity == 0:
        return None
    before = Position(symbol=row.symbol, quantity=row.quantity, average_price=row.average_price, realised=row.realised)
    after, cash = apply_corporate_action(before, action)
    run.cash += cash
    row.quantity, row.average_price, row.realised = after.quantity, after.average_price, after.realised
    row.mark = ((row.mark - action.cash) / action.ratio).quantize(Decimal("0.0001"))
    if row.stop_price is not None:
        row.stop_price = ((row.stop_price - action.cash) / action.ratio).quantize(Decimal("0.01"))
        row.stop_why = "corporate_action"
    row.atr = None if row.atr is None else (row.atr / action.ratio).quantize(Decimal("0.0001"))
    row.adv_shares = None if row.adv_shares is None else int(row.adv_shares * action.ratio)
    session.add(row)
    session.add(run)
    return row


def mark(session: Session, run: RunRow, tick: Tick, closes: Mapping[str, Decimal], index_close: float) -> EquityRow:
    """Mark the book at the close and keep one equity row per session."""
    for position in open_positions(session, run.id):
        if position.symbol in closes:
            position.mark = closes[position.symbol]
            session.add(position)
    session.flush()
    equity = equity_of(session, run)
    run.peak_equity = max(run.peak_equity, equity)
    row = session.get(EquityRow, (run.id, tick.session)) or EquityRow(
        run_id=run.id, session=tick.session, equity=equity, cash=run.cash, drawdown=Decimal(0), index_close=index_close
    )
    row.equity, row.cash = equity, run.cash
    row.drawdown = (1 - equity / run.peak_equity).quantize(Decimal("0.000001")) if run.peak_equity > 0 else Decimal(0)
    session.add(row)
    session.add(run)
    append(
        session,
        Entry(
            kind="session.closed", step=f"mark:{tick.session}", run_id=run.id, desk_time=tick.as_of, stage=Stage.MARK,
            content={"equity": equity, "cash": run.cash, "drawdown": row.drawdown, "index_close": index_close},
        ),
    )  # fmt: skip
    return row
