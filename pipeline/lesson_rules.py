"""What a lesson may become, checked when a move is proposed and again when it is made, and the making of it.

A promoted lesson only ever scales entries down, so only one that found something worse, on enough data of untainted
words, about views that can be told before anybody answers them, can move up, and only after its time in shadow bore it
out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, select

from agents.learning.scopes import Scope
from memory.tables import LessonRow, RunRow
from pipeline.lesson_state import SHADOW_OUTCOMES, move, newer_of, shadow_result, standing_of, standing_sha256
from pipeline.store import Store
from tools.canonical import sha256_hex
from tools.types import Change, LessonKind, LessonState

KIND_OF: Mapping[LessonState, LessonKind] = {
    "shadow": "lesson.shadow", "promoted": "lesson.promotion", "retired": "lesson.retirement",
}  # fmt: skip
_RECORD: Mapping[LessonKind, str] = {
    "lesson.shadow": "lesson.shadow", "lesson.promotion": "lesson.promoted", "lesson.retirement": "lesson.retired",
}  # fmt: skip
_FROM: Mapping[LessonState, tuple[LessonState, ...]] = {
    "shadow": ("quarantined", "promoted"), "promoted": ("shadow",), "retired": ("quarantined", "shadow", "promoted"),
}  # fmt: skip


def bar(store: Store, session: Session, run: RunRow, row: LessonRow, to: LessonState) -> str | None:
    """Why a lesson may not move; None when it may."""
    if row.run_id != run.id:
        return f"lesson {row.id} belongs to the run {row.run_id}, which is over: lessons of one run enter no other"
    stands = standing_of(store, session, row)
    if stands.trouble is not None:
        return f"lesson {row.id}: {stands.trouble}; verify the ledger and compare the database with a backup"
    if row.state not in _FROM.get(to, ()):
        before = " or ".join(_FROM.get(to, ())) or "nothing"
        return f"lesson {row.id} is {row.state}: only what is {before} can become {to}"
    if to == "retired" or row.state == "promoted":
        return None
    return _unfit(row) or _contradicted(store, session, row) or (_unproven(session, row) if to == "promoted" else None)


def _unfit(row: LessonRow) -> str | None:
    body, scope = row.body, Scope.parse(row.scope)
    if body.reading is None:
        return f"lesson {row.id} was written by an earlier version, which took overlapping outcomes for independent"
    if not body.enough_data:
        return f"not enough data: lesson {row.id} rests on {body.sample_size} outcomes; it stays for people to read"
    if body.taint:
        return f"lesson {row.id} is tainted: its words come from a model that read what people typed"
    if scope is None or not scope.is_of_entries:
        return f"no candidate can be in the scope {row.scope} before it is answered: it stays for people to read"
    if body.reading != "worse":
        found = body.reading.replace("_", " ")
        return f"lesson {row.id} found {found}: a lesson only tightens, this one would do nothing"
    return None


def _contradicted(store: Store, session: Session, row: LessonRow) -> str | None:
    newer = newer_of(store, session, row)
    if newer is None or newer.body.reading == "worse":
        return None
    said = (newer.body.reading or "nothing").replace("_", " ")
    return f"the newer lesson {newer.id} of the same scope found {said}"


def _unproven(session: Session, row: LessonRow) -> str | None:
    """The time in shadow has to bear a lesson out on outcomes that came after it."""
    tried = shadow_result(session, row)
    seen = tried.outcomes if tried else None
    if seen is None or seen.size < SHADOW_OUTCOMES:
        return f"its time in shadow has {seen.size if seen else 0} settled outcomes, it takes {SHADOW_OUTCOMES}"
    if seen.mean is None or seen.mean >= 0:
        return f"its time in shadow does not bear it out: {seen.size} outcomes averaged {(seen.mean or 0) * 100:+.2f} %"
    return None


def promoted_before(session: Session, row: LessonRow) -> LessonRow | None:
    """The lesson of the same scope that is promoted now: a newer one takes its place."""
    return session.exec(
        select(LessonRow).where(
            LessonRow.run_id == row.run_id, LessonRow.scope == row.scope, LessonRow.state == "promoted",
            LessonRow.id != row.id,
        )
    ).first()  # fmt: skip


def no_longer_good(store: Store, session: Session, run: RunRow, change: Change) -> str | None:
    """The reason why an approved move may not be made any more; None when it may."""
    if sha256_hex(change.text.encode()) != change.after_sha256:
        return "its text does not have the hash that was approved"
    named = json.loads(change.text)
    row = session.get(LessonRow, named["lesson"])
    if row is None or (row.id, KIND_OF.get(named["state"])) != (change.subject, change.kind):
        return "the lesson it names is gone, or another one"
    if row.body.sha256 != named["sha256"]:
        return f"lesson {row.id} is not what was approved"
    if standing_sha256(row) != change.before_sha256:
        return f"lesson {row.id} moved since it was asked"
    older = promoted_before(session, row) if named["state"] == "promoted" else None
    if (older.id if older else None) != named.get("replaces"):
        return f"another lesson on {row.scope} was promoted or left since it was asked"
    return bar(store, session, run, row, named["state"])


def put_in_force(session: Session, change: Change, said: Mapping[str, Any]) -> dict[str, Any]:
    """Move the lesson in the caller's transaction, and retire the one whose place it takes."""
    named = json.loads(change.text)
    row = session.get_one(LessonRow, named["lesson"])
    index = session.get_one(RunRow, row.run_id).session_index
    if "replaces" in named:
        older = session.get_one(LessonRow, named["replaces"])
        move(
            session, older, "lesson.retired", index=index, desk_time=change.as_of,
            content={**said, "replaced_by": row.id},
        )  # fmt: skip
    move(session, row, _RECORD[KIND_OF[named["state"]]], index=index, desk_time=change.as_of, content=said)
    return {"lesson": row.id, "state": row.state, "revision": row.revision}
