"""Deciding: take one person's answer to a waiting question, in one transaction, and release when enough agree.

A decision binds the digest that the person saw. The same answer again is the same result; a different second
answer is refused with who decided first, except that one refusal beats any number of approvals until the grant is
consumed. Who decides comes from the login, never from a payload.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CaseRow, DecisionRow, GrantRow, RunRow
from pipeline import applying, authority, canaries, grants, permissions
from pipeline.cases import advance
from pipeline.faults import reach
from pipeline.notify.outbox import enqueue
from pipeline.store import Principal, Store, never_back, now
from pipeline.terms import report, require_unaltered
from pipeline.voiding import void_case
from tools.canonical import instant_text
from tools.errors import ApprovalError
from tools.types import CaseState, Frozen, Instant

MAX_REASON = 2_000
Answer = Literal["approve", "reject"]
ReasonCode = Literal[
    "thesis_wrong", "risk_too_high", "bad_timing", "data_doubtful", "news", "not_understood", "smaller_size",
    "tighter_stop", "other",
]  # fmt: skip
EDIT_CODES = frozenset({"smaller_size", "tighter_stop", "other"})
REJECT_CODES = frozenset(get_args(ReasonCode)) - EDIT_CODES | {"other"}


class DecisionResult(Frozen):
    """What a decision led to. `repeated` is true when the same person had said the same before."""

    approval_id: str
    case_id: str
    status: str
    digest: str
    given: int
    required: int
    decided_by: str
    decided_at: Instant
    repeated: bool
    on_behalf_of: str | None = None
    not_before: Instant | None = None
    answer: str | None = None


class Question(NamedTuple):
    """A question with all that belongs to it."""

    row: ApprovalRow
    case: CaseRow
    run: RunRow
    said: tuple[DecisionRow, ...]

    @property
    def signed(self) -> tuple[str, ...]:
        """People whose approval of the digest now asked stands."""
        return tuple(d.principal for d in self.said if d.decision == "approve" and d.digest == self.row.digest)

    @property
    def given(self) -> int:
        """How many distinct people approved the digest now asked."""
        return authority.distinct(d for d in self.said if d.decision == "approve" and d.digest == self.row.digest)

    def answer_of(self, name: str) -> DecisionRow | None:
        return next((d for d in self.said if d.principal == name and d.digest == self.row.digest), None)


def find_question(session: Session, approval_id: str) -> Question:
    """The question and what was said to it; ApprovalError(unknown)."""
    row = session.get(ApprovalRow, approval_id)
    if row is None:
        raise ApprovalError(f"there is no approval {approval_id}", code="unknown")
    said = session.exec(
        select(DecisionRow).where(DecisionRow.approval_id == approval_id).order_by(col(DecisionRow.id))
    ).all()
    return Question(row, session.get_one(CaseRow, row.case_id), session.get_one(RunRow, row.run_id), tuple(said))


def clean_reason(reason: str) -> str:
    """The reason without edges; ApprovalError(invalid) when it is empty, too long or nothing that a table can keep."""
    text = reason.strip()
    if not text or len(text) > MAX_REASON or "\x00" in text:
        raise ApprovalError(f"a reason of 1 to {MAX_REASON} characters is needed", code="invalid")
    return text


def decide(
    store: Store,
    approval_id: str,
    *,
    principal: Principal,
    decision: Answer,
    digest: str,
    reason: str,
    reason_code: ReasonCode | None = None,
) -> DecisionResult:
    """Take one answer. ApprovalError codes: unknown, invalid, stale_digest, expired, decided, tampered, and those
    of `permissions.require`: forbidden, role, separation, own_limit, evidence_unopened."""
    if decision not in ("approve", "reject"):
        raise ApprovalError(f"decision {decision!r} is not one of approve, reject", code="invalid")
    text = clean_reason(reason)
    if decision == "reject" and reason_code is not None and reason_code not in REJECT_CODES:
        raise ApprovalError(f"{reason_code} is no reason to reject: {', '.join(sorted(REJECT_CODES))}", code="invalid")
    try:
        answer = _take(store, approval_id, principal, decision, digest, text, reason_code)
    except ApprovalError as error:
        report(store, approval_id, error)
        raise
    reach("after_decision_commit")
    applying.apply_due(store)
    store.publish_head()
    return answer


def _take(
    store: Store,
    approval_id: str,
    principal: Principal,
    decision: Answer,
    digest: str,
    text: str,
    reason_code: ReasonCode | None,
) -> DecisionResult:
    with store.db.write() as session:
        asked = find_question(session, approval_id)
        mine = asked.answer_of(principal.name)
        if mine is not None and (mine.decision, mine.digest) == (decision, digest):
            return result_of(asked, mine, repeated=True)
        require_digest(asked, digest)
        require_open(session, asked, mine, decision)
        if decision == "approve":
            require_unaltered(session, asked.row)
        permissions.require(store, session, asked.row, asked.case, asked.run, principal, decision)
        said = add_answer(session, asked, principal, decision, text, reason_code)
        asked = asked._replace(said=(*asked.said, said))
        if decision == "reject":
            refuse(session, asked, said, principal)
            canaries.settle(session, approval_id, decision, principal)
        elif not spring(session, asked, said, principal):
            sign(store, session, asked, said, principal)
        enqueue(session, event="approval.decided", subject_id=approval_id, content=told(asked, said))
        answer = result_of(asked, said, repeated=False)
        reach("before_decision_commit")
    return answer


def wall(session: Session) -> datetime:
    """Now, or the latest wall time that this home has written, whichever is later."""
    return never_back(session, now())


def require_digest(asked: Question, digest: str) -> None:
    if digest != asked.row.digest or asked.case.body.digest != asked.row.digest:
        raise ApprovalError(
            f"the proposal asked has digest {asked.row.digest[:12]}, yours says {digest[:12]}: look at it again",
            code="stale_digest",
        )


def require_open(session: Session, asked: Question, mine: DecisionRow | None, decision: str) -> None:
    """ApprovalError(decided or expired) unless the question still takes this answer."""
    row = asked.row
    require_active(asked)
    late = row.status == "approved" and decision == "reject" and mine is None and _unspent(session, row)
    if mine is not None or (row.status in ("approved", "rejected") and not late):
        first = mine or next((d for d in reversed(asked.said) if d.digest == row.digest), asked.said[-1])
        raise ApprovalError(
            f"decided before: {first.principal} said {first.decision} at {first.decided_wall:%Y-%m-%d %H:%M:%SZ}",
            code="decided",
            detail={
                "decided_by": first.principal, "decision": first.decision, "status": row.status, "digest": row.digest,
                "decided_at": instant_text(first.decided_wall),
            },
        )  # fmt: skip
    if row.status == "expired" or (asked.run.session_index >= row.expires_index and not late):
        raise ApprovalError(f"the question expired before the open of {row.expires}", code="expired")
    if row.expires_wall is not None and wall(session) >= row.expires_wall and not late:
        raise ApprovalError(f"the question expired at {row.expires_wall:%Y-%m-%d %H:%M:%SZ}", code="expired")
    if row.status == "voided":
        raise ApprovalError("the question was voided: its case no longer stands", code="expired")


def require_active(asked: Question) -> None:
    """ApprovalError(expired) for a question of a run that was closed."""
    if not asked.run.active:
        raise ApprovalError(f"the question belongs to run {asked.run.id}, which was closed", code="expired")


def _unspent(session: Session, row: ApprovalRow) -> bool:
    grant = session.exec(select(GrantRow).where(GrantRow.approval_id == row.id)).first()
    return grant is not None and grant.status == "minted"


def add_answer(
    session: Session, asked: Question, principal: Principal, decision: str, reason: str, reason_code: str | None
) -> DecisionRow:
    """Write one answer to the digest now asked; UNIQUE(approval, person, digest) stands behind it."""
    row = DecisionRow(
        approval_id=asked.row.id, case_id=asked.row.case_id, principal=principal.name, decision=decision,
        digest=asked.row.digest, reason=reason, reason_code=reason_code or ("other" if decision == "reject" else None),
        session_id=principal.session_id, decided_wall=now(),
        on_behalf_of=authority.giver_for(session, asked.row, principal, now()),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _content(asked: Question, said: DecisionRow) -> dict[str, Any]:
    return {
        "approval": asked.row.id, "principal": said.principal, "decision": said.decision,
        "reason_code": said.reason_code, "reason_text": said.reason, **behalf(said.on_behalf_of),
    }  # fmt: skip


def behalf(giver: str | None) -> dict[str, str]:
    """The line of a record that names who lent the role; nothing when nobody did."""
    return {} if giver is None else {"on_behalf_of": giver}


def told(asked: Question, said: DecisionRow) -> dict[str, Any]:
    """What a notification may say of an answer: no free text."""
    return {
        "approval": asked.row.id, "case": asked.case.id, "symbol": asked.case.symbol, "side": asked.case.side,
        "tier": asked.row.tier, "decision": said.decision, "decided_by": said.principal, "status": asked.row.status,
        **behalf(said.on_behalf_of),
    }  # fmt: skip


def envelope_of(principal: Principal, at: datetime) -> dict[str, Any]:
    return {"address": principal.address, "session": principal.session_id, "decided_wall": at}


def refuse(session: Session, asked: Question, said: DecisionRow, principal: Principal) -> None:
    """Count a rejection: one is enough, and a grant that is not used yet goes with it."""
    row = asked.row
    voided = grants.void(session, asked.case.id)
    row.status, row.decided_wall = "rejected", said.decided_wall
    session.add(row)
    advance(
        session, asked.case, CaseState.REJECTED, content={**_content(asked, said), "grant_voided": voided},
        desk_time=asked.case.as_of, stage=Stage.DECIDE, reason="rejected",
        envelope=envelope_of(principal, said.decided_wall),
    )  # fmt: skip


def spring(session: Session, asked: Question, said: DecisionRow, principal: Principal) -> bool:
    """Close a planted case that got past a person, with an alarm; False when the case is a real one."""
    if not canaries.is_canary(session, asked.case.id):
        return False
    canaries.settle(session, asked.row.id, said.decision, principal)
    void_case(
        session, asked.case, why="it was planted to see who reads before approving; nothing was sent",
        desk_time=asked.case.as_of, stage=Stage.DECIDE, detail=_content(asked, said),
    )  # fmt: skip
    return True


def sign(store: Store, session: Session, asked: Question, said: DecisionRow, principal: Principal) -> None:
    """Count an approval; release the case when enough distinct people signed this digest."""
    envelope = envelope_of(principal, said.decided_wall)
    if asked.given >= asked.row.required:
        release(store, session, asked, _content(asked, said), envelope)
        return
    append(
        session,
        Entry(
            kind="approval.given", step=f"given:{said.principal}:{asked.row.digest[:16]}", case_id=asked.case.id,
            revision=asked.case.revision, run_id=asked.run.id, desk_time=asked.case.as_of, stage=Stage.DECIDE,
            rank=asked.case.rank, content=_content(asked, said), envelope=envelope,
        ),
    )  # fmt: skip


def release(store: Store, session: Session, asked: Question, content: dict[str, Any], envelope: dict[str, Any]) -> None:
    """Approve a question and mint its grant. Advice ends here: it is recorded and nothing can be sent."""
    row, case = asked.row, asked.case
    row.status, row.decided_wall = "approved", now()
    if row.cooling_off_seconds:
        row.not_before_wall = row.decided_wall + timedelta(seconds=row.cooling_off_seconds)
    session.add(row)
    people = sorted(set(asked.signed))
    as_of = case.as_of
    if row.disposition == "advise":
        advance(
            session, case, CaseState.APPROVED, desk_time=as_of, stage=Stage.DECIDE,
            content={**content, "principals": people}, envelope=envelope,
        )  # fmt: skip
        advance(
            session, case, CaseState.CANCELLED, desk_time=as_of, stage=Stage.DECIDE, content={"mode": "advise"},
            reason="advice only: the desk is in advise mode",
        )  # fmt: skip
        return
    grant = grants.mint(store, session, row.id)
    advance(
        session, case, CaseState.APPROVED, desk_time=as_of, stage=Stage.DECIDE,
        content={**content, "principals": people, "quantity_budget": grant.quantity_budget},
        envelope={**envelope, "grant": grant.id, "nonce": row.nonce, "not_before": row.not_before_wall},
    )  # fmt: skip


def result_of(asked: Question, said: DecisionRow, *, repeated: bool) -> DecisionResult:
    row = asked.row
    return DecisionResult(
        approval_id=row.id, case_id=row.case_id, status=row.status, digest=row.digest, required=row.required,
        given=asked.given, decided_by=said.principal, decided_at=said.decided_wall, repeated=repeated,
        not_before=row.not_before_wall, on_behalf_of=said.on_behalf_of,
    )  # fmt: skip
