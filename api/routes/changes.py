"""Changes of the desk: propose new limits or a new policy; they wait in the same queue as orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import Operator, StoreDep
from api.schemas import Body, Text
from pipeline.changes import MAX_TEXT, Proposed, propose
from tools.types import LawKind

router = APIRouter(prefix="/changes", tags=["law"])


class ChangeRequest(Body):
    """What is to be put in force. Without `text` it is the file in the config folder of the home."""

    kind: LawKind
    reason: Annotated[Text, Field(max_length=2000)]
    text: Annotated[str | None, Field(default=None, min_length=1, max_length=MAX_TEXT)] = None


@router.post("", status_code=201)
def post_change(store: StoreDep, who: Operator, body: ChangeRequest) -> Proposed:
    """Open a case for a change. It is parsed and runs its own tests first; 409 `exists` while one is open."""
    return propose(store, body.kind, principal=who.principal(), reason=body.reason, text=body.text)
