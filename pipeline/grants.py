"""Grants: the signed, single-use permission that an approval yields and a submission consumes."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update
from sqlmodel import Session, col

from memory.tables import ApprovalRow, CaseRow, GrantRow
from pipeline.store import now
from tools.canonical import canonical_bytes, stable_id
from tools.errors import ExecutionError


def mint(
    session: Session, key: Ed25519PrivateKey, case: CaseRow, approval: ApprovalRow, principals: tuple[str, ...]
) -> GrantRow:
    """Sign what was seen: digest, budget, band, expiry, people. One grant per approval, by a UNIQUE column."""
    body: dict[str, Any] = {
        "approval": approval.id, "case": case.id, "run": case.run_id, "digest": approval.digest,
        "explanation": approval.explanation_hash, "policy": approval.policy_sha256, "limits": approval.limits_sha256,
        "quantity_budget": case.body.quantity, "symbol": case.symbol, "side": case.side,
        "band_low": approval.band_low, "band_high": approval.band_high, "expires_index": approval.expires_index,
        "nonce": approval.nonce, "principals": list(principals),
    }  # fmt: skip
    return _insert(session, key, body, case_id=case.id, approval_id=approval.id, budget=case.body.quantity)


def mint_halt_mandate(
    session: Session, key: Ed25519PrivateKey, *, halt_id: str, run_id: str, symbol: str, quantity: int, principal: str
) -> GrantRow:
    """A halt's own grant: reduce-only, at most the position."""
    body = {
        "halt": halt_id, "run": run_id, "symbol": symbol, "side": "sell", "quantity_budget": quantity,
        "reduce_only": True, "principals": [principal], "nonce": stable_id("mandate", halt_id, symbol),
    }  # fmt: skip
    return _insert(session, key, body, case_id=None, approval_id=None, budget=quantity, kind="halt_mandate")


def _insert(
    session: Session,
    key: Ed25519PrivateKey,
    body: dict[str, Any],
    *,
    case_id: str | None,
    approval_id: str | None,
    budget: int,
    kind: str = "approval",
) -> GrantRow:
    grant = GrantRow(
        id=stable_id("grant", body), kind=kind, case_id=case_id, approval_id=approval_id, run_id=body["run"],
        status="minted", digest=body.get("digest", ""), quantity_budget=budget, body=body,
        signature=key.sign(canonical_bytes(body)).hex(), minted_wall=now(),
    )  # fmt: skip
    session.add(grant)
    session.flush()
    return grant


def is_genuine(key: Ed25519PrivateKey, grant: GrantRow) -> bool:
    """True when the signature covers the body and the columns say what the body says."""
    try:
        key.public_key().verify(bytes.fromhex(grant.signature), canonical_bytes(grant.body))
    except (InvalidSignature, ValueError):
        return False
    body = grant.body
    return (
        body["run"] == grant.run_id
        and body["quantity_budget"] == grant.quantity_budget
        and body.get("digest", "") == grant.digest
        and body.get("case") == grant.case_id
        and body.get("approval") == grant.approval_id
        and (grant.kind == "halt_mandate") == ("halt" in body)
    )


def consume(session: Session, grant: GrantRow, quantity: int) -> None:
    """Take the grant for `quantity`; ExecutionError when somebody else took it or the budget is too small."""
    if quantity > grant.quantity_budget:
        raise ExecutionError(f"grant {grant.id} covers {grant.quantity_budget}, not {quantity}", code="grant_exceeded")
    taken = session.connection().execute(
        update(GrantRow)
        .where(col(GrantRow.id) == grant.id, col(GrantRow.status) == "minted")
        .values(status="consumed", quantity_used=quantity, consumed_wall=now())
        .returning(col(GrantRow.id))
    )
    if taken.first() is None:
        raise ExecutionError(f"grant {grant.id} was used or voided before", code="grant_spent")
    session.expire(grant)


def void(session: Session, case_id: str) -> bool:
    """Void an unused grant of a case; True when there was one."""
    result = session.connection().execute(
        update(GrantRow)
        .where(col(GrantRow.case_id) == case_id, col(GrantRow.status) == "minted")
        .values(status="voided")
        .returning(col(GrantRow.id))
    )
    return result.first() is not None
