"""What an approval bound, held against what stands in the tables now."""

from __future__ import annotations

from sqlmodel import Session, select

from memory.columns import Damaged
from memory.tables import ApprovalRow, CaseRow, DecisionRow, ExplanationRow, GrantRow
from pipeline import grants
from pipeline.activation import InForce
from pipeline.policy import Facts
from pipeline.store import Store
from pipeline.terms import terms_of
from tools.canonical import content_sha256, instant_text

_COPIED = ("run_id", "strategy", "symbol", "side", "kind", "risk_effect")
"""Columns of a case that repeat its proposal: queries use them, so they must agree with what was approved."""


def tampered(store: Store, session: Session, case: CaseRow, approval: ApprovalRow, grant: GrantRow) -> str | None:
    """Hold every bound field against every other; a sentence about the first that does not fit."""
    if isinstance(case.body, Damaged):
        return "its record was damaged"
    explanation = session.get(ExplanationRow, case.id)
    body, asked = grant.body, case.body
    not_before = approval.not_before_wall
    facts = {
        "the proposal's digest": asked.digest == case.digest == approval.digest == grant.digest,
        "the grant's signature": grants.is_genuine(store, grant),
        "the explanation": explanation is not None
        and content_sha256(explanation.body) == explanation.sha256
        and explanation.sha256 == approval.explanation_hash == body.get("explanation"),
        "the price band": body.get("band_low") == str(approval.band_low)
        and body.get("band_high") == str(approval.band_high),
        "the policy": body.get("policy") == approval.policy_sha256 and body.get("limits") == approval.limits_sha256,
        "the approval": approval.status == "approved" and body.get("expires_index") == approval.expires_index,
        "the terms": body.get("terms", content_sha256(terms_of(approval))) == content_sha256(terms_of(approval)),
        "the cooling-off": "terms" not in body
        or body.get("not_before") == (instant_text(not_before) if not_before else None),
        "the people": people_of(session, approval) == set(body.get("principals", ())),
        "the case's columns": all(getattr(case, name) == getattr(asked, name) for name in _COPIED),
    }
    return next((f"{name} is not what was approved" for name, sound in facts.items() if not sound), None)


def people_of(session: Session, approval: ApprovalRow) -> set[str]:
    """Whose approval of the digest now asked stands."""
    rows = session.exec(select(DecisionRow).where(DecisionRow.approval_id == approval.id)).all()
    return {row.principal for row in rows if row.decision == "approve" and row.digest == approval.digest}


def asks_more(law: InForce, approval: ApprovalRow, people: set[str]) -> str | None:
    """Why the policy in force would not release what an earlier one did; None when it would."""
    if law.policy_sha256 == approval.policy_sha256 or not approval.facts:
        return None
    ruling = law.policy.rule_on(Facts.model_validate(approval.facts))
    alone = law.policy.profile == "single_operator"
    needed = min(ruling.required, 1) if alone else ruling.required
    if ruling.disposition in ("observe", "advise"):
        return f"the policy in force only {ruling.disposition}s"
    if needed > len(people):
        return f"the policy in force asks {needed} people, {len(people)} signed"
    return None
