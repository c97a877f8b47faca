"""The signer: the only holder of the grant key. It reads the table itself and signs nothing it was merely told.

What this defends against on one machine and one account, and what not, is said in SECURITY.md.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from sqlmodel import Session, select

from memory.heads import load_key
from memory.tables import ApprovalRow, CaseRow, DecisionRow, HaltRow, PositionRow
from pipeline import authority
from pipeline.book import live_orders
from pipeline.canaries import is_canary
from pipeline.overrides import proposers_of
from pipeline.store import Store
from pipeline.terms import require_unaltered, terms_of
from tools.canonical import canonical_bytes, content_sha256, instant_text, stable_id
from tools.errors import ApprovalError, ExecutionError
from tools.types import ORDER_KINDS, CaseState

BY_POLICY = "policy:"
"""How the name of a policy begins that released a case without a person."""


def signatures_of(session: Session, approval: ApprovalRow) -> tuple[DecisionRow, ...]:
    """The approvals of exactly this digest, in order of name."""
    rows = session.exec(select(DecisionRow).where(DecisionRow.approval_id == approval.id)).all()
    return tuple(
        sorted(
            (row for row in rows if row.decision == "approve" and row.digest == approval.digest),
            key=lambda row: row.principal,
        )
    )


def approval_body(session: Session, approval_id: str) -> dict[str, Any]:
    """What the grant of an approved question says.

    ApprovalError: `unsigned` when the table does not bear it out, `tampered` when its terms are not those asked.
    """

    session.flush()
    session.expire_all()
    approval = session.get_one(ApprovalRow, approval_id)
    case = session.get_one(CaseRow, approval.case_id)
    signatures = signatures_of(session, approval)
    people = tuple(row.principal for row in signatures)
    if not _released_by_policy(case, people):
        require_unaltered(session, approval)
    refused = session.exec(
        select(DecisionRow).where(DecisionRow.approval_id == approval_id, DecisionRow.decision == "reject")
    ).first()
    holds = {
        "the question is not approved": approval.status != "approved",
        "there are too few signatures": authority.distinct(signatures) < max(1, approval.required),
        "the proposal is not the one that was asked": {case.body.digest, case.digest} != {approval.digest},
        "advice yields no grant": approval.disposition == "advise",
        "somebody refused": refused is not None,
        "who proposed it signed it": "proposer" in approval.separate
        and bool(proposers_of(session, case) & set(people)),
        "a planted case is never executed": is_canary(session, case.id),
    }
    wrong = next((text for text, found in holds.items() if found), None)
    if wrong:
        raise ApprovalError(f"no grant for {approval_id}: {wrong}", code="unsigned")
    not_before = approval.not_before_wall
    return {
        "approval": approval.id, "case": case.id, "run": case.run_id, "digest": approval.digest,
        "explanation": approval.explanation_hash, "policy": approval.policy_sha256, "limits": approval.limits_sha256,
        "quantity_budget": case.order.quantity if case.kind in ORDER_KINDS else 1,
        "symbol": case.symbol, "side": case.side, "terms": content_sha256(terms_of(approval)),
        "not_before": instant_text(not_before) if not_before else None,
        "band_low": str(approval.band_low), "band_high": str(approval.band_high),
        "expires_index": approval.expires_index, "nonce": approval.nonce, "principals": list(people),
    }  # fmt: skip


def _released_by_policy(case: CaseRow, people: tuple[str, ...]) -> bool:
    """True inside the transaction that asks and releases at once: its record is written with the release."""
    return case.state == CaseState.DRAFTED.value and bool(people) and all(name.startswith(BY_POLICY) for name in people)


def mandate_body(
    session: Session, halt_id: str, run_id: str, symbol: str, quantity: int, principal: str, index: int = 0
) -> dict[str, Any]:
    """What a halt's own grant for one session says: sell what is long, buy back what is short.

    ExecutionError(unsigned) unless the halt stands and the position, less what already closes it, is that large.
    """
    halt = session.get(HaltRow, halt_id)
    held = session.get(PositionRow, (run_id, symbol))
    if halt is None or halt.released_wall is not None or halt.action != "flatten":
        raise ExecutionError(f"no mandate: {halt_id} is not a flatten in force", code="unsigned")
    if held is None or not 0 < quantity <= abs(held.quantity):
        raise ExecutionError(f"no mandate for {quantity} {symbol}: that is not held", code="unsigned")
    side = "sell" if held.quantity > 0 else "buy"
    closing = sum(
        order.quantity - order.filled_quantity
        for order in live_orders(session, run_id)
        if order.symbol == symbol and order.side == side and order.body.reduce_only
    )
    if quantity + closing > abs(held.quantity):
        raise ExecutionError(
            f"no mandate for {quantity} {symbol}: {closing} of {abs(held.quantity)} are being closed", code="unsigned"
        )
    return {
        "halt": halt_id, "run": run_id, "symbol": symbol, "side": side, "quantity_budget": quantity,
        "reduce_only": True, "principals": [principal], "nonce": stable_id("mandate", halt_id, symbol, index),
    }  # fmt: skip


def sign(store: Store, body: dict[str, Any]) -> str:
    """Ed25519 over the canonical body, in hex."""
    return load_key(store.home.grant_key).sign(canonical_bytes(body)).hex()


def is_signed(store: Store, body: dict[str, Any], signature: str) -> bool:
    """True when the signature covers the body."""
    try:
        load_key(store.home.grant_key).public_key().verify(bytes.fromhex(signature), canonical_bytes(body))
    except (InvalidSignature, ValueError):
        return False
    return True
