"""The policy in force, and who lends their role to whom."""

from __future__ import annotations

from fastapi import APIRouter
from sqlmodel import select

from api.dependencies import READ, Approver, Decider, StoreDep
from api.law_schemas import FileBody, LawBody, LawItem
from api.queue_schemas import DelegationBody, DelegationList, DelegationRequest, PolicyBody
from memory.tables import ApprovalRow, DelegationRow
from pipeline import delegation
from pipeline.activation import KINDS, Kind, in_force, latest, trouble_with
from pipeline.changes import open_change
from pipeline.store import Store, active_run

router = APIRouter(tags=["law"])


def _body(row: DelegationRow) -> DelegationBody:
    return DelegationBody(
        id=row.id, giver=row.giver, to=row.delegate, starts=row.starts_wall, ends=row.ends_wall, ended=row.ended_wall,
        reason=row.reason, created_by=row.created_by,
    )  # fmt: skip


@router.get("/policy", dependencies=READ)
def get_policy(store: StoreDep) -> PolicyBody:
    """Show the policy in force and its hash."""
    law = in_force(store)
    return PolicyBody.model_validate({**law.policy.model_dump(), "sha256": law.policy_sha256})


@router.get("/law", dependencies=READ)
def get_law(store: StoreDep) -> LawBody:
    """Show what is in force, whether the files of the home say the same, and what waits to be put in force."""
    in_force(store)
    return LawBody(items=[_item(store, kind) for kind in KINDS])


def _item(store: Store, kind: Kind) -> LawItem:
    trouble = trouble_with(store, kind)
    state = "same" if trouble is None else "differs" if trouble.code == f"{kind}_not_activated" else "unusable"
    with store.db.read() as session:
        row, run = latest(session, kind), active_run(session)
        assert row is not None
        case = open_change(session, run, kind) if run else None
        asked = session.exec(select(ApprovalRow.id).where(ApprovalRow.case_id == case.id)).first() if case else None
        return LawItem(
            kind=kind, version=row.version, sha256=row.sha256, activated=row.activated_wall,
            activated_by=row.principal, pending_case=case.id if case else None, pending_approval=asked,
            file=FileBody.model_validate({"state": state, "message": trouble.message if trouble else None}),
        )  # fmt: skip


@router.get("/delegations", dependencies=READ)
def list_delegations(store: StoreDep) -> DelegationList:
    """List delegations, the latest first."""
    with store.db.read() as session:
        items = [_body(row) for row in delegation.all_of(session)]
    return DelegationList(items=items, next=None, total=len(items))


@router.post("/delegations", status_code=201)
def post_delegation(store: StoreDep, who: Approver, body: DelegationRequest) -> DelegationBody:
    """Lend a role to anybody for a time, for answering the queue."""
    return _body(
        delegation.delegate(
            store, principal=who.principal(), giver=body.giver, to=body.to, starts=body.starts, ends=body.ends,
            reason=body.reason,
        )
    )  # fmt: skip


@router.post("/delegations/{delegation_id}/end")
def end_delegation(store: StoreDep, who: Decider, delegation_id: str) -> DelegationBody:
    """Take a delegation back."""
    return _body(delegation.end(store, delegation_id, principal=who.principal()))
