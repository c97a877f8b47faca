"""Findings raised by the pipeline itself, beside those of the monitoring agent."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.tables import FindingRow, RunRow
from pipeline.notify.outbox import enqueue
from tools.canonical import stable_id
from tools.types import Finding, Severity


def keep_finding(session: Session, run: RunRow | None, finding: Finding) -> bool:
    """Store and record a finding once; the same id again changes nothing. True when it was new."""
    values = {
        "id": finding.id, "run_id": run.id if run else None, "code": finding.code, "severity": finding.severity,
        "component": finding.component, "symbol": finding.symbol, "as_of": finding.as_of, "body": finding,
    }  # fmt: skip
    if not insert_if_absent(session, FindingRow, values):
        return False
    append(
        session,
        Entry(
            kind="finding.raised", step=f"finding:{finding.id}", run_id=run.id if run else None,
            desk_time=finding.as_of, stage=Stage.FINDING, content=finding.model_dump(mode="json"),
        ),
    )  # fmt: skip
    if finding.severity == "critical":
        told = {"finding": finding.id, "code": finding.code, "component": finding.component, "symbol": finding.symbol}
        enqueue(session, event="finding.critical", subject_id=finding.id, content={**told, "severity": "critical"})
    return True


def raise_finding(
    session: Session,
    run: RunRow | None,
    *,
    code: str,
    severity: Severity,
    component: str,
    message: str,
    recommendation: str,
    as_of: datetime,
    symbol: str | None = None,
) -> None:
    """Raise a finding that a control or a reconciliation noticed."""
    scope = run.id if run else None
    keep_finding(
        session,
        run,
        Finding(
            id=stable_id("find", scope, code, component, symbol, as_of, message), code=code, severity=severity,
            component=component, symbol=symbol, message=message, recommendation=recommendation, as_of=as_of,
        ),
    )  # fmt: skip
