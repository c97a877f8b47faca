"""Grants: the signed, single-use permission that an approval yields and a submission consumes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from memory.tables import GrantRow
from pipeline import signer
from pipeline.store import Store, now
from tools.canonical import stable_id
from tools.errors import ExecutionError


def mint(store: Store, session: Session, approval_id: str) -> GrantRow:
    """Have an approved question signed and keep the grant. One per approval, by a UNIQUE column."""
    body = signer.approval_body(session, approval_id)
    return _insert(store, session, body, kind="approval", case_id=body["case"], approval_id=approval_id)


def mint_halt_mandate(
    store: Store,
    session: Session,
    *,
    halt_id: str,
    run_id: str,
    symbol: str,
    quantity: int,
    principal: str,
    index: int = 0,
) -> GrantRow:
    """A halt's own grant for one session: reduce-only, at most the position."""
    body = signer.mandate_body(session, halt_id, run_id, symbol, quantity, principal, index)
    return _insert(store, session, body, kind="halt_mandate", case_id=None, approval_id=None)


def _insert(
    store: Store,
    session: Session,
    body: dict[str, Any],
    *,
    kind: str,
    case_id: str | None,
    approval_id: str | None,
) -> GrantRow:
    grant = GrantRow(
        id=stable_id("grant", body), kind=kind, case_id=case_id, approval_id=approval_id, run_id=body["run"],
        status="minted", digest=body.get("digest", ""), quantity_budget=body["quantity_budget"], body=body,
        signature=signer.sign(store, body), minted_wall=now(),
    )  # fmt: skip
    session.add(grant)
    session.flush()
    return grant


def is_genuine(store: Store, grant: GrantRow) -> bool:
    """True when the signature covers the body and the columns say what the body says."""
    body = grant.body
    return (
        signer.is_signed(store, body, grant.signature)
        and body["run"] == grant.run_id
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
