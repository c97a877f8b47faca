"""The approval queue and the ways to answer it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from api.dependencies import READ, Decider, StoreDep, Viewer
from api.errors import ErrorBody
from api.paging import Page
from api.queries import approvals as queries
from api.queue_schemas import ApprovalBody, BulkOutcome, BulkRequest, BulkResponse, DecisionRequest, ReasonRequest
from pipeline import queue_time
from pipeline.approvals import DecisionResult, decide
from pipeline.bulk import require_alike
from pipeline.editing import Edit, edit
from pipeline.questions import respond
from tools.errors import ApprovalError

router = APIRouter(prefix="/approvals", tags=["approvals"])


@router.get("", dependencies=READ)
def list_approvals(
    store: StoreDep, who: Viewer, query: Annotated[queries.ApprovalQuery, Query()]
) -> Page[ApprovalBody]:
    """List what waits for a person, or with `status=all` every question there was."""
    return queries.list_approvals(store, query, who.principal())


@router.get("/{approval_id}", dependencies=READ)
def get_approval(store: StoreDep, who: Viewer, approval_id: str) -> ApprovalBody:
    """Show one question."""
    return queries.get_approval(store, approval_id, who.principal())


@router.post("/{approval_id}/decision")
async def post_decision(store: StoreDep, who: Decider, approval_id: str, body: DecisionRequest) -> DecisionResult:
    """Answer one question. The digest must be that of the proposal the person saw; a repeated answer is harmless.

    `edit` makes the proposal smaller or its stop tighter and asks again; `respond` asks the agent and decides nothing.
    """
    principal = who.principal()
    match body.decision:
        case "respond":
            return await respond(store, approval_id, principal=principal, digest=body.digest, question=body.reason)
        case "edit":
            change = Edit.model_validate(body.edit.model_dump() if body.edit else {})
            return await run_in_threadpool(
                edit, store, approval_id, principal=principal, digest=body.digest, change=change, reason=body.reason,
                reason_code=body.reason_code,
            )  # fmt: skip
        case "approve" | "reject":
            return await run_in_threadpool(
                decide, store, approval_id, principal=principal, decision=body.decision, digest=body.digest,
                reason=body.reason, reason_code=body.reason_code,
            )  # fmt: skip


@router.post("/decisions")
def post_decisions(store: StoreDep, who: Decider, body: BulkRequest) -> BulkResponse:
    """Give one answer to several questions of one kind, strategy and tier. Each is decided and logged by itself."""
    require_alike(store, [item.id for item in body.items])
    outcomes = []
    for item in body.items:
        try:
            result = decide(
                store, item.id, principal=who.principal(), decision=body.decision, digest=item.digest,
                reason=body.reason, reason_code=body.reason_code,
            )  # fmt: skip
        except ApprovalError as error:
            outcomes.append(
                BulkOutcome(
                    id=item.id,
                    ok=False,
                    error=ErrorBody(
                        code=error.code, message=error.message, detail=dict(error.detail) if error.detail else None
                    ),
                )
            )
        else:
            outcomes.append(BulkOutcome(id=item.id, ok=True, result=result))
    return BulkResponse(results=outcomes)


@router.post("/{approval_id}/extend")
def post_extension(store: StoreDep, who: Decider, approval_id: str, body: ReasonRequest) -> ApprovalBody:
    """Give a question that runs on minutes its time once more, once."""
    queue_time.extend(store, approval_id, principal=who.principal(), reason=body.reason)
    return queries.get_approval(store, approval_id, who.principal())


@router.post("/{approval_id}/acknowledge")
def post_acknowledgement(store: StoreDep, who: Decider, approval_id: str) -> ApprovalBody:
    """Say that you have seen the question; nothing is decided."""
    queue_time.acknowledge(store, approval_id, principal=who.principal())
    return queries.get_approval(store, approval_id, who.principal())
