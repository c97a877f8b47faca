"""POST /chat: ask the operator agent; the answer streams as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.chat import ChatEvent, converse
from api.dependencies import Operator, StoreDep
from api.schemas import ChatRequest

router = APIRouter(prefix="/chat", tags=["chat"])


@router.post("", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def post_chat(store: StoreDep, who: Operator, body: ChatRequest) -> StreamingResponse:
    """Stream tokens, then one `done` event. Chat answers and opens no doors: it cannot approve, halt or trade."""
    events = converse(store, who.principal(), body.text, body.thread_id)
    return StreamingResponse(_frames(events), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _frames(events: AsyncIterator[ChatEvent]) -> AsyncIterator[str]:
    async for event in events:
        yield f"data: {json.dumps(event)}\n\n"
