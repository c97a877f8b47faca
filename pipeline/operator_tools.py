"""What the operator agent may read: callables over SQL, each one a plain read. None of them can act."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from agents.explanation.output import Explanation
from agents.operator.output import (
    CaseFacts,
    ChangeFacts,
    DecisionFacts,
    DeskFacts,
    FillFacts,
    HaltFacts,
    LimitUse,
    PositionFacts,
    WaitingFacts,
)
from agents.opinion import Context
from memory.tables import (
    ActivationRow,
    ApprovalRow,
    CaseRow,
    DecisionRow,
    ExplanationRow,
    FillRow,
    FindingRow,
    LedgerRow,
    OutcomeRow,
    PositionRow,
    RunRow,
)
from pipeline.book import open_positions
from pipeline.budget import CHAT
from pipeline.context import agent_context
from pipeline.desk_view import desk_view
from pipeline.findings import still_open
from pipeline.store import Principal, Store, active_run, now
from tools.risk.limits import load_limits
from tools.types import ORDER_KINDS, Finding, Review

CASES_SHOWN = 20
SEVERITY_ORDER = {"critical": 0, "warning": 1, "info": 2}


def chat_context(store: Store) -> Context:
    """The context of the operator agent; its model calls are recorded under the cycle `chat`."""
    with store.db.read() as session:
        run = active_run(session)
    run_id = run.id if run else "none"
    return agent_context(store, run_id, CHAT)


def operator_tools(store: Store, principal: Principal) -> StoreTools:
    """The tools of one person's conversation."""
    return StoreTools(store, principal)


class StoreTools:
    """OperatorTools over the store."""

    def __init__(self, store: Store, principal: Principal) -> None:
        self._store = store
        self.principal = principal

    async def desk(self) -> DeskFacts | None:
        view = await asyncio.to_thread(desk_view, self._store)
        if view.run is None:
            return None
        return DeskFacts(
            mode=view.mode, label=view.label, session=view.session, session_index=view.session_index or 0,
            sessions_total=view.sessions_total, phase=view.phase, stage=view.stage, equity=view.equity,
            equity_start=view.equity_start, cash=view.cash, gross=view.gross, drawdown=Decimal(str(view.drawdown)),
            day_change=Decimal(str(view.day_change)), positions=view.positions, waiting=view.waiting,
            reasoner=view.reasoner,
            halts=tuple(
                HaltFacts(
                    halt_id=h.id, action=h.action, scope=h.scope, target=h.target, reason=h.reason,
                    principal=h.principal,
                )
                for h in view.halts
            ),
        )  # fmt: skip

    async def positions(self) -> tuple[PositionFacts, ...]:
        return await asyncio.to_thread(self._read, _positions, ())

    async def waiting(self) -> tuple[WaitingFacts, ...]:
        return await asyncio.to_thread(self._read, _waiting, ())

    async def find_case(self, symbol: str) -> tuple[CaseFacts, ...]:
        def find(session: Session, run: RunRow) -> tuple[CaseFacts, ...]:
            rows = session.exec(
                select(CaseRow)
                .where(CaseRow.run_id == run.id, CaseRow.symbol == symbol.upper(), col(CaseRow.kind).in_(ORDER_KINDS))
                .order_by(col(CaseRow.opened_index).desc(), col(CaseRow.rank))
                .limit(CASES_SHOWN)
            ).all()
            return tuple(_case(session, row) for row in rows)

        return await asyncio.to_thread(self._read, find, ())

    async def case(self, case_id: str) -> CaseFacts | None:
        def find(session: Session, _run: RunRow) -> CaseFacts | None:
            row = session.get(CaseRow, case_id)
            return _case(session, row) if row and row.kind in ORDER_KINDS else None

        return await asyncio.to_thread(self._read, find, None)

    async def explain(self, case_id: str) -> Explanation | None:
        def find(session: Session, _run: RunRow) -> Explanation | None:
            row = session.get(ExplanationRow, case_id)
            return Explanation.model_validate(row.body) if row else None

        return await asyncio.to_thread(self._read, find, None)

    async def limits_used(self) -> tuple[LimitUse, ...]:
        return await asyncio.to_thread(self._read, _limits_used, ())

    async def changes(self, limit: int) -> tuple[ChangeFacts, ...]:
        def find(session: Session, run: RunRow) -> tuple[ChangeFacts, ...]:
            rows = session.exec(
                select(LedgerRow).where(LedgerRow.run_id == run.id).order_by(col(LedgerRow.seq).desc()).limit(limit)
            ).all()
            return tuple(_change(session, row) for row in rows)

        return await asyncio.to_thread(self._read, find, ())

    async def findings(self) -> tuple[Finding, ...]:
        def find(session: Session, run: RunRow) -> tuple[Finding, ...]:
            rows = session.exec(
                select(FindingRow)
                .where(FindingRow.run_id == run.id, still_open(now()))
                .order_by(col(FindingRow.as_of).desc())
                .limit(CASES_SHOWN)
            ).all()
            return tuple(sorted((row.body for row in rows), key=lambda f: SEVERITY_ORDER[f.severity]))

        return await asyncio.to_thread(self._read, find, ())

    def _read(self, find: Any, nothing: Any) -> Any:
        """Run one read over the active run; `nothing` before the first one."""
        with self._store.db.read() as session:
            run = active_run(session)
            return nothing if run is None else find(session, run)


def _positions(session: Session, run: RunRow) -> tuple[PositionFacts, ...]:
    return tuple(
        PositionFacts(
            symbol=row.symbol, quantity=row.quantity, average_price=row.average_price, mark=row.mark,
            market_value=row.mark * row.quantity, unrealised=(row.mark - row.average_price) * row.quantity,
            sector=row.sector, strategy=row.strategy, case_id=row.case_id, stop_price=row.stop_price,
        )
        for row in open_positions(session, run.id)
    )  # fmt: skip


def _waiting(session: Session, run: RunRow) -> tuple[WaitingFacts, ...]:
    rows = session.exec(
        select(ApprovalRow, CaseRow)
        .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
        .where(ApprovalRow.run_id == run.id, ApprovalRow.status == "pending", col(CaseRow.kind).in_(ORDER_KINDS))
        .order_by(col(CaseRow.rank))
    ).all()
    return tuple(
        WaitingFacts(
            approval_id=asked.id, case_id=case.id, symbol=case.symbol, side=case.order.side,
            quantity=case.order.quantity, notional=case.order.notional, strategy=case.strategy,
            given=sum(row.decision == "approve" for row in _said(session, asked.case_id)), required=asked.required,
            sessions_left=max(0, asked.expires_index - run.session_index),
        )
        for asked, case in rows
    )  # fmt: skip


def _said(session: Session, case_id: str) -> tuple[DecisionRow, ...]:
    query = select(DecisionRow).where(DecisionRow.case_id == case_id).order_by(col(DecisionRow.id))
    return tuple(session.exec(query).all())


def _case(session: Session, row: CaseRow) -> CaseFacts:
    review = Review.model_validate(row.review)
    outcome = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == row.id)).first()
    fills = session.exec(select(FillRow).where(FillRow.case_id == row.id).order_by(col(FillRow.at))).all()
    return CaseFacts(
        case_id=row.id, symbol=row.symbol, strategy=row.strategy, side=row.order.side, kind=row.kind,
        quantity=row.order.quantity, notional=row.order.notional, state=row.state, reason=row.reason, opened=row.opened,
        risk_effect=row.order.risk_effect, thesis=row.order.thesis, verdict=review.verdict, factor=row.order.factor,
        abstain_reason=review.abstain_reason, reasons=review.reasons,
        decisions=tuple(
            DecisionFacts(principal=said.principal, decision=said.decision, reason=said.reason)
            for said in _said(session, row.id)
        ),
        fills=tuple(
            FillFacts(side=f.body.side, quantity=f.quantity, price=f.price, session=f.session) for f in fills
        ),
        excess_return=outcome.body.excess_return if outcome else None, evidence_ids=row.order.evidence_ids,
    )  # fmt: skip


def _limits_used(session: Session, run: RunRow) -> tuple[LimitUse, ...]:
    """Use of the book's limits, from our own positions and the activated limits."""
    law = session.exec(
        select(ActivationRow).where(ActivationRow.kind == "limits").order_by(col(ActivationRow.id).desc())
    ).first()
    held = open_positions(session, run.id)
    equity = run.cash + sum((p.mark * p.quantity for p in held), Decimal(0))
    if law is None or equity <= 0:
        return ()
    limits = load_limits(law.body)
    values = [abs(p.mark * p.quantity) for p in held]
    sectors: dict[str, Decimal] = {}
    for position, value in zip(held, values, strict=True):
        sectors[position.sector] = sectors.get(position.sector, Decimal(0)) + value
    risk = sum(
        (
            max(Decimal(0), (p.mark - p.stop_price) * p.quantity) if p.stop_price else abs(p.mark * p.quantity)
            for p in held
        ),
        Decimal(0),
    )
    day_loss = max(Decimal(0), 1 - equity / run.day_start_equity) if run.day_start_equity > 0 else Decimal(0)
    drawdown = max(Decimal(0), 1 - equity / run.peak_equity) if run.peak_equity > 0 else Decimal(0)
    share = Decimal("0.000001")
    return (
        LimitUse(name="gross", used=(sum(values, Decimal(0)) / equity).quantize(share), limit=limits.max_gross_share),
        LimitUse(name="total_open_risk", used=(risk / equity).quantize(share), limit=limits.max_total_open_risk),
        LimitUse(
            name="largest_position", used=(max(values, default=Decimal(0)) / equity).quantize(share),
            limit=limits.max_position_share,
        ),
        LimitUse(
            name="largest_sector", used=(max(sectors.values(), default=Decimal(0)) / equity).quantize(share),
            limit=limits.max_sector_share,
        ),
        LimitUse(name="daily_loss", used=day_loss.quantize(share), limit=limits.max_daily_loss),
        LimitUse(name="drawdown", used=drawdown.quantize(share), limit=limits.max_drawdown),
        LimitUse(
            name="open_positions", used=Decimal(len(held)), limit=Decimal(limits.max_open_positions), unit="count"
        ),
    )  # fmt: skip


def _at_risk(position: PositionRow) -> Decimal:
    """Money lost if the stop fills at its price; the whole value without one."""
    if position.stop_price is None:
        return abs(position.mark * position.quantity)
    return max(Decimal(0), (position.mark - position.stop_price) * position.quantity)


def _change(session: Session, row: LedgerRow) -> ChangeFacts:
    case = session.get(CaseRow, row.case_id) if row.case_id else None
    what = row.kind.replace(".", " ").replace("_", " ")
    text = f"{what}: {case.side} {case.symbol} ({case.strategy})" if case else what
    return ChangeFacts(
        at=row.desk_time, kind=row.kind, text=text, symbol=case.symbol if case else None, case_id=row.case_id
    )
