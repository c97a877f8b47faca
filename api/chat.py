"""A conversation with the operator agent, as a stream of events, kept in the store.

What a person types and what the agent says are words. Nothing in here can decide an approval: the tools that the
agent is given only read, and its answer is only text. The agent and its model libraries are loaded by the first
question and not with the API, which must be able to take a halt without them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, NotRequired, TypedDict

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from pipeline.roles import Identity
from pipeline.store import Store
from tools.canonical import plain
from tools.errors import QuarterdeckError


class ChatEvent(TypedDict):
    """One event of the stream, in this order: `asked` (the question is kept), `looking` at a tool, `token` with text
    and where it stands (`ref`), and at last `done` with the evidence, what was understood, the figures and what the
    console may open, or `error` with a code and a message.
    """

    type: Literal["asked", "looking", "token", "done", "error"]
    text: NotRequired[str]
    tool: NotRequired[str]
    ref: NotRequired[dict[str, str]]
    value: NotRequired[str]
    unit: NotRequired[str]
    thread_id: NotRequired[str]
    evidence_ids: NotRequired[list[str]]
    intent: NotRequired[str]
    slots: NotRequired[dict[str, str]]
    figures: NotRequired[list[dict[str, str]]]
    action: NotRequired[dict[str, Any] | None]
    dropped: NotRequired[int]
    code: NotRequired[str]
    message: NotRequired[str]


async def converse(store: Store, reader: Identity, text: str, thread_id: str | None) -> AsyncIterator[ChatEvent]:
    """Stream the answer to one question. A failure after the first event ends the stream with an `error` event."""
    from agents.operator.node import answer
    from agents.operator.output import Looking, Reply, Span
    from pipeline.operator_tools import chat_context, operator_tools
    from pipeline.threads import keep_answer, keep_question
    from pipeline.tickets import open_ticket

    try:
        asked = await run_in_threadpool(keep_question, store, reader.principal(), text, thread_id)
        yield {"type": "asked", "thread_id": asked.thread_id}
        tools = operator_tools(store, reader, opens_case=open_ticket)
        spans: list[Span] = []
        reply: Reply | None = None
        async for piece in answer(text, tools, chat_context(store), asked.earlier):
            if isinstance(piece, Looking):
                yield {"type": "looking", "tool": piece.tool}
            elif isinstance(piece, Span):
                spans.append(piece)
                yield _token(piece)
            else:
                reply = piece
        assert reply is not None
        cited = await run_in_threadpool(keep_answer, store, asked, spans, reply)
    except QuarterdeckError as error:
        yield {"type": "error", "code": error.code, "message": error.message}
    except DBAPIError:
        yield {"type": "error", "code": "store_unavailable", "message": "the database did not answer: try again"}
    else:
        yield {
            "type": "done", "thread_id": asked.thread_id, "evidence_ids": list(cited), "intent": reply.intent.name,
            "slots": reply.intent.said, "figures": [_figure(span) for span in spans if span.value is not None],
            "action": plain(reply.action) if reply.action else None, "dropped": reply.dropped,
        }  # fmt: skip


def _token(span: Any) -> ChatEvent:
    event: ChatEvent = {"type": "token", "text": span.text}
    if span.ref is not None:
        event["ref"] = {"record": span.ref.record, "pointer": span.ref.pointer}
    return event


def _figure(span: Any) -> dict[str, str]:
    return {
        "text": span.text, "value": plain(span.value), "unit": span.unit, "record": span.ref.record,
        "pointer": span.ref.pointer,
    }  # fmt: skip
