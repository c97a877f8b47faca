"""The policy in force, and who lends their role to whom."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import READ, Approver, Decider, StoreDep
from api.queue_schemas import DelegationBody, DelegationList, DelegationRequest, PolicyBody
from memory.tables import DelegationRow
from pipeline import delegation
from pipeline.activation import in_force

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
