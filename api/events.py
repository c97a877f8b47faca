"""WebSocket /api/v1/events: the ledger as it grows, one short event per record.

`?after=SEQ` resumes behind the last event a client saw, so that a lost connection loses nothing. Without it the
stream begins with what happens next. The ledger is the queue: there is no buffer in this process that could drop.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from api.auth import cookie_of
from api.dependencies import StoreDep, Viewer
from api.queries.cases import ledger_content
from api.schemas import EventBody
from memory.ledger import head
from memory.tables import CaseRow, LedgerRow
from pipeline.access import recheck
from pipeline.people import Identity
from pipeline.store import Store
from tools.errors import AccessError

POLL_SECONDS = 0.4
PING_SECONDS = 15.0
RECHECK_SECONDS = 2.0
BATCH = 200
PING = json.dumps({"kind": "ping"})

router = APIRouter()


def events_after(store: Store, seq: int, limit: int = BATCH) -> list[EventBody]:
    """The next events behind `seq`, ascending; the symbol comes from the case, else from the record."""
    with store.db.read() as session:
        statement = (
            select(LedgerRow, CaseRow.symbol)
            .join(CaseRow, col(CaseRow.id) == col(LedgerRow.case_id), isouter=True)
            .where(col(LedgerRow.seq) > seq)
            .order_by(col(LedgerRow.seq))
            .limit(limit)
        )
        return [_event(row, symbol) for row, symbol in session.exec(statement)]


def newest_seq(store: Store) -> int:
    """Where the ledger ends now."""
    with store.db.read() as session:
        return head(session)[0]


def _event(row: LedgerRow, symbol: str | None) -> EventBody:
    content = ledger_content(row)
    told = content.get("symbol") if isinstance(content, dict) else None
    return EventBody(
        seq=row.seq, kind=row.kind, case_id=row.case_id, symbol=symbol or (told if isinstance(told, str) else None),
        at=row.envelope.get("at"),
    )  # fmt: skip


@router.websocket("/events")
async def stream_events(
    socket: WebSocket, store: StoreDep, who: Viewer, after: Annotated[int | None, Query(ge=0, le=2**62)] = None
) -> None:
    """Send events until the client goes or its login ends. What the client says is ignored."""
    await socket.accept()
    seq = await run_in_threadpool(newest_seq, store) if after is None else after
    gone = asyncio.create_task(_wait_until_gone(socket))
    try:
        with suppress(WebSocketDisconnect):
            await _follow(socket, store, who, seq, gone)
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


async def _follow(socket: WebSocket, store: Store, who: Identity, seq: int, gone: asyncio.Task[None]) -> None:
    clock = asyncio.get_running_loop().time
    spoke = looked = clock()
    cookie = cookie_of(socket.headers)
    while not gone.done():
        if clock() - looked >= RECHECK_SECONDS:
            try:
                await run_in_threadpool(recheck, store, who, cookie)
            except AccessError as error:
                await socket.close(1008, error.code)
                return
            looked = clock()
        batch = await run_in_threadpool(events_after, store, seq)
        for event in batch:
            await socket.send_text(event.model_dump_json())
            seq = event.seq
        if batch:
            spoke = clock()
        elif clock() - spoke >= PING_SECONDS:
            await socket.send_text(PING)
            spoke = clock()
        if len(batch) < BATCH:
            await asyncio.wait({gone}, timeout=POLL_SECONDS)


async def _wait_until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
