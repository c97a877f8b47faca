"""Asking: put a checked and explained case in the queue, release it by policy, or leave it alone."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from memory.ledger import Stage
from memory.tables import ApprovalRow, CaseRow, DecisionRow, RunRow
from pipeline.activation import InForce
from pipeline.approvals import Question, release
from pipeline.canaries import is_canary
from pipeline.cases import advance
from pipeline.notify.outbox import enqueue
from pipeline.policy import Facts, Ruling
from pipeline.signer import BY_POLICY
from pipeline.store import Principal, Store, now
from pipeline.terms import terms_of
from pipeline.voiding import void_case
from tools.canonical import plain, stable_id
from tools.types import ORDER_KINDS, CaseState, Frozen, Instant


class Asked(Frozen):
    """What is bound when a case is put to people."""

    explanation_hash: str
    portfolio_hash: str
    exposure: int
    data_sha256: str
    checks: dict[str, str]
    expires: date
    desk_time: Instant
    facts: Facts | None = None


def request(
    store: Store, session: Session, case: CaseRow, ruling: Ruling, asked: Asked, law: InForce
) -> ApprovalRow | None:
    """Ask in the caller's transaction. None when the mode only observes: the case then ends as blocked."""
    if ruling.disposition == "observe":
        advance(
            session, case, CaseState.BLOCKED, content={"mode": "observe"}, desk_time=asked.desk_time,
            stage=Stage.REQUEST, reason="observe: the desk is in observe mode",
        )  # fmt: skip
        return None
    if ruling.required == 0 and is_canary(session, case.id):
        void_case(
            session, case, why="it was planted, and nobody would be asked about it", desk_time=asked.desk_time,
            stage=Stage.REQUEST, detail={},
        )  # fmt: skip
        return None
    band = case.order.band if case.kind in ORDER_KINDS else None
    single = law.policy.profile == "single_operator"
    proposed = band is None or bool(asked.facts and asked.facts.overrides)
    alone = single and (ruling.required > 1 or (proposed and "proposer" in ruling.separate))
    asked_wall = now()
    row = ApprovalRow(
        id=stable_id("appr", case.id), case_id=case.id, run_id=case.run_id, status="pending", digest=case.digest,
        explanation_hash=asked.explanation_hash, policy_version=law.policy.version, policy_sha256=law.policy_sha256,
        limits_sha256=law.limits_sha256, rule=ruling.rule, required=1 if alone else ruling.required,
        roles=list(ruling.roles), nonce=secrets.token_hex(16), band_low=band.low if band else Decimal(0),
        band_high=band.high if band else Decimal(0), portfolio_hash=asked.portfolio_hash, exposure=asked.exposure,
        data_sha256=asked.data_sha256, worst_checks=asked.checks, asked_index=case.opened_index,
        expires_index=case.opened_index + ruling.ttl_sessions, expires=asked.expires, asked_wall=asked_wall,
        expires_wall=asked_wall + timedelta(minutes=ruling.ttl_minutes) if ruling.ttl_minutes else None,
        disposition=ruling.disposition, tier=ruling.tier, facts=plain(asked.facts) if asked.facts else {},
        separate=[who for who in ruling.separate if not (single and who == "proposer")],
        escalation=plain(ruling.escalation),
        evidence_required=ruling.evidence_required, review_sampled=_sampled(case, ruling),
        cooling_off_seconds=law.policy.cooling_off_seconds if alone else 0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    content: dict[str, Any] = {
        **terms_of(row), "approval": row.id, "review_sampled": row.review_sampled,
    }  # fmt: skip
    if ruling.required == 0:
        _release_by_policy(store, session, case, row, law, content)
    else:
        advance(
            session, case, CaseState.AWAITING, content=content, desk_time=asked.desk_time, stage=Stage.REQUEST,
            envelope={"nonce": row.nonce, "expires_wall": row.expires_wall},
        )  # fmt: skip
        told = {"case": case.id, "symbol": case.symbol, "side": case.side, "tier": row.tier, "required": row.required}
        enqueue(session, event="approval.asked", subject_id=row.id, content={**told, "expires": row.expires})
    return row


def _release_by_policy(
    store: Store, session: Session, case: CaseRow, row: ApprovalRow, law: InForce, content: dict[str, Any]
) -> None:
    policy = Principal(f"{BY_POLICY}{law.policy.version}", "policy")
    said = DecisionRow(
        approval_id=row.id, case_id=case.id, principal=policy.name, decision="approve", digest=row.digest,
        reason=f"pre-authorised by rule {row.rule}", decided_wall=now(),
    )  # fmt: skip
    session.add(said)
    session.flush()
    run = session.exec(select(RunRow).where(RunRow.id == case.run_id)).one()
    release(store, session, Question(row, case, run, (said,)), content, {})


def _sampled(case: CaseRow, ruling: Ruling) -> bool:
    """Whether a released case is drawn for review afterwards: a fixed draw from its digest, so nobody can steer it."""
    return int(case.digest[:8], 16) / 0x1_0000_0000 < float(ruling.review_sample)
