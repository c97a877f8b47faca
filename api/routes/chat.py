"""Ask the operator agent; the answer streams as server-sent events. One's own conversations, to go on with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api.chat import ChatEvent, converse
from api.dependencies import Operator, StoreDep
from api.schemas import ChatRequest
from pipeline import threads

router = APIRouter(prefix="/chat", tags=["chat"])


class ThreadList(BaseModel):
    """The latest conversations of whoever asks."""

    items: list[threads.Thread]


class ThreadBody(BaseModel):
    """One conversation, oldest question first."""

    id: str
    turns: list[threads.Turn]


@router.post("", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def post_chat(store: StoreDep, who: Operator, body: ChatRequest) -> StreamingResponse:
    """Stream what is read, tokens with the record each figure stands in, then one `done` event. Chat answers and opens
    no doors: it cannot approve, halt or trade."""
    events = converse(store, who, body.text, body.thread_id)
    return StreamingResponse(_frames(events), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


@router.get("/threads")
def list_threads(store: StoreDep, who: Operator) -> ThreadList:
    """List your own conversations, the latest first."""
    return ThreadList(items=list(threads.list_threads(store, who.principal())))


@router.get("/threads/{thread_id}")
def get_thread(store: StoreDep, who: Operator, thread_id: str) -> ThreadBody:
    """Show one of your own conversations; 404 for anybody else's."""
    return ThreadBody(id=thread_id, turns=list(threads.read_thread(store, who.principal(), thread_id)))


@router.delete("/threads/{thread_id}", status_code=204)
def delete_thread(store: StoreDep, who: Operator, thread_id: str) -> None:
    """Put one of your own conversations away: it is listed and read no more. The desk keeps what was said."""
    threads.put_away(store, who.principal(), thread_id)


async def _frames(events: AsyncIterator[ChatEvent]) -> AsyncIterator[str]:
    async for event in events:
        yield f"data: {json.dumps(event)}\n\n"
