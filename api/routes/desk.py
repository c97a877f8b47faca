"""The desk as a whole: where its clock stands, and the wish to move it."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import READ, Operator, StoreDep, Viewer
from api.errors import not_found
from api.schemas import CommandAccepted, CommandBody, DeskBody
from memory.tables import CommandRow
from pipeline.commands import request_next
from pipeline.desk_view import desk_view
from pipeline.standing import acting_for

router = APIRouter(prefix="/desk", tags=["desk"])


@router.get("")
def get_desk(store: StoreDep, who: Viewer) -> DeskBody:
    """Report the clock, the book, what waits and what is halted."""
    return DeskBody.model_validate({**desk_view(store).model_dump(), "principal": who.name})


@router.post("/next", status_code=202)
def post_next(store: StoreDep, who: Operator) -> CommandAccepted:
    """Ask the engine for the next session; questions whose sessions run out expire by it."""
    row = request_next(acting_for(store, who, "operator"), who.principal())
    return CommandAccepted.model_validate({"command": row.id, "status": row.status})


@router.get("/commands/{command_id}", dependencies=READ)
def get_command(store: StoreDep, command_id: str) -> CommandBody:
    """Report what became of a wish."""
    with store.db.read() as session:
        row = session.get(CommandRow, command_id)
    if row is None:
        raise not_found("command", command_id)
    return CommandBody.model_validate(row.model_dump(include=set(CommandBody.model_fields)))
