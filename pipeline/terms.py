"""The terms of a question: what was asked, of whom, on which checks. The ledger keeps them from the moment of asking.

Whoever can write the database could otherwise lower `required` or `roles` before people decide, or the checks and the
exposure that a submission is held against afterwards.
"""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import Session, col, select

from memory.ledger import chain, head
from memory.tables import ApprovalRow, CaseRow, LedgerRow, RunRow
from pipeline.findings import raise_finding
from pipeline.store import Store
from tools.canonical import plain, sha256_hex
from tools.errors import ApprovalError

_KINDS = ("case.awaiting", "case.edited")
_GONE = "the record of its asking"


def terms_of(row: ApprovalRow) -> dict[str, Any]:
    """Everything about a question that nobody but an edit may change."""
    return {
        "digest": row.digest, "explanation": row.explanation_hash, "policy": row.policy_sha256,
        "limits": row.limits_sha256, "rule": row.rule, "tier": row.tier, "required": row.required, "roles": row.roles,
        "separate": row.separate, "disposition": row.disposition, "evidence_required": row.evidence_required,
        "cooling_off_seconds": row.cooling_off_seconds, "portfolio": row.portfolio_hash, "data": row.data_sha256,
        "exposure": row.exposure, "band": [row.band_low, row.band_high], "expires_index": row.expires_index,
        "checks": row.worst_checks, "facts": row.facts,
    }  # fmt: skip


def altered(session: Session, row: ApprovalRow) -> str | None:
    """What of the terms is not as the ledger says it was asked; None when all of it is.

    A record of an earlier version says less; what it says must hold.
    """
    record = session.exec(
        select(LedgerRow)
        .where(LedgerRow.case_id == row.case_id, col(LedgerRow.kind).in_(_KINDS))
        .order_by(col(LedgerRow.seq).desc())
    ).first()
    if record is None or not _is_linked(session, record):
        return _GONE
    said: dict[str, Any] = json.loads(record.content)["body"]
    now: dict[str, Any] = plain(terms_of(row))
    return next((name for name, value in now.items() if name in said and said[name] != value), None)


def _is_linked(session: Session, record: LedgerRow) -> bool:
    """The record's hashes fit its content, and the next record follows it."""
    if sha256_hex(record.content.encode()) != record.leaf or chain(record.prev_hash, record.leaf) != record.hash:
        return False
    after = session.exec(select(LedgerRow.prev_hash).where(LedgerRow.seq == record.seq + 1)).first()
    return after == record.hash if after is not None else head(session) == (record.seq, record.hash)


def require_unaltered(session: Session, row: ApprovalRow) -> None:
    """ApprovalError(tampered) when the terms are not those that were asked."""
    wrong = altered(session, row)
    if wrong is not None:
        raise ApprovalError(
            f"the question {row.id} is not the one that was asked: {wrong} was altered in the database",
            code="tampered", detail={"field": wrong},
        )  # fmt: skip


def report(store: Store, approval_id: str, error: ApprovalError) -> None:
    """Raise the finding of a `tampered` refusal, in a transaction of its own: that of the refusal is rolled back."""
    if error.code != "tampered":
        return
    with store.db.write() as session:
        row = session.get_one(ApprovalRow, approval_id)
        case = session.get_one(CaseRow, row.case_id)
        raise_finding(
            session, session.get_one(RunRow, row.run_id), code="tampered", severity="critical", component="approvals",
            symbol=case.symbol, message=f"case {case.id}: {error.message}; nothing was released",
            recommendation="Halt, verify the ledger and compare the database with a backup.", as_of=case.as_of,
        )  # fmt: skip
