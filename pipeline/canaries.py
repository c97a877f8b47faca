"""Planted cases: bad on purpose, shown like any other, never executable, and committed to before they are shown.

While the rate is above zero, every cycle gets a commitment in the ledger: the salted hash of its plan, which names a
flaw or nothing. A reader of the ledger cannot tell which cycles are planted, and the desk cannot afterwards call a
mistake of its own a test. Salt and plan are revealed once somebody answered or time ran out.

A planted case is marked in a table of its own. `is_canary` is asked before a grant is minted and again before an order
is written, and both refuse. All records here belong to no run, so that a run's content hash is the same with and
without them; the planted case itself is part of its run.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CanaryRow, CaseRow, RunRow
from pipeline.findings import keep_finding
from pipeline.notify import outbox
from pipeline.store import Principal, now
from tools.canonical import content_sha256, stable_id
from tools.errors import ExecutionError
from tools.strategy.canaries import FLAWS, Flaw
from tools.types import Finding, Frozen, Proposal, Review, ReviewReason

PASSING = ("approve", "edit")
"""Answers by which a planted case got past a person."""
_UNIT = 2**64
_PICKS = 2**31


class CanaryPlan(Frozen):
    """What is to be planted in one cycle: which flaw, and which of the symbols that fit."""

    id: str
    run_id: str
    cycle_index: int
    flaw: Flaw
    pick: int


def is_due(seed: int, run_id: str, cycle_index: int, rate: Decimal, secret: str = "") -> bool:
    """Whether a cycle is planted: the same arguments always answer the same; a share `rate` of cycles is.

    Whoever knows the seed and the code can compute it; a `secret` of the home makes it unpredictable to people.
    """
    return Decimal(_draw("due", seed, run_id, cycle_index, secret)) < rate * _UNIT


def _draw(*parts: Any) -> int:
    return int(hashlib.sha256(content_sha256(list(parts)).encode()).hexdigest()[:16], 16)


def commitment_of(salt: str, run_id: str, cycle_index: int, flaw: str | None, pick: int) -> str:
    """The salted SHA-256 that the ledger holds before anything is shown; anyone can check a reveal with it."""
    plan = {"run": run_id, "cycle_index": cycle_index, "flaw": flaw, "pick": pick}
    return content_sha256({"salt": salt, "plan": plan})


def commit(
    session: Session,
    run: RunRow,
    cycle_index: int,
    desk_time: datetime,
    *,
    rate: Decimal | float = Decimal(0),
    secret: str = "",
) -> CanaryPlan | None:
    """Decide and commit for one cycle; the plan, or None when nothing is planted. A repeat gives the same answer.

    With rate 0 it writes nothing at all.
    """
    known = session.exec(
        select(CanaryRow).where(CanaryRow.run_id == run.id, CanaryRow.cycle_index == cycle_index)
    ).first()
    if known is not None:
        return _plan(known)
    share = Decimal(str(rate))
    if share <= 0:
        return None
    due = is_due(run.seed, run.id, cycle_index, share, secret)
    pick = _draw("pick", run.seed, run.id, cycle_index, secret) % _PICKS
    flaw = FLAWS[_draw("flaw", run.seed, run.id, cycle_index, secret) % len(FLAWS)] if due else None
    salt = secrets.token_hex(32)
    row = CanaryRow(
        id=stable_id("canary", run.id, cycle_index), run_id=run.id, cycle_index=cycle_index, flaw=flaw, pick=pick,
        salt=salt, commitment=commitment_of(salt, run.id, cycle_index, flaw, pick),
        status="committed" if due else "empty", committed_wall=now(),
    )  # fmt: skip
    session.add(row)
    append(
        session,
        Entry(
            kind="canary.committed", step=f"canary:{run.id}:{cycle_index}", desk_time=desk_time, stage=Stage.SYSTEM,
            content={"run": run.id, "cycle_index": cycle_index, "commitment": row.commitment},
        ),
    )  # fmt: skip
    return _plan(row)


def _plan(row: CanaryRow) -> CanaryPlan | None:
    if row.flaw is None:
        return None
    return CanaryPlan.model_validate(
        {
            "id": row.id, "run_id": row.run_id, "cycle_index": row.cycle_index, "flaw": row.flaw,
            "pick": row.pick,
        }
    )  # fmt: skip


def plant(session: Session, plan: CanaryPlan, case_id: str) -> None:
    """Mark a case as planted, in the transaction that opens it. ExecutionError when the plan was used before."""
    row = session.get_one(CanaryRow, plan.id)
    if row.case_id == case_id:
        return
    if row.status != "committed":
        raise ExecutionError(f"plan {plan.id} is {row.status}: a plan is planted once", code="canary_used")
    row.case_id, row.status = case_id, "planted"
    session.add(row)
    session.flush()


def review_of(proposal: Proposal, reasoner: Literal["rules", "model"]) -> Review:
    """The review that a planted case carries: kept, in the words used for any case without objection."""
    sound = ReviewReason(
        code="sound", text="Nothing in evidence speaks against it.", evidence_ids=proposal.evidence_ids[:1]
    )
    return Review(proposal_id=proposal.id, verdict="keep", reasons=(sound,), reasoner=reasoner)


def is_canary(session: Session, case_id: str) -> bool:
    """True when a case was planted: no grant may be minted for it and no order written."""
    return session.exec(select(CanaryRow.id).where(CanaryRow.case_id == case_id)).first() is not None


def planted_cases(session: Session, run_id: str) -> frozenset[str]:
    """Cases of a run that nothing may be learned from."""
    query = select(CanaryRow.case_id).where(CanaryRow.run_id == run_id, col(CanaryRow.case_id).is_not(None))
    return frozenset(case_id for case_id in session.exec(query).all() if case_id)


def settle(session: Session, approval_id: str, decision: str, principal: Principal) -> bool:
    """Take a person's answer to a planted case; True when it passed, that is, when they approved or edited it.

    The first answer counts and reveals the plan; a pass raises a finding and a notification. An approval that is not
    planted, a question back, or a later answer changes nothing and is False.
    """
    asked = session.get(ApprovalRow, approval_id)
    row = None
    if asked is not None:
        row = session.exec(select(CanaryRow).where(CanaryRow.case_id == asked.case_id)).first()
    if asked is None or row is None or row.status != "planted" or decision not in (*PASSING, "reject"):
        return False
    passed = decision in PASSING
    _close(session, row, "passed" if passed else "caught", principal.name, session.get_one(CaseRow, asked.case_id))
    if passed and principal.kind == "person":
        _alarm(session, row, asked, principal)
    return passed


def _alarm(session: Session, row: CanaryRow, asked: ApprovalRow, principal: Principal) -> None:
    finding = Finding(
        id=stable_id("find", "canary_passed", row.id), code="canary_passed", severity="critical",
        component="attention", as_of=now(),
        message=f"{principal.name} approved the planted case {asked.case_id} ({row.flaw}); nothing was sent",
        recommendation="Look at their latest approvals and talk to them before they decide further.",
    )  # fmt: skip
    keep_finding(session, None, finding)
    outbox.enqueue(
        session, event="canary.passed", subject_id=asked.case_id,
        content={"case_id": asked.case_id, "approval_id": asked.id, "decided_by": principal.name, "code": row.flaw},
    )  # fmt: skip


def reveal_due(session: Session, run: RunRow) -> int:
    """Reveal what is over: cycles without a plant, plans never planted, and planted cases that nobody answered.

    Call it when a session begins, after expiry; a planted case that still waits stays secret. Returns how many.
    """
    rows = session.exec(
        select(CanaryRow)
        .where(CanaryRow.run_id == run.id, ~col(CanaryRow.revealed), CanaryRow.cycle_index < run.session_index)
        .order_by(col(CanaryRow.cycle_index))
    ).all()
    count = 0
    for row in rows:
        case = session.get(CaseRow, row.case_id) if row.case_id else None
        if row.status == "planted" and case is not None and case.state in ("drafted", "awaiting"):
            continue
        _close(session, row, "empty" if row.flaw is None else "unanswered", None, case)
        count += 1
    return count


def _close(session: Session, row: CanaryRow, status: str, principal: str | None, case: CaseRow | None) -> None:
    row.status, row.principal, row.revealed, row.closed_wall = status, principal, True, now()
    session.add(row)
    append(
        session,
        Entry(
            kind="canary.revealed", step=f"revealed:{row.id}", case_id=case.id if case else None,
            revision=case.revision if case else 0, desk_time=case.as_of if case else now(), stage=Stage.SYSTEM,
            content={
                "run": row.run_id, "cycle_index": row.cycle_index, "flaw": row.flaw, "pick": row.pick,
                "salt": row.salt, "commitment": row.commitment, "status": status, "principal": principal,
            },
        ),
    )  # fmt: skip
