"""Rows as the operator agent reads them. Plain reads of one session; nothing here can act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlmodel import Session, col, select

from agents.learning.scopes import Scope
from agents.operator.facts import (
    CaseFacts,
    ChangeFacts,
    Changes,
    DecisionFacts,
    Figure,
    FillFacts,
    LessonFacts,
    PositionFacts,
    WaitingFacts,
)
from agents.operator.output import Ref
from memory.tables import (
    ApprovalRow,
    CaseRow,
    DecisionRow,
    EquityRow,
    FillRow,
    FindingRow,
    LedgerRow,
    LessonRow,
    OutcomeRow,
    RunRow,
)
from pipeline.book import open_positions
from pipeline.findings import still_open
from pipeline.store import now
from tools.risk.types import Check
from tools.types import ORDER_KINDS, Finding, Review

CASES_SHOWN = 20
CHANGES_SHOWN = 40
CURVE_SHOWN = 500
"""Closes on the first page of `/equity`."""
LESSON_ORDER = {"promoted": 0, "shadow": 1, "quarantined": 2}
SEVERITY_ORDER = {"critical": 0, "warning": 1, "info": 2}
_TOLD = (
    "case.awaiting", "case.approved", "case.rejected", "case.expired", "case.voided", "case.superseded",
    "case.cancelled", "case.unknown", "case.edited", "fill.booked", "finding.raised", "halt.engaged", "halt.released",
    "halt.carried_out", "limits.activated", "policy.activated", "position.adjusted", "exit.unattended",
    "strategy.enabled", "override.asked", "lesson.quarantined",
    "lesson.shadow", "lesson.promoted", "lesson.retired", "lesson.decayed",
)  # fmt: skip
"""Kinds of ledger records that are news to a person; the rest is on the History page."""


def positions(session: Session, run: RunRow) -> tuple[PositionFacts, ...]:
    return tuple(
        PositionFacts(
            symbol=row.symbol, quantity=row.quantity, average_price=row.average_price, mark=row.mark,
            market_value=row.mark * row.quantity, unrealised=(row.mark - row.average_price) * row.quantity,
            sector=row.sector, strategy=row.strategy, case_id=row.case_id, stop_price=row.stop_price,
        )
        for row in open_positions(session, run.id)
    )  # fmt: skip


def waiting(session: Session, run: RunRow) -> tuple[WaitingFacts, ...]:
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
            given=len({
                row.principal for row in _said(session, case.id)
                if row.decision == "approve" and row.digest == asked.digest
            }),
            required=asked.required, sessions_left=max(0, asked.expires_index - run.session_index),
        )
        for asked, case in rows
    )  # fmt: skip


def cases(session: Session, run: RunRow, symbol: str | None, strategy: str | None) -> tuple[CaseFacts, ...]:
    """Order cases in a symbol, a strategy or both, newest first."""
    query = select(CaseRow).where(CaseRow.run_id == run.id, col(CaseRow.kind).in_(ORDER_KINDS))
    if symbol is not None:
        query = query.where(CaseRow.symbol == symbol)
    if strategy is not None:
        query = query.where(CaseRow.strategy == strategy)
    rows = session.exec(
        query.order_by(col(CaseRow.opened_index).desc(), col(CaseRow.rank), col(CaseRow.id)).limit(CASES_SHOWN)
    ).all()
    return tuple(case(session, row) for row in rows)


def case(session: Session, row: CaseRow) -> CaseFacts:
    review = Review.model_validate(row.review)
    outcome = session.exec(select(OutcomeRow).where(OutcomeRow.case_id == row.id)).first()
    fills = session.exec(select(FillRow).where(FillRow.case_id == row.id).order_by(col(FillRow.at))).all()
    view = outcome.body if outcome else None
    return CaseFacts(
        case_id=row.id, symbol=row.symbol, strategy=row.strategy, side=row.order.side, kind=row.kind,
        quantity=row.order.quantity, notional=row.order.notional, reference_price=row.order.reference_price,
        confidence=row.order.confidence, state=row.state, reason=row.reason, opened=row.opened,
        risk_effect=row.order.risk_effect, thesis=row.order.thesis, verdict=review.verdict, factor=row.order.factor,
        abstain_reason=review.abstain_reason, reasons=review.reasons,
        checks=tuple(Check.model_validate(item) for item in row.checks or ()),
        decisions=tuple(
            DecisionFacts(principal=said.principal, decision=said.decision, reason=said.reason)
            for said in _said(session, row.id)
        ),
        fills=tuple(
            FillFacts(side=f.body.side, quantity=f.quantity, price=f.price, session=f.session) for f in fills
        ),
        excess_return=view.excess_return if view else None, view_return=view.view_return if view else None,
        disposition=view.disposition if view else None, due=view.due if view else None,
        evidence_ids=row.order.evidence_ids,
    )  # fmt: skip


def _said(session: Session, case_id: str) -> tuple[DecisionRow, ...]:
    query = select(DecisionRow).where(DecisionRow.case_id == case_id).order_by(col(DecisionRow.id))
    return tuple(session.exec(query).all())


def findings(session: Session, run: RunRow) -> tuple[Finding, ...]:
    rows = session.exec(
        select(FindingRow)
        .where(FindingRow.run_id == run.id, still_open(now()))
        .order_by(col(FindingRow.as_of).desc())
        .limit(CASES_SHOWN)
    ).all()
    return tuple(sorted((row.body for row in rows), key=lambda f: SEVERITY_ORDER[f.severity]))


def lessons(session: Session, run: RunRow, strategy: str | None) -> tuple[LessonFacts, ...]:
    """The newest lesson of each scope: in force first, then those with enough data."""
    query = select(LessonRow).where(LessonRow.run_id == run.id, LessonRow.state != "retired")
    rows = session.exec(query.order_by(col(LessonRow.as_of).desc(), col(LessonRow.id))).all()
    newest: dict[tuple[str, bool], LessonRow] = {}
    for row in rows:
        scope = Scope.parse(row.scope)
        if strategy is None or (scope is not None and scope.strategy == strategy):
            newest.setdefault((row.scope, row.state == "quarantined"), row)
    ranked = sorted(newest.values(), key=lambda row: (LESSON_ORDER[row.state], not row.body.enough_data, row.scope))
    return tuple(
        LessonFacts.model_validate(
            {"lesson_id": row.id, "state": row.state, "scope": row.scope, "claim": row.body.claim}
        )
        for row in ranked[:CASES_SHOWN]
    )


def changes(session: Session, run: RunRow, since: date) -> Changes | None:
    """What the ledger has of sessions after `since`; None before the first close."""
    curve = session.exec(select(EquityRow).where(EquityRow.run_id == run.id).order_by(col(EquityRow.session))).all()
    rows = session.exec(
        select(LedgerRow)
        .where(LedgerRow.run_id == run.id, col(LedgerRow.kind).in_(_TOLD))
        .order_by(col(LedgerRow.seq).desc())
        .limit(CHANGES_SHOWN * 10)
    ).all()
    if not curve and not rows:
        return None
    fresh = [row for row in rows if row.desk_time.date() > since]
    until = max([row.session for row in curve[-1:]] + [row.desk_time.date() for row in fresh[:1]], default=since)
    return Changes(
        since=since, until=until, equity=_equity(curve, since), more=len(fresh) > CHANGES_SHOWN,
        items=tuple(_change(session, row) for row in fresh[:CHANGES_SHOWN]),
    )  # fmt: skip


def _equity(rows: Sequence[EquityRow], since: date) -> tuple[Figure, ...]:
    """Equity at the last close not after `since`, and now; nothing when either is missing or on a later page."""
    before = next((i for i in range(len(rows) - 1, -1, -1) if rows[i].session <= since), None)
    if before is None or before == len(rows) - 1 or len(rows) > CURVE_SHOWN:
        return ()
    record = f"/equity?limit={CURVE_SHOWN}"
    return tuple(
        Figure(
            name="equity", value=rows[i].equity, unit="money", ref=Ref(record=record, pointer=f"/items/{i}/equity"),
        )
        for i in (before, len(rows) - 1)
    )  # fmt: skip


def _change(session: Session, row: LedgerRow) -> ChangeFacts:
    about = session.get(CaseRow, row.case_id) if row.case_id else None
    what = row.kind.replace(".", " ").replace("_", " ")
    named = about is not None and about.kind in ORDER_KINDS
    text = f"{what}: {about.side} {about.symbol} ({about.strategy})" if about is not None and named else what
    return ChangeFacts(
        session=row.desk_time.date(), text=text, symbol=about.symbol if about is not None else None,
        case_id=row.case_id if named else None,
        ref=Ref(record=f"/ledger?after={row.seq - 1}&limit=1", pointer="/items/0"),
    )  # fmt: skip
