"""Breaks: differences between our book and the broker's, each kept until it is explained or gone.

An open break blocks what adds risk in its symbol (one of cash: everywhere), through the control `unknown_order`. One
that a person left at the broker goes on doing so; one that was explained or adopted does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import BreakRow, FillRow, RunRow
from pipeline.findings import raise_finding
from pipeline.store import now
from tools.canonical import stable_id
from tools.execution.reconciliation.types import Break, BreakKind
from tools.execution.types import Fill

OPEN, LEFT, EXPLAINED, CLOSED = "open", "left", "explained", "closed"
STANDING = (OPEN, LEFT, EXPLAINED)
"""Breaks that are still there; only those that are open wait for a person."""
GONE = "the books agree again"
ONLY_WHOLE: frozenset[BreakKind] = frozenset({"fill_missing_at_broker", "fill_differs"})
"""Kinds that only a comparison of all fills can find, and so only such a one can close."""


def open_breaks(session: Session, run_id: str) -> tuple[BreakRow, ...]:
    """Breaks that nobody has explained yet, the oldest first."""
    return _with_status(session, run_id, (OPEN,))


def standing(session: Session, run_id: str) -> tuple[BreakRow, ...]:
    """Every difference that is still there, explained or not."""
    return _with_status(session, run_id, STANDING)


def strange_fills(session: Session, run_id: str, client_order_id: str | None = None) -> tuple[Fill, ...]:
    """Executions that were heard of and not booked, because their order is not ours."""
    query = select(FillRow).where(FillRow.run_id == run_id, col(FillRow.case_id).is_(None))
    if client_order_id is not None:
        query = query.where(FillRow.client_order_id == client_order_id)
    return tuple(row.body for row in session.exec(query.order_by(col(FillRow.at), col(FillRow.execution_id))).all())


def _with_status(session: Session, run_id: str, status: Iterable[str]) -> tuple[BreakRow, ...]:
    query = select(BreakRow).where(BreakRow.run_id == run_id, col(BreakRow.status).in_(list(status)))
    return tuple(session.exec(query.order_by(col(BreakRow.opened), col(BreakRow.id))).all())


def note(session: Session, run: RunRow, found: Break, as_of: datetime) -> BreakRow:
    """Keep one difference in the caller's transaction: a new break with its finding, or the one that is known.

    One that was explained is explained for what it was: other values are a new break. One that was left stays left.
    """
    last = _newest(session, run.id, found)
    if last is not None and last.status in STANDING:
        same = (last.body.ours, last.body.theirs) == (found.ours, found.theirs)
        if last.status != EXPLAINED or same:
            last.body = found
            session.add(last)
            return last
        _close(session, last, "other values than those that were explained", as_of)
    occurrence = last.occurrence + 1 if last else 1
    row = BreakRow(
        id=stable_id("break", run.id, found.kind, found.subject, occurrence), run_id=run.id, kind=found.kind,
        subject=found.subject, occurrence=occurrence, symbol=found.symbol, status=OPEN, body=found, opened=as_of,
        opened_wall=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    record(session, row, "break.opened", as_of, {"ours": found.ours, "theirs": found.theirs, "message": found.message})
    raise_finding(
        session, run, code="break", severity="critical", component=f"reconciliation:{found.kind}", symbol=found.symbol,
        message=found.message, recommendation=found.remedy, as_of=as_of,
    )  # fmt: skip
    return row


def settle(session: Session, run: RunRow, found: Iterable[Break], as_of: datetime, *, whole: bool) -> int:
    """Keep what one comparison found and close what it no longer finds; returns how many breaks are open now."""
    seen = set()
    for item in found:
        note(session, run, item, as_of)
        seen.add((item.kind, item.subject))
    for row in standing(session, run.id):
        if (row.kind, row.subject) not in seen and (whole or row.kind not in ONLY_WHOLE):
            _close(session, row, GONE, as_of)
    session.flush()
    return len(open_breaks(session, run.id))


def _newest(session: Session, run_id: str, found: Break) -> BreakRow | None:
    query = select(BreakRow).where(
        BreakRow.run_id == run_id, BreakRow.kind == found.kind, BreakRow.subject == found.subject
    )
    return session.exec(query.order_by(col(BreakRow.occurrence).desc()).limit(1)).first()


def _close(session: Session, row: BreakRow, reason: str, as_of: datetime) -> None:
    row.status, row.ended_wall = CLOSED, now()
    row.reason = row.reason or reason
    session.add(row)
    session.flush()
    record(session, row, "break.closed", as_of, {"reason": reason})


def record(session: Session, row: BreakRow, kind: str, as_of: datetime, content: dict[str, object]) -> None:
    """Write what became of a break into the ledger of its run."""
    append(
        session,
        Entry(
            kind=kind, step=f"{kind}:{row.id}", run_id=row.run_id, desk_time=as_of, stage=Stage.FINDING,
            content={"break": row.id, "kind": row.kind, "subject": row.subject, "symbol": row.symbol, **content},
        ),
    )  # fmt: skip
