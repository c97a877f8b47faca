"""The approval queue and the one way to answer it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import READ, Approver, StoreDep
from api.paging import Page
from api.queries import approvals as queries
from api.schemas import ApprovalBody, DecisionRequest
from pipeline.approvals import DecisionResult, decide
from pipeline.standing import acting_for

router = APIRouter(prefix="/approvals", tags=["approvals"])


@router.get("", dependencies=READ)
def list_approvals(store: StoreDep, query: Annotated[queries.ApprovalQuery, Query()]) -> Page[ApprovalBody]:
    """List what waits for a person, or with `status=all` every question there was."""
    return queries.list_approvals(store, query)


@router.get("/{approval_id}", dependencies=READ)
def get_approval(store: StoreDep, approval_id: str) -> ApprovalBody:
    """Show one question."""
    return queries.get_approval(store, approval_id)


@router.post("/{approval_id}/decision")
def post_decision(store: StoreDep, who: Approver, approval_id: str, body: DecisionRequest) -> DecisionResult:
    """Answer one question. The digest must be that of the proposal the person saw; a repeated answer is harmless."""
    return decide(
        acting_for(store, who, "approver"), approval_id, principal=who.principal(), decision=body.decision,
        digest=body.digest, reason=body.reason,
    )  # fmt: skip
