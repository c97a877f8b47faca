"""The outbox: what is to be told is written with what happened, and sent afterwards by whoever takes it.

At least once, never lost: a message is taken by moving its next attempt ahead, in one UPDATE with a condition. A
taker that dies leaves it to the next; a receiver tells repeats by the delivery id, which never changes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, or_, update
from sqlmodel import Session, col, select

from memory.database import insert_if_absent
from memory.tables import NotificationRow
from pipeline.notify.targets import Event, in_force
from pipeline.store import now
from tools.canonical import plain, stable_id

TEST_EVENT = "notify.test"
Status = Literal["pending", "sent", "given_up"]

ALLOWED = frozenset({
    "approval", "case", "finding", "halt", "run", "at", "to", "expires_wall",
    "approval_id", "case_id", "run_id", "halt_id", "finding_id", "proposal_id", "symbol", "side", "kind", "quantity",
    "strategy", "risk_effect", "rule", "tier", "level", "status", "state", "decision", "decided_by", "principal",
    "required", "given", "roles", "expires", "deadline", "asked", "decided", "seconds_left", "percent", "sessions_left",
    "action", "scope", "target", "source", "reason_code", "code", "severity", "component", "mode", "session", "repeat",
})  # fmt: skip
"""What a notification may say. Free text (reasons, theses, messages, headlines) stays in the console."""
_WORD = re.compile(r"[\w .,:@/+\-]{0,120}")
WITHHELD = "(withheld)"


@dataclass(frozen=True)
class Retry:
    """When a failed delivery is tried again: `base_s` doubled per attempt up to `cap_s`, give or take a fifth."""

    base_s: float = 5.0
    cap_s: float = 3_600.0
    attempts: int = 12
    lease_s: float = 120.0
    """How long a taken message is left alone; longer than any attempt may last."""

    def delay(self, attempts: int, delivery_id: str) -> timedelta:
        """Pause after the attempt with this number, from 1; the same message always waits the same."""
        spread = 0.8 + 0.4 * (int(delivery_id[-4:], 16) / 0xFFFF)
        return timedelta(seconds=min(self.cap_s, self.base_s * 2 ** (attempts - 1)) * spread)

    @property
    def farthest(self) -> timedelta:
        """No next attempt lies further ahead, unless somebody set the clock back."""
        return timedelta(seconds=max(self.cap_s * 1.2, self.lease_s))


def enqueue(session: Session, *, event: Event, subject_id: str, content: Mapping[str, Any]) -> int:
    """Write one message per target that wants the event, in the caller's transaction; returns how many were new.

    The same event, subject and content again changes nothing. Only the fields of `ALLOWED` are kept, and of these
    only words, numbers, times and lists of them.
    """
    return sum(put(session, t.name, event, subject_id, content) for t in in_force(session) if event in t.events)


def put(session: Session, target: str, event: str, subject_id: str, content: Mapping[str, Any]) -> bool:
    """Write one message to one target; True when it was new."""
    told = {name: _harmless(value) for name, value in content.items() if name in ALLOWED and value is not None}
    at = now()
    return insert_if_absent(
        session, NotificationRow,
        {
            "id": stable_id("msg", target, event, subject_id, told), "event": event, "subject_id": subject_id,
            "target": target, "content": told, "status": "pending", "attempts": 0, "next_attempt_wall": at,
            "created_wall": at,
        },
    )  # fmt: skip


def _harmless(value: Any) -> Any:
    match value:
        case bool() | int() | float() | Decimal() | datetime() | date():
            return plain(value)
        case str():
            return str(value) if _WORD.fullmatch(value) else WITHHELD
        case list() | tuple() | set() | frozenset():
            return [_harmless(item) for item in list(value)[:20]]
        case _:
            return WITHHELD


def _due(at: datetime, retry: Retry) -> ColumnElement[bool]:
    """Waiting and due; an attempt impossibly far ahead is due as well, because the clock was set back."""
    when = col(NotificationRow.next_attempt_wall)
    return and_(col(NotificationRow.status) == "pending", or_(when <= at, when > at + retry.farthest))


def anything_due(session: Session, at: datetime, retry: Retry) -> bool:
    return session.exec(select(NotificationRow.id).where(_due(at, retry)).limit(1)).first() is not None


def take(
    session: Session, at: datetime, retry: Retry, *, limit: int, only: Collection[str] | None = None
) -> list[NotificationRow]:
    """Take due messages, the longest waiting first. Two takers never get the same one at the same time."""
    wanted = [_due(at, retry)] if only is None else [_due(at, retry), col(NotificationRow.id).in_(only)]
    order = (col(NotificationRow.next_attempt_wall), col(NotificationRow.id))
    ids = session.exec(select(NotificationRow.id).where(*wanted).order_by(*order).limit(limit)).all()
    claim = secrets.token_hex(8)
    taken = session.connection().execute(
        update(NotificationRow)
        .where(col(NotificationRow.id).in_(ids), *wanted)
        .values(
            claim=claim, attempts=NotificationRow.attempts + 1, next_attempt_wall=at + timedelta(seconds=retry.lease_s)
        )
        .returning(col(NotificationRow.id))
    )
    mine = {row.id for row in taken}
    rows = session.exec(select(NotificationRow).where(col(NotificationRow.id).in_(mine))).all()
    return sorted(rows, key=lambda row: ids.index(row.id))


def close(
    session: Session, taken: NotificationRow, status: Status, at: datetime, *, error: str | None, retry: Retry
) -> bool:
    """Say what became of a taken message; False when somebody else has taken it since, whose word then counts."""
    values: dict[str, Any] = {"status": status, "last_error": error, "claim": None}
    if status == "pending":
        values["next_attempt_wall"] = at + retry.delay(taken.attempts, taken.id)
    else:
        values["closed_wall"] = at
    done = session.connection().execute(
        update(NotificationRow)
        .where(
            col(NotificationRow.id) == taken.id,
            col(NotificationRow.claim) == taken.claim,
            col(NotificationRow.status) == "pending",
        )
        .values(**values)
        .returning(col(NotificationRow.id))
    )
    return done.first() is not None
