"""What the measures, the sizing and the what-if of a case are computed from."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import numpy as np
from sqlmodel import Session, col, select

from memory.tables import EquityRow, OutcomeRow
from tools.canonical import round_float, stable_id
from tools.data.collectors.crises import read_crises
from tools.data.types import MarketData, Panel
from tools.risk.measures.book import book_of
from tools.risk.measures.returns import simple_returns
from tools.risk.measures.scenarios import scenarios
from tools.risk.measures.types import History, Scenario, WhatIf
from tools.risk.measures.what_if import Surroundings, what_if
from tools.risk.protection import DrawdownProtection, ProtectionState, protect
from tools.risk.types import Limits, PortfolioView
from tools.strategy.sizing_types import Edge
from tools.types import Evidence, Finding, Proposal

WINDOW = 126
"""Sessions of returns that measures read, half a year; fewer where the market has no more."""


def history_of(market: MarketData, panel: Panel, as_of: datetime) -> History:
    """The last `WINDOW` simple returns of every name of a panel and of the index, adjusted as of the clock."""
    days = panel.sessions[-WINDOW - 1 :]
    index = np.array([market.index_close(day, as_of) for day in days], dtype=np.float64)
    return History(
        sessions=days[1:], symbols=panel.symbols, returns=simple_returns(panel.close[-WINDOW - 1 :]),
        index=simple_returns(index),
    )  # fmt: skip


def known_scenarios(market: MarketData, as_of: datetime) -> tuple[Scenario, ...]:
    """Scenarios that may become evidence: none that lies after the clock."""
    return tuple(item for item in scenarios(market, read_crises(), as_of) if not item.hindsight)


def of_proposal(around: Surroundings, proposal: Proposal, sector: str) -> WhatIf:
    """The book before and after a proposal that is not in it yet, filled at its reference price."""
    return what_if(
        around, book_of(around.view), symbol=proposal.symbol, sector=sector, side=proposal.side,
        quantity=proposal.quantity, price=proposal.reference_price, stop_price=proposal.stop_price,
    )  # fmt: skip


def of_edited(market: MarketData, proposal: Proposal, view: PortfolioView, sector: str, limits: Limits) -> WhatIf:
    """The same for a proposal that a person edited, on the book and the clock it was asked with."""
    as_of = proposal.as_of
    history = history_of(market, market.panel(as_of, WINDOW + 1), as_of)
    return of_proposal(Surroundings(history, known_scenarios(market, as_of), view, limits), proposal, sector)


def edges_of(session: Session, run_id: str) -> dict[str, Edge]:
    """What settled outcomes of entries say, by strategy: every view counts, taken or refused, so none is picked."""
    rows = session.exec(
        select(OutcomeRow).where(OutcomeRow.run_id == run_id, OutcomeRow.settled).order_by(col(OutcomeRow.id))
    ).all()
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        seen = row.body
        if seen.side == "buy" and seen.excess_return is not None and seen.view_return is not None:
            found[row.strategy].append((seen.excess_return, seen.view_return))
    edges = {}
    for strategy in sorted(found):
        excess, view = np.array(found[strategy], dtype=np.float64).T
        edges[strategy] = Edge(
            outcomes=len(excess), mean=round_float(float(excess.mean())),
            variance=round_float(float(view.var(ddof=1))) if len(view) > 1 else 0.0,
        )  # fmt: skip
    return edges


def protection_of(session: Session, run_id: str, policy: DrawdownProtection) -> ProtectionState:
    """Where the drawdown protection stands after the last close of a run."""
    rows = session.exec(
        select(col(EquityRow.drawdown)).where(EquityRow.run_id == run_id).order_by(col(EquityRow.session))
    )
    return protect(rows.all(), policy)


def protection_finding(state: ProtectionState, evidence: Evidence, cycle_id: str) -> Finding:
    """What is said on the session on which the protection starts to bind."""
    return Finding(
        id=stable_id("find", "protection_binds", cycle_id), code="protection_binds", severity="warning",
        component="risk", evidence_ids=(evidence.id,), as_of=evidence.known_at,
        message=f"a drawdown of {state.drawdown * 100:.2f} % scales new entries to {state.factor * 100:.2f} %",
        recommendation="Look at what lost before new entries are approved; the curve is in the limits file.",
    )  # fmt: skip
