"""The approval queue: ask, decide, expire, void. Everything happens in SQL; the graph only waits.

A decision binds the digest that the person saw. The same answer again is the same result; a different second
answer is refused with who decided first, except that one refusal beats an approval until the grant is consumed.
"""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any, Literal

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CaseRow, DecisionRow, GrantRow, RunRow
from pipeline import grants, halt
from pipeline.activation import InForce
from pipeline.cases import advance
from pipeline.faults import reach
from pipeline.policy import Ruling
from pipeline.store import Principal, Store, now
from tools.canonical import stable_id
from tools.errors import ApprovalError
from tools.types import CaseState, Frozen, Instant

MAX_REASON = 2_000
STAND_IN_PREFIX = "stand-in:"
"""How the name of a declared stand-in begins, and nobody else's: it is all that a submission sees of one."""
Answer = Literal["approve", "reject"]


class DecisionResult(Frozen):
    """What a decision led to. `repeated` is true when the same person had said the same before."""

    approval_id: str
    case_id: str
    status: str
    given: int
    required: int
    decided_by: str
    decided_at: Instant
    repeated: bool


class Asked(Frozen):
    """What is bound when a case is put to people."""

    explanation_hash: str
    portfolio_hash: str
    exposure: int
    data_sha256: str
    checks: dict[str, str]
    expires: date
    desk_time: Instant


def request(session: Session, case: CaseRow, ruling: Ruling, asked: Asked, law: InForce, key: Any) -> ApprovalRow:
    """Put a drafted case in the queue; when the policy asks nobody, it is released at once by the policy."""
    row = ApprovalRow(
        id=stable_id("appr", case.id), case_id=case.id, run_id=case.run_id, status="pending", digest=case.digest,
        explanation_hash=asked.explanation_hash, policy_version=law.policy.version, policy_sha256=law.policy_sha256,
        limits_sha256=law.limits_sha256, rule=ruling.rule, required=ruling.required, roles=list(ruling.roles),
        nonce=secrets.token_hex(16), band_low=case.body.band.low, band_high=case.body.band.high,
        portfolio_hash=asked.portfolio_hash, exposure=asked.exposure, data_sha256=asked.data_sha256,
        worst_checks=asked.checks, asked_index=case.opened_index,
        expires_index=case.opened_index + ruling.ttl_sessions, expires=asked.expires, asked_wall=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    content = {
        "approval": row.id, "explanation": asked.explanation_hash, "policy": law.policy_sha256,
        "limits": law.limits_sha256, "rule": ruling.rule, "required": ruling.required,
        "portfolio": asked.portfolio_hash, "data": asked.data_sha256, "exposure": asked.exposure,
        "band": [row.band_low, row.band_high], "expires_index": row.expires_index, "checks": asked.checks,
    }  # fmt: skip
    if ruling.required == 0:
        policy = Principal(f"policy:{law.policy.version}", "policy")
        session.add(_decision(row, policy, "approve", f"pre-authorised by rule {ruling.rule}"))
        _release(session, case, row, (policy.name,), key, asked.desk_time, content)
    else:
        advance(
            session, case, CaseState.AWAITING, content=content, desk_time=asked.desk_time, stage=Stage.REQUEST,
            envelope={"nonce": row.nonce},
        )  # fmt: skip
    return row


def decide(
    store: Store, approval_id: str, *, principal: Principal, decision: Answer, digest: str, reason: str
) -> DecisionResult:
    """Take one person's answer. ApprovalError codes: unknown, invalid, stale_digest, expired, decided, forbidden."""
    if decision not in ("approve", "reject"):
        raise ApprovalError(f"decision {decision!r} is not one of approve, reject", code="invalid")
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise ApprovalError(f"a reason of 1 to {MAX_REASON} characters is needed", code="invalid")
    with store.db.write() as session:
        row = session.get(ApprovalRow, approval_id)
        if row is None:
            raise ApprovalError(f"there is no approval {approval_id}", code="unknown")
        case = session.get_one(CaseRow, row.case_id)
        run = session.get_one(RunRow, row.run_id)
        earlier = _decisions(session, row.id)
        mine = next((d for d in earlier if d.principal == principal.name), None)
        if mine is not None and (mine.decision, mine.digest) == (decision, digest):
            return _result(row, mine, earlier, repeated=True)
        if digest != row.digest or case.body.digest != row.digest:
            raise ApprovalError(
                f"the proposal asked has digest {row.digest[:12]}, yours says {digest[:12]}: look at it again",
                code="stale_digest",
            )
        _refuse_if_closed(session, row, run, earlier, mine, decision)
        _refuse_if_forbidden(store, session, case, run, principal, decision)
        said = _decision(row, principal, decision, reason)
        session.add(said)
        session.flush()
        _take(store, session, case, row, run, said, (*earlier, said), principal)
        reach("before_decision_commit")
    reach("after_decision_commit")
    store.publish_head()
    return _result(row, said, (*earlier, said), repeated=False)


def _refuse_if_closed(
    session: Session,
    row: ApprovalRow,
    run: RunRow,
    earlier: tuple[DecisionRow, ...],
    mine: DecisionRow | None,
    decision: Answer,
) -> None:
    late_refusal = row.status == "approved" and decision == "reject" and mine is None and _unspent(session, row)
    if mine is not None or (row.status in ("approved", "rejected") and not late_refusal):
        first = mine or earlier[0]
        raise ApprovalError(
            f"decided before: {first.principal} said {first.decision} at {first.decided_wall:%Y-%m-%d %H:%M:%SZ}",
            code="decided",
        )
    if row.status == "expired" or (run.session_index >= row.expires_index and not late_refusal):
        raise ApprovalError(f"the question expired before the open of {row.expires}", code="expired")
    if row.status == "voided":
        raise ApprovalError("the question was voided: its case no longer stands", code="expired")


def _unspent(session: Session, row: ApprovalRow) -> bool:
    grant = session.exec(select(GrantRow).where(GrantRow.approval_id == row.id)).first()
    return grant is not None and grant.status == "minted"


def _refuse_if_forbidden(
    store: Store, session: Session, case: CaseRow, run: RunRow, principal: Principal, decision: Answer
) -> None:
    stands_in = principal.name.startswith(STAND_IN_PREFIX)
    if principal.kind not in ("person", "stand_in") or stands_in != (principal.kind == "stand_in"):
        raise ApprovalError(f"{principal.name!r} may not decide as a {principal.kind}", code="forbidden")
    if stands_in:
        require_stand_in_allowed(run)
    if decision == "approve" and case.risk_effect != "reduces" and halt.blocks_increase(store, session, case):
        raise ApprovalError("a halt is in force: nothing that increases risk is approved", code="forbidden")


def require_stand_in_allowed(run: RunRow) -> None:
    """A stand-in acts only in replay on the simulation broker; checked when minting and when consuming."""
    if run.mode != "replay" or run.config.get("broker") != "simulation":
        raise ApprovalError("a stand-in may decide only in replay mode on the simulation broker", code="forbidden")


def _take(
    store: Store,
    session: Session,
    case: CaseRow,
    row: ApprovalRow,
    run: RunRow,
    said: DecisionRow,
    all_said: tuple[DecisionRow, ...],
    principal: Principal,
) -> None:
    desk_time = case.body.as_of
    content = {"approval": row.id, "principal": said.principal, "decision": said.decision, "reason_text": said.reason}
    envelope = {"address": principal.address, "session": principal.session_id, "decided_wall": said.decided_wall}
    if said.decision == "reject":
        voided = grants.void(session, case.id)
        row.status, row.decided_wall = "rejected", said.decided_wall
        advance(
            session, case, CaseState.REJECTED, content={**content, "grant_voided": voided}, desk_time=desk_time,
            stage=Stage.DECIDE, reason="rejected", envelope=envelope,
        )  # fmt: skip
        return
    people = tuple(d.principal for d in all_said if d.decision == "approve")
    if len(people) >= row.required:
        _release(session, case, row, people, store.grant_key, desk_time, content, envelope)
    else:
        append(
            session,
            Entry(
                kind="approval.given", step=f"given:{said.principal}", case_id=case.id, revision=case.revision,
                run_id=run.id, desk_time=desk_time, stage=Stage.DECIDE, rank=case.rank, content=content,
                envelope=envelope,
            ),
        )  # fmt: skip


def _release(
    session: Session,
    case: CaseRow,
    row: ApprovalRow,
    people: tuple[str, ...],
    key: Any,
    desk_time: Any,
    content: dict[str, Any],
    envelope: dict[str, Any] | None = None,
) -> None:
    row.status, row.decided_wall = "approved", now()
    grant = grants.mint(session, key, case, row, people)
    advance(
        session, case, CaseState.APPROVED, desk_time=desk_time, stage=Stage.DECIDE,
        content={**content, "principals": list(people), "quantity_budget": grant.quantity_budget},
        envelope={**(envelope or {}), "grant": grant.id, "nonce": row.nonce},
    )  # fmt: skip


def expire_due(session: Session, run: RunRow, desk_time: Any) -> list[str]:
    """Close every question whose time has run out; no answer in time is a refusal."""
    due = session.exec(
        select(ApprovalRow).where(
            ApprovalRow.run_id == run.id,
            ApprovalRow.status == "pending",
            ApprovalRow.expires_index <= run.session_index,
        )
    ).all()
    for row in due:
        row.status, row.decided_wall = "expired", now()
        case = session.get_one(CaseRow, row.case_id)
        advance(
            session, case, CaseState.EXPIRED, content={"approval": row.id}, desk_time=desk_time, stage=Stage.EXPIRE,
            reason="nobody answered in time",
        )  # fmt: skip
    return [row.case_id for row in due]


def _decision(row: ApprovalRow, principal: Principal, decision: Answer, reason: str) -> DecisionRow:
    return DecisionRow(
        approval_id=row.id, case_id=row.case_id, principal=principal.name, decision=decision, digest=row.digest,
        reason=reason, decided_wall=now(),
    )  # fmt: skip


def _decisions(session: Session, approval_id: str) -> tuple[DecisionRow, ...]:
    query = select(DecisionRow).where(DecisionRow.approval_id == approval_id).order_by(col(DecisionRow.id))
    return tuple(session.exec(query).all())


def _result(
    row: ApprovalRow, said: DecisionRow, all_said: tuple[DecisionRow, ...], *, repeated: bool
) -> DecisionResult:
    return DecisionResult(
        approval_id=row.id, case_id=row.case_id, status=row.status, required=row.required,
        given=sum(d.decision == "approve" for d in all_said), decided_by=said.principal,
        decided_at=said.decided_wall, repeated=repeated,
    )  # fmt: skip
