"""A person stops a worked order: no further child is written, and one that still lives is cancelled.

What was filled stays, and so does its protective stop. Stopping an entry only lowers risk, any operator may; stopping
an exit leaves risk in the book, as refusing one does, and needs who may refuse it.
"""

from __future__ import annotations

from sqlmodel import Session, col, or_, select

from memory.tables import CaseRow, ParentRow, RunRow
from pipeline import parents
from pipeline.approvals import clean_reason
from pipeline.order_ends import desk_tick
from pipeline.roles import Role, Scope
from pipeline.standing import confirm
from pipeline.store import Principal, Store
from pipeline.submission import cancel_order
from tools.errors import ApprovalError
from tools.execution.types import TERMINAL, OrderState


def stop(store: Store, key: str, *, principal: Principal, reason: str) -> ParentRow:
    """Stop the worked order of a parent's or a case's id; a second stop, by whomever, changes nothing.

    Where a halt or a moved position ended the plan before, a child that still lives is cancelled all the same.

    ApprovalError: invalid (the reason), unknown (nothing is worked under this id), decided (its plan is over), role.
    """
    text = clean_reason(reason)
    if principal.kind != "person":
        raise ApprovalError("only a person stops a worked order", code="role")
    with store.db.write() as session:
        parent = find(session, key)
        case = session.get_one(CaseRow, parent.case_id)
        confirm(session, principal, needed=role_needed(case))
        desk_time = desk_tick(session, session.get_one(RunRow, parent.run_id)).as_of
        stopped = parents.end_plan(
            session, parent, f"{principal.name}: {text}", desk_time,
            by={"principal": principal.name, "reason_text": text},
            envelope={"address": principal.address, "session": principal.session_id},
        )  # fmt: skip
        if not stopped and parent.status == parents.DONE:
            raise ApprovalError(
                f"the plan of {parent.id} is over: there is nothing left to stop",
                code="decided", detail={"status": parent.status},
            )  # fmt: skip
        for order in parents.children(session, parent.id):
            if OrderState(order.state) not in TERMINAL:
                cancel_order(session, order)
    store.publish_head()
    return parent


def right_needed(store: Store, key: str) -> tuple[Role, Scope]:
    """The role and the scope of a key that stopping this worked order takes; ApprovalError(unknown)."""
    with store.db.read() as session:
        role = role_needed(session.get_one(CaseRow, find(session, key).case_id))
    return role, "decide" if role == "approver" else "halt"


def role_needed(case: CaseRow) -> Role:
    """The least role that may stop the worked order of a case."""
    return "approver" if case.risk_effect == "reduces" else "operator"


def find(session: Session, key: str) -> ParentRow:
    """The worked order of a parent's or a case's id; ApprovalError(unknown)."""
    query = select(ParentRow).where(
        or_(col(ParentRow.id) == key, col(ParentRow.case_id) == key), col(ParentRow.plan).is_not(None)
    )
    row = session.exec(query).first()
    if row is None:
        raise ApprovalError(f"nothing is worked under the id {key!r}: `orders` lists what is", code="unknown")
    return row
