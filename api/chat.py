"""A conversation with the operator agent, as a stream of events, kept in the store.

What a person types and what the agent says are words. Nothing in here can decide an approval: the tools that the
agent is given only read, and its answer is only text. The agent and its model libraries are loaded by the first
question and not with the API, which must be able to take a halt without them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Literal, NotRequired, TypedDict

from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool

from memory.tables import ChatRow, EvidenceRow
from pipeline.store import Principal, Store
from tools.errors import QuarterdeckError

_EVIDENCE_ID = re.compile(r"\bev_[0-9a-f]{16}\b")


class ChatEvent(TypedDict):
    """One event of the stream: `token` has text, `done` the thread and evidence, `error` a code and a message."""

    type: Literal["token", "done", "error"]
    text: NotRequired[str]
    thread_id: NotRequired[str]
    evidence_ids: NotRequired[list[str]]
    code: NotRequired[str]
    message: NotRequired[str]


async def converse(store: Store, principal: Principal, text: str, thread_id: str | None) -> AsyncIterator[ChatEvent]:
    """Stream the answer to one question. A failure after the first token ends the stream with an `error` event."""
    from agents.operator.node import answer
    from pipeline.operator_tools import chat_context, operator_tools

    thread = thread_id or f"thread_{secrets.token_hex(8)}"
    said: list[str] = []
    try:
        await run_in_threadpool(_keep, store, thread, "person", principal.name, text, [])
        async for chunk in answer(text, operator_tools(store, principal), chat_context(store)):
            said.append(chunk)
            yield {"type": "token", "text": chunk}
        whole = "".join(said)
        cited = await run_in_threadpool(_cited, store, whole)
        await run_in_threadpool(_keep, store, thread, "operator", "operator", whole, cited)
    except QuarterdeckError as error:
        yield {"type": "error", "code": error.code, "message": error.message}
    except DBAPIError:
        yield {"type": "error", "code": "store_unavailable", "message": "the database did not answer: try again"}
    else:
        yield {"type": "done", "thread_id": thread, "evidence_ids": cited}


def _keep(store: Store, thread: str, role: str, principal: str, text: str, evidence_ids: list[str]) -> None:
    with store.db.write() as session:
        session.add(
            ChatRow(
                thread_id=thread, role=role, principal=principal, text=text, evidence_ids=evidence_ids,
                at_wall=datetime.now(UTC),
            )
        )  # fmt: skip


def _cited(store: Store, text: str) -> list[str]:
    """Evidence ids named in the answer that exist; an id that was made up is not passed on as evidence."""
    named = list(dict.fromkeys(_EVIDENCE_ID.findall(text)))
    with store.db.read() as session:
        known = set(session.exec(select(EvidenceRow.id).where(col(EvidenceRow.id).in_(named))))
    return [evidence_id for evidence_id in named if evidence_id in known]
