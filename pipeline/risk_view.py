"""The risk of the book as people ask for it: measures, stress, exposures and what an order would do. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal

import numpy as np
from sqlmodel import Session, col, select

from memory.tables import CaseRow, EquityRow, RunRow
from pipeline.activation import in_force
from pipeline.book import open_positions, portfolio_view
from pipeline.feed import market_of
from pipeline.risk_inputs import WINDOW, history_of, protection_of
from pipeline.store import Store, require_run
from tools.canonical import round_float
from tools.data.collectors.crises import read_crises
from tools.data.types import MarketData
from tools.errors import ToolRejected
from tools.risk.exposure import ExposureItem, ExposureReport, exposures
from tools.risk.measures import relation, var, volatility
from tools.risk.measures.book import book_of
from tools.risk.measures.concentration import concentration
from tools.risk.measures.contribution import contributions
from tools.risk.measures.drawdown import drawdown
from tools.risk.measures.returns import book_returns
from tools.risk.measures.scenarios import scenarios
from tools.risk.measures.stress import put_through, read_shocks, supposed
from tools.risk.measures.types import (
    SHARE_STEP,
    Concentration,
    Contributions,
    Drawdown,
    NotEnough,
    Relation,
    Shock,
    StressResult,
    TailRisk,
    Volatility,
    WhatIf,
)
from tools.risk.measures.what_if import Surroundings, what_if
from tools.risk.protection import DrawdownProtection, ProtectionState
from tools.risk.sizing_policy import SizingPolicy
from tools.risk.types import Limits, PortfolioView
from tools.risk.uses import book_uses
from tools.types import Frozen, Instant, Review, Side, Tick

SHOWN = {
    "max_gross_share": "gross_share", "max_position_share": "position_share", "max_sector_share": "sector_share",
    "max_total_open_risk": "total_open_risk", "max_daily_loss": "daily_loss", "max_drawdown": "drawdown",
}  # fmt: skip
"""The limits at the head of the page, by their name in the limits file, and the control that measures each."""
BEFORE_CLOSE = ("opening", "acted", "traded")
"""Stages of a session whose close is not known yet."""


class LimitUse(Frozen):
    """A limit of the book and how much of it is used: 1 is at the limit."""

    limit: str
    value: Decimal
    maximum: Decimal
    use: Decimal


class TailView(Frozen):
    """The same tail by three methods."""

    historical: TailRisk | NotEnough
    normal: TailRisk | NotEnough
    cornish_fisher: TailRisk | NotEnough


class VolatilityView(Frozen):
    ewma: Volatility | NotEnough
    realised: Volatility | NotEnough


class ProtectionView(Frozen):
    """The published curve and where the book stands on it."""

    state: ProtectionState
    policy: DrawdownProtection
    binds: bool
    restoring: bool


class RiskReport(Frozen):
    """The book's risk at the last close, everything pending counted as filled. Fractions are of equity."""

    run: str
    session: date
    as_of: Instant
    label: str
    equity: Decimal
    positions: int
    pending: int
    window_sessions: int
    limits_version: str
    limits: tuple[LimitUse, ...]
    tail: TailView
    volatility: VolatilityView
    drawdown: Drawdown | NotEnough
    index: Relation | NotEnough
    concentration: Concentration
    contributions: Contributions | NotEnough
    stress: tuple[StressResult, ...]
    protection: ProtectionView
    sizing: SizingPolicy


@dataclass(frozen=True)
class _Stand:
    """The active run at its last close."""

    run: RunRow
    market: MarketData
    session: date
    as_of: datetime
    view: PortfolioView
    limits: Limits

    def around(self) -> Surroundings:
        history = history_of(self.market, self.market.panel(self.as_of, WINDOW + 1), self.as_of)
        return Surroundings(history, scenarios(self.market, read_crises(), self.as_of), self.view, self.limits)

    @property
    def sectors(self) -> frozenset[str]:
        return frozenset(self.market.instrument(symbol).sector for symbol in self.market.symbols)


def closed_tick(run: RunRow, market: MarketData) -> Tick:
    """The last close of a run."""
    index = max(0, run.session_index - (run.stage in BEFORE_CLOSE))
    return market.tick(market.sessions[index], "close")


def last_close(store: Store) -> datetime:
    """When the last close of the active run was; HomeError `no_run` without one."""
    with store.db.read() as session:
        run = require_run(session)
    return closed_tick(run, market_of(store, run)).as_of


def _stand(store: Store, session: Session) -> _Stand:
    run = require_run(session)
    market = market_of(store, run)
    tick = closed_tick(run, market)
    view = portfolio_view(session, run, market)
    return _Stand(run, market, tick.session, tick.as_of, view, in_force(store).limits)


def risk_report(store: Store, *, confidence: float = var.CONFIDENCE, horizon: int = 1) -> RiskReport:
    """Measure the book of the active run; HomeError `no_run` without one."""
    with store.db.read() as session:
        stand = _stand(store, session)
        guarded = protection_of(session, stand.run.id, stand.limits.protection)
        curve = session.exec(
            select(col(EquityRow.equity)).where(EquityRow.run_id == stand.run.id).order_by(col(EquityRow.session))
        ).all()
    around, book, view = stand.around(), book_of(stand.view), stand.view
    returns = book_returns(book, around.history)
    tails = {
        name: returns if isinstance(returns, NotEnough) else method(returns, confidence=confidence, horizon=horizon)
        for name, method in (
            ("historical", var.historical), ("normal", var.normal), ("cornish_fisher", var.cornish_fisher)
        )
    }  # fmt: skip
    spreads = {
        name: returns if isinstance(returns, NotEnough) else method(returns)
        for name, method in (("ewma", volatility.ewma), ("realised", volatility.realised))
    }
    index = returns if isinstance(returns, NotEnough) else relation.relation(returns, around.history.index)
    equity = np.array([float(stand.run.equity_start), *(float(value) for value in curve)])
    return RiskReport(
        run=stand.run.id, session=stand.session, as_of=stand.as_of, label=stand.market.label, equity=view.equity,
        positions=len(view.positions), pending=len(view.pending), window_sessions=len(around.history.sessions),
        limits_version=stand.limits.version, limits=_uses(stand), tail=TailView(**tails),
        volatility=VolatilityView(**spreads), drawdown=drawdown(equity), index=index,
        concentration=concentration(book),
        contributions=contributions(book, around.history, confidence=confidence),
        stress=tuple(put_through(item, book, around.betas, view, stand.limits) for item in around.scenarios),
        protection=ProtectionView(
            state=guarded, policy=stand.limits.protection, binds=guarded.binds, restoring=guarded.restoring
        ),
        sizing=stand.limits.sizing,
    )  # fmt: skip


def _uses(stand: _Stand) -> tuple[LimitUse, ...]:
    measured = book_uses(stand.view, stand.limits)
    return tuple(
        LimitUse(limit=name, value=_up(measured[control][0]), maximum=maximum, use=_up(measured[control][0] / maximum))
        for name, control in SHOWN.items()
        if control in measured and (maximum := measured[control][1])
    )


def _up(value: Decimal) -> Decimal:
    return value.quantize(SHARE_STEP, rounding=ROUND_CEILING)


def stress_report(store: Store, shocks: Iterable[Shock]) -> StressResult:
    """Put the book through a person's own moves; ToolRejected for a target that the market does not have."""
    with store.db.read() as session:
        stand = _stand(store, session)
    listed = tuple(_known(stand, shock) for shock in shocks)
    around = stand.around()
    return put_through(supposed(listed), book_of(stand.view), around.betas, stand.view, stand.limits)


def stress_of_text(store: Store, text: str) -> StressResult:
    """The same from text such as `market=-10%, Energy=-20%`."""
    with store.db.read() as session:
        stand = _stand(store, session)
    return stress_report(store, read_shocks(text, symbols=stand.market.symbols, sectors=stand.sectors))


def _known(stand: _Stand, shock: Shock) -> Shock:
    if shock.scope == "symbol" and shock.target is not None:
        stand.market.instrument(shock.target)
    if shock.scope == "sector" and shock.target not in stand.sectors:
        raise ToolRejected(
            f"{shock.target!r} is no sector of the market; these are: {', '.join(sorted(stand.sectors))}",
            code="bad_shock",
        )
    return shock


def what_if_report(
    store: Store, *, symbol: str, side: Side, quantity: int, stop_price: Decimal | None = None
) -> WhatIf:
    """What an order at the last close would do to the book; DataError for a symbol the market does not have."""
    with store.db.read() as session:
        stand = _stand(store, session)
    instrument = stand.market.instrument(symbol)
    panel = stand.market.panel(stand.as_of, 1, [symbol])
    price = Decimal(repr(round_float(float(panel.close[-1, 0])))).quantize(Decimal("0.01"))
    return what_if(
        stand.around(), book_of(stand.view), symbol=symbol, sector=instrument.sector, side=side, quantity=quantity,
        price=price, stop_price=stop_price,
    )  # fmt: skip


def exposure_report(store: Store, *, pending: bool = True) -> ExposureReport:
    """Exposures by symbol, sector, strategy and by the agent that reviewed, against their limits."""
    with store.db.read() as session:
        stand = _stand(store, session)
        rows = open_positions(session, stand.run.id)
        reviewed = _reviewers(session, stand.run.id)
        by_symbol = {row.symbol: row for row in rows}
        items = [
            ExposureItem(
                symbol=held.symbol, sector=held.sector, strategy=held.strategy or "manual",
                agent=reviewed.get(by_symbol[held.symbol].case_id, "none"), value=held.market_value,
                open_risk=held.open_risk,
            )
            for held in stand.view.positions
        ]  # fmt: skip
        if pending:
            items += _pending(session, stand, reviewed)
    return exposures(items, stand.view.equity, stand.limits)


def _pending(session: Session, stand: _Stand, reviewed: dict[str, str]) -> list[ExposureItem]:
    found = []
    for order in stand.view.pending:
        case = session.exec(
            select(CaseRow)
            .where(
                CaseRow.run_id == stand.run.id, CaseRow.symbol == order.symbol, CaseRow.risk_effect != "reduces",
                col(CaseRow.state).in_(("approved", "submitted", "unknown")),
            )
            .order_by(col(CaseRow.opened_index).desc(), col(CaseRow.id))
        ).first()  # fmt: skip
        sign = 1 if order.side == "buy" else -1
        found.append(
            ExposureItem(
                symbol=order.symbol, sector=order.sector, strategy=case.strategy if case else "manual",
                agent=reviewed.get(case.id, "none") if case else "none", value=order.notional * sign,
                open_risk=order.open_risk, pending=True,
            )
        )  # fmt: skip
    return found


def _reviewers(session: Session, run_id: str) -> dict[str, str]:
    """By case, who reviewed it: the decision agent by its rules or by a model."""
    rows = session.exec(
        select(CaseRow).where(
            CaseRow.run_id == run_id, col(CaseRow.state).in_(("approved", "submitted", "unknown", "done", "settled"))
        )
    ).all()  # fmt: skip
    return {row.id: f"decision by {Review.model_validate(row.review).reasoner}" for row in rows if row.review}
