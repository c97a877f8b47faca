"""May this person give this answer? Roles, delegation, separation of duties, personal limits, halts, evidence."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, or_, select

from memory.columns import Damaged
from memory.tables import ApprovalRow, CaseRow, DecisionRow, RunRow
from pipeline import attention, authority, halt
from pipeline.overrides import overrides_of, proposers_of
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
    return max([own or "", *(loan.role for loan in authority.loans(session, principal.name, at))], key=rank_of)


def require_approver(session: Session, principal: Principal) -> None:
    """ApprovalError(role) for a person who is no approver, of their own or by a lent role."""
    if principal.kind != "person":
        return
    confirm(session, principal, needed="viewer")
    if rank_of(effective_role(session, principal, now())) < rank_of("approver"):
        raise ApprovalError(f"{principal.name} needs the role approver for this", code="role")


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
    Who acts for somebody else is held to the limits of both.
    """
    stands_in = principal.name.startswith(STAND_IN_PREFIX)
    if principal.kind not in ("person", "stand_in") or stands_in != (principal.kind == "stand_in"):
        raise ApprovalError(f"{principal.name!r} may not decide as a {principal.kind}", code="forbidden")
    if stands_in:
        require_stand_in_allowed(run)
        if case.kind not in ORDER_KINDS:
            raise ApprovalError("a stand-in answers for orders only, not for changes of the desk", code="forbidden")
        if overrides_of(row) and decision != "reject":
            raise ApprovalError("a stand-in lets nothing past a limit: a person answers this", code="forbidden")
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
    names = authority.names_of(session, row, principal, now())
    if "editor" in row.separate and authority.edited_by(session, row, names):
        raise ApprovalError(f"{principal.name} edited this proposal: another person must sign it", code="separation")
    proposer = next(iter(sorted(proposers_of(session, case) & set(names))), None)
    if "proposer" in row.separate and proposer is not None:
        raise ApprovalError(f"{proposer} proposed this: another person must sign it", code="separation")
    other = authority.signed_as(session, row, principal, names)
    if other is not None and decision == "approve":
        raise ApprovalError(
            f"{other} signed, and a role is lent between {other} and {principal.name}: for one question they count as "
            "one person, so another one must sign",
            code="separation",
        )
    opened = attention.has_opened_evidence(session, row.id, principal.name)
    if row.evidence_required and not opened:
        raise ApprovalError("this tier needs the evidence opened before it is approved", code="evidence_unopened")
    if case.kind not in ORDER_KINDS:
        return
    asked = case.order.notional if notional is None else notional
    giver = authority.giver_for(session, row, principal, now())
    for name in (principal.name, giver) if giver else (principal.name,):
        _require_within_limits_of(session, case, name, asked)


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


def _require_within_limits_of(session: Session, case: CaseRow, name: str, notional: Decimal) -> None:
    own = limits_of(session, name)
    if own.order is not None and notional > own.order:
        raise ApprovalError(f"{name} may release up to {own.order} an order, this is {notional}", code="own_limit")
    if own.day is None:
        return
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    today = session.exec(
        select(CaseRow)
        .join(DecisionRow, col(DecisionRow.case_id) == col(CaseRow.id))
        .where(
            or_(col(DecisionRow.principal) == name, col(DecisionRow.on_behalf_of) == name),
            DecisionRow.decision == "approve",
            DecisionRow.decided_wall >= midnight, CaseRow.id != case.id, col(CaseRow.kind).in_(ORDER_KINDS),
        )
    ).all()  # fmt: skip
    spent = sum((item.order.notional for item in today), Decimal(0))
    if spent + notional > own.day:
        raise ApprovalError(
            f"{name} may release up to {own.day} a day and has released {spent}; this is {notional}",
            code="own_limit",
        )


def require_stand_in_allowed(run: RunRow) -> None:
    """A stand-in acts only in replay on the simulation broker; checked when minting and when consuming."""
    if run.mode != "replay" or run.config.get("broker") != "simulation":
        raise ApprovalError("a stand-in may decide only in replay mode on the simulation broker", code="forbidden")
