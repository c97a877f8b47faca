"""Conversations with the operator agent: a thread belongs to the person who began it, and nobody else can read it.

A question is kept before it is answered, so that a broken stream loses no question. Each answer names its question;
two tabs in one thread cannot mix them up.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select

from agents.operator.output import Action, Reply, Span, text_of
from agents.operator.slots import Intent, Remembered
from memory.tables import ChatRow, EvidenceRow
from pipeline.store import Principal, Store, now
from tools.canonical import plain
from tools.errors import AccessError
from tools.types import Frozen

PERSON, OPERATOR = "person", "operator"
TITLE_LENGTH = 80
SHOWN = 50
_EVIDENCE_ID = re.compile(r"\bev_[0-9a-f]{16}\b")


class Asked(NamedTuple):
    """A question that was kept, and what its thread was about before it."""

    thread_id: str
    question_id: int
    earlier: Remembered


class Turn(Frozen):
    """One question and its answer; `answer` is None for one whose stream broke."""

    question_id: int
    question: str
    asked: datetime
    answer: str | None
    spans: tuple[Span, ...] = ()
    intent: Intent | None = None
    action: Action | None = None
    evidence_ids: tuple[str, ...] = ()


class Thread(Frozen):
    """A conversation in short. `title` is its first question."""

    id: str
    title: str
    questions: int
    last: datetime


def keep_question(store: Store, principal: Principal, text: str, thread_id: str | None) -> Asked:
    """Keep what was asked, in a new thread or in one's own; AccessError not_found for anybody else's."""
    thread = thread_id or f"thread_{secrets.token_hex(8)}"
    with store.db.write() as session:
        rows = _rows(session, thread)
        if rows:
            _require_own(rows, principal, thread)
        row = ChatRow(
            thread_id=thread, role=PERSON, principal=principal.name, text=text, evidence_ids=[], at_wall=now()
        )
        session.add(row)
        session.flush()
        assert row.id is not None
        return Asked(thread, row.id, _remembered(rows))


def keep_answer(store: Store, asked: Asked, spans: Sequence[Span], reply: Reply) -> tuple[str, ...]:
    """Keep an answer with its figures; returns the evidence in it that exists."""
    text = text_of(spans)
    with store.db.write() as session:
        cited = _cited(session, spans, text)
        session.add(
            ChatRow(
                thread_id=asked.thread_id, role=OPERATOR, principal=OPERATOR, text=text, evidence_ids=list(cited),
                at_wall=now(), reply_to=asked.question_id,
                body={"spans": [plain(span) for span in spans], "reply": plain(reply)},
            )
        )  # fmt: skip
    return cited


def list_threads(store: Store, principal: Principal) -> tuple[Thread, ...]:
    """The person's own threads, the latest first; what was put away is left out."""
    with store.db.read() as session:
        mine = (
            select(ChatRow.thread_id, func.min(ChatRow.id), func.count(), func.max(ChatRow.at_wall))
            .where(ChatRow.principal == principal.name, ChatRow.role == PERSON, col(ChatRow.put_away).is_(False))
            .group_by(ChatRow.thread_id)
            .order_by(func.max(ChatRow.id).desc())
            .limit(SHOWN)
        )
        found = session.exec(mine).all()
        begun = select(ChatRow).where(col(ChatRow.id).in_([first for _, first, _, _ in found]))
        firsts = {row.id: row for row in session.exec(begun)}
        return tuple(
            Thread(id=thread, title=firsts[first].text[:TITLE_LENGTH], questions=count, last=last)
            for thread, first, count, last in found
        )


def read_thread(store: Store, principal: Principal, thread_id: str) -> tuple[Turn, ...]:
    """Questions and answers of one's own thread, oldest first; AccessError not_found."""
    with store.db.read() as session:
        rows = _rows(session, thread_id)
        _require_own(rows, principal, thread_id)
    answers = _answers(rows)
    return tuple(_turn(row, answers.get(row.id or 0)) for row in rows if row.role == PERSON)


def put_away(store: Store, principal: Principal, thread_id: str) -> None:
    """Take one's own thread off the list. The desk keeps what was said; nobody can read or go on with it in chat."""
    with store.db.write() as session:
        rows = _rows(session, thread_id)
        _require_own(rows, principal, thread_id)
        for row in rows:
            row.put_away = True
            session.add(row)


def _rows(session: Session, thread_id: str) -> Sequence[ChatRow]:
    return session.exec(select(ChatRow).where(ChatRow.thread_id == thread_id).order_by(col(ChatRow.id))).all()


def _require_own(rows: Sequence[ChatRow], principal: Principal, thread_id: str) -> None:
    """Whoever asked first owns it; anybody else is told no more than of one that never was."""
    if not rows or rows[0].principal != principal.name or rows[0].put_away:
        raise AccessError(f"you have no conversation {thread_id}: leave the id out to begin one", code="not_found")


def _answers(rows: Sequence[ChatRow]) -> dict[int, ChatRow]:
    """Answers by the id of their question; one from before they had it follows its question at once."""
    found: dict[int, ChatRow] = {}
    question = 0
    for row in rows:
        if row.role == PERSON:
            question = row.id or 0
        else:
            found[row.reply_to or question] = row
    return found


def _turn(row: ChatRow, answer: ChatRow | None) -> Turn:
    body: dict[str, Any] = (answer.body if answer is not None else None) or {}
    reply = Reply.model_validate(body["reply"]) if body else None
    spans = tuple(Span.model_validate(span) for span in body.get("spans", ()))
    if answer is not None and not spans:
        spans = (Span(text=answer.text),)
    return Turn(
        question_id=row.id or 0, question=row.text, asked=row.at_wall, answer=answer.text if answer else None,
        spans=spans, intent=reply.intent if reply else None, action=reply.action if reply else None,
        evidence_ids=tuple(answer.evidence_ids) if answer else (),
    )  # fmt: skip


def _remembered(rows: Sequence[ChatRow]) -> Remembered:
    """What the last answer of a thread was about."""
    last = next((row for row in reversed(rows) if row.role == OPERATOR and row.body), None)
    return Remembered() if last is None or last.body is None else Reply.model_validate(last.body["reply"]).remembered


def _cited(session: Session, spans: Sequence[Span], text: str) -> tuple[str, ...]:
    """Evidence that an answer names or stands on and that exists; an id that was made up is not passed on."""
    records = " ".join(span.ref.record for span in spans if span.ref is not None)
    named = list(dict.fromkeys(_EVIDENCE_ID.findall(f"{text} {records}")))
    known = set(session.exec(select(EvidenceRow.id).where(col(EvidenceRow.id).in_(named))))
    return tuple(one for one in named if one in known)
