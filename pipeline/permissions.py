"""May this person give this answer? Roles, delegation, separation of duties, personal limits, halts, evidence."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from memory.columns import Damaged
from memory.tables import ApprovalRow, CaseRow, DecisionRow, DelegationRow, EditRow, RunRow
from pipeline import attention, halt
from pipeline.people import limits_of
from pipeline.roles import ROLES
from pipeline.standing import confirm, role_of
from pipeline.store import Principal, Store, never_back, now
from tools.errors import AccessError, ApprovalError
from tools.types import ORDER_KINDS

STAND_IN_PREFIX = "stand-in:"
"""How the name of a declared stand-in begins, and nobody else's: it is all that a submission sees of one."""


def rank_of(role: str | None) -> int:
    """Place of a role, from viewer up; -1 for none and for one nobody knows."""
    return next((place for place, known in enumerate(ROLES) if known == role), -1)


def effective_role(session: Session, principal: Principal, at: datetime) -> str:
    """The person's own role, or a higher one that was delegated to them for this time.

    Who acts without a credential (the local operator, a command under the home's lock) is an admin.
    """
    at = never_back(session, at)
    own = "admin" if principal.session_id is None else role_of(session, principal.name)
    roles = [own or ""]
    rows = session.exec(
        select(DelegationRow).where(
            DelegationRow.delegate == principal.name, DelegationRow.starts_wall <= at, DelegationRow.ends_wall > at,
            col(DelegationRow.ended_wall).is_(None),
        )
    ).all()  # fmt: skip
    for row in rows:
        roles.append(role_of(session, row.giver) or "")
    return max(roles, key=rank_of)


def require(
    store: Store,
    session: Session,
    row: ApprovalRow,
    case: CaseRow,
    run: RunRow,
    principal: Principal,
    decision: str,
    notional: Decimal | None = None,
) -> None:
    """Raise ApprovalError (forbidden, role, separation, own_limit, evidence_unopened) unless the answer may be given.

    A refusal needs the role only: nobody is kept from saying no. `notional` is that of an edit, if it is one.
    """
    stands_in = principal.name.startswith(STAND_IN_PREFIX)
    if principal.kind not in ("person", "stand_in") or stands_in != (principal.kind == "stand_in"):
        raise ApprovalError(f"{principal.name!r} may not decide as a {principal.kind}", code="forbidden")
    if stands_in:
        require_stand_in_allowed(run)
        if case.kind not in ORDER_KINDS:
            raise ApprovalError("a stand-in answers for orders only, not for changes of the desk", code="forbidden")
    confirm(session, principal, needed="viewer")
    if principal.kind == "person":
        needed = min((rank_of(role) for role in row.roles), default=rank_of("approver"))
        if rank_of(effective_role(session, principal, now())) < needed:
            raise ApprovalError(f"{principal.name} needs the role {ROLES[needed]} to answer this", code="role")
    if decision == "reject":
        return
    if isinstance(case.body, Damaged):
        raise ApprovalError("the record of this case was damaged: it can only be refused", code="tampered")
    if case.risk_effect != "reduces" and halt.blocks_increase(store, session, case):
        raise ApprovalError("a halt is in force: nothing that increases risk is approved", code="forbidden")
    if principal.kind != "person":
        return
    if "editor" in row.separate and _edited(session, row.id, principal.name):
        raise ApprovalError(f"{principal.name} edited this proposal: another person must sign it", code="separation")
    if "proposer" in row.separate and case.kind not in ORDER_KINDS and case.change.proposer == principal.name:
        raise ApprovalError(f"{principal.name} proposed this change: another person must sign it", code="separation")
    opened = attention.has_opened_evidence(session, row.id, principal.name)
    if row.evidence_required and not opened:
        raise ApprovalError("this tier needs the evidence opened before it is approved", code="evidence_unopened")
    if case.kind in ORDER_KINDS:
        _require_within_own_limits(session, case, principal, case.order.notional if notional is None else notional)


def why_not(
    store: Store, session: Session, row: ApprovalRow, case: CaseRow, run: RunRow, principal: Principal
) -> str | None:
    """Why this person may not approve now; None when they may. Unopened evidence is theirs to open: no reason."""
    try:
        require(store, session, row, case, run, principal, "approve")
    except ApprovalError as error:
        return None if error.code == "evidence_unopened" else error.message
    except AccessError as error:
        return error.message
    return None


def _edited(session: Session, approval_id: str, name: str) -> bool:
    """True for everybody who edited the question, not only for the last one."""
    query = select(EditRow.id).where(EditRow.approval_id == approval_id, EditRow.principal == name)
    return session.exec(query).first() is not None


def _require_within_own_limits(session: Session, case: CaseRow, principal: Principal, notional: Decimal) -> None:
    own = limits_of(session, principal.name)
    if own.order is not None and notional > own.order:
        raise ApprovalError(
            f"{principal.name} may release up to {own.order} an order, this is {notional}", code="own_limit"
        )
    if own.day is None:
        return
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    today = session.exec(
        select(CaseRow)
        .join(DecisionRow, col(DecisionRow.case_id) == col(CaseRow.id))
        .where(
            DecisionRow.principal == principal.name, DecisionRow.decision == "approve",
            DecisionRow.decided_wall >= midnight, CaseRow.id != case.id, col(CaseRow.kind).in_(ORDER_KINDS),
        )
    ).all()  # fmt: skip
    spent = sum((item.order.notional for item in today), Decimal(0))
    if spent + notional > own.day:
        raise ApprovalError(
            f"{principal.name} may release up to {own.day} a day and has released {spent}; this is {notional}",
            code="own_limit",
        )


def require_stand_in_allowed(run: RunRow) -> None:
    """A stand-in acts only in replay on the simulation broker; checked when minting and when consuming."""
    if run.mode != "replay" or run.config.get("broker") != "simulation":
        raise ApprovalError("a stand-in may decide only in replay mode on the simulation broker", code="forbidden")
