"""Where a lesson stands: its row, held against what the ledger says of it.

quarantined -> shadow -> promoted -> retired. Every move up, and every retirement, is a case of its own; a promoted
lesson may fall back into shadow by itself. A move is the row and its ledger record in one transaction, so a row that
says something else than the newest record was written by nobody who may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from agents.learning.output import Sample
from agents.learning.rules import sample
from agents.learning.scopes import Scope
from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, GrantRow, LedgerRow, LessonRow, LessonShadowRow, OutcomeRow
from pipeline import grants
from pipeline.settled import settled_views
from pipeline.store import Store
from tools.canonical import content_sha256
from tools.types import Change, Frozen, Lesson, LessonState

WRITTEN = "lesson.quarantined"
CONFIRMED = "lesson.confirmed"
MOVES: Mapping[str, LessonState] = {
    "lesson.shadow": "shadow", "lesson.decayed": "shadow", "lesson.promoted": "promoted", "lesson.retired": "retired",
}  # fmt: skip
SHADOW_OUTCOMES = 20
"""Settled outcomes that a time in shadow, or a confirmation, takes."""


class Standing(NamedTuple):
    """A lesson, the state the ledger gives it, and what is wrong with its row; None when nothing is.

    `written` is the lesson as the ledger holds it, None where it holds none; `released` whether a genuine approval, or
    decay, made its last move. A row that is gone is one as the ledger would have it, in no session.
    """

    row: LessonRow
    state: LessonState
    trouble: str | None
    written: Lesson | None
    released: bool

    @property
    def in_force(self) -> Lesson | None:
        """What a promoted lesson says by its record, whatever its row has become; None for one not in force."""
        return self.written if self.state == "promoted" and self.released else None


class ShadowResult(Frozen):
    """What a lesson in shadow would have done since it entered, and what became of it.

    `reviews` candidates were in its scope; it would have changed `changed` of them and agreed with `agreement` of all
    (a share, None of none). `outcomes` are those of its scope that settled since.
    """

    since_index: int
    reviews: int
    changed: int
    agreement: float | None
    outcomes: Sample
    enough: bool


def candidate_text(row: LessonRow, state: str, revision: int) -> dict[str, Any]:
    """What a change of a lesson puts in force: which lesson, as it was written, in which state."""
    return {
        "lesson": row.id, "scope": row.scope, "sha256": row.body.sha256, "state": state, "revision": revision,
    }  # fmt: skip


def standing_sha256(row: LessonRow) -> str:
    """Hash of what stands, which a change names as what it replaces."""
    return content_sha256(candidate_text(row, row.state, row.revision))


def move(
    session: Session, row: LessonRow, kind: str, *, index: int, desk_time: datetime, content: Mapping[str, Any]
) -> None:
    """Move a lesson in the caller's transaction and record it."""
    before, row.state, row.revision = row.state, MOVES[kind], row.revision + 1
    row.since_index, row.confirmed_index, row.case_id = index, None, content.get("case")
    session.add(row)
    append(
        session,
        Entry(
            kind=kind, step=f"lesson:{row.id}:{row.revision}", run_id=row.run_id, desk_time=desk_time,
            stage=Stage.LEARN,
            content={**candidate_text(row, row.state, row.revision), "before": before, "index": index, **content},
        ),
    )  # fmt: skip


def history_of(session: Session, run_id: str, lesson_id: str) -> Sequence[LedgerRow]:
    """Every record about a lesson, oldest first."""
    mine = f"lesson:{lesson_id}"
    return session.exec(
        select(LedgerRow)
        .where(
            LedgerRow.run_id == run_id, col(LedgerRow.kind).in_((WRITTEN, *MOVES, CONFIRMED)),
            (col(LedgerRow.step) == mine) | col(LedgerRow.step).startswith(f"{mine}:", autoescape=True),
        )
        .order_by(col(LedgerRow.seq))
    ).all()  # fmt: skip


def standing_of(store: Store, session: Session, row: LessonRow) -> Standing:
    """Hold a row against its records: as it was written, where it was moved, and by a genuine approval."""
    return _held_against(store, session, row, history_of(session, row.run_id, row.id))


def _held_against(store: Store, session: Session, row: LessonRow, records: Sequence[LedgerRow]) -> Standing:
    body = next((_body(item) for item in records if item.kind == WRITTEN), None)
    written = None if body is None else Lesson.model_validate(body)
    moves = [item for item in records if item.kind in MOVES]
    state = MOVES[moves[-1].kind] if moves else "quarantined"
    last: dict[str, Any] = _body(moves[-1]) if moves else {"revision": 0}
    released = (
        not moves or moves[-1].kind == "lesson.decayed" or _is_approved(store, session, row.id, state, last.get("case"))
    )
    trouble = None
    if written is None or written.sha256 != row.body.sha256:
        trouble = "it is not what was written"
    elif (row.state, row.revision, row.scope) != (state, last["revision"], row.body.scope):
        trouble = f"its row says {row.state}, its record {state}"
    elif (row.since_index, row.confirmed_index) != (last.get("index"), _confirmed(records, last["revision"])):
        trouble = "its row says that it was moved or confirmed at another session than its record"
    elif not released:
        trouble = "no approval moved it"
    return Standing(row, state, trouble, written, released)


def _confirmed(records: Sequence[LedgerRow], revision: int) -> int | None:
    """The session at which newer outcomes last agreed with a lesson as it stands now; None for never."""
    steps = [item.step.split(":") for item in records if item.kind == CONFIRMED]
    return max((int(index) for _, _, of, index in steps if int(of) == revision), default=None)


def _is_approved(store: Store, session: Session, lesson_id: str, state: LessonState, case_id: str | None) -> bool:
    """Whether a genuine, used grant of a case that names this lesson made its last move."""
    case = session.get(CaseRow, case_id) if case_id else None
    grant = session.exec(select(GrantRow).where(GrantRow.case_id == case_id)).first()
    if case is None or grant is None or not isinstance(case.body, Change) or case.body.digest != grant.digest:
        return False
    named = json.loads(case.body.text)
    return (
        grant.status == "consumed"
        and grants.is_genuine(store, grant)
        and ((named["lesson"], named["state"]) == (lesson_id, state) or named.get("replaces") == lesson_id)
    )


def standings(store: Store, session: Session, run_id: str) -> tuple[Standing, ...]:
    """Every lesson of a run that is, or says that it is, more than quarantined; by id."""
    moved = session.exec(
        select(LedgerRow.step).where(LedgerRow.run_id == run_id, col(LedgerRow.kind).in_(MOVES)).distinct()
    ).all()
    ids = {step.split(":")[1] for step in moved}
    rows = session.exec(
        select(LessonRow)
        .where(
            LessonRow.run_id == run_id,
            col(LessonRow.id).in_(ids) | (col(LessonRow.state) != "quarantined") | (col(LessonRow.revision) != 0),
        )
        .order_by(col(LessonRow.id))
    ).all()  # fmt: skip
    here = {row.id: standing_of(store, session, row) for row in rows}
    gone = {name: found for name in ids - set(here) if (found := _gone(store, session, run_id, name)) is not None}
    return tuple(found for _, found in sorted((here | gone).items()))


def _gone(store: Store, session: Session, run_id: str, lesson_id: str) -> Standing | None:
    """A lesson that has records and no row; None without a record of what was written."""
    records = history_of(session, run_id, lesson_id)
    body = next((_body(item) for item in records if item.kind == WRITTEN), None)
    if body is None:
        return None
    written = Lesson.model_validate(body)
    row = LessonRow(
        id=lesson_id, run_id=run_id, state="quarantined", scope=written.scope, as_of=written.as_of, body=written
    )  # fmt: skip
    return _held_against(store, session, row, records)._replace(trouble="its row is gone")


def shadow_result(session: Session, row: LessonRow) -> ShadowResult | None:
    """What became of a lesson's present time in shadow, or of the one it was promoted from; None before the first."""
    periods = (LessonShadowRow.lesson_id == row.id, LessonShadowRow.revision == _period(row))
    entered = _entered(session, row)
    if entered is None:
        return None
    seen = session.exec(select(LessonShadowRow).where(*periods)).all()
    ids = select(LessonShadowRow.case_id).where(*periods)
    found = fresh_sample(session, row, col(OutcomeRow.case_id).in_(ids))
    changed = sum(item.would_factor < item.factor for item in seen)
    return ShadowResult(
        since_index=entered, reviews=len(seen), changed=changed, outcomes=found,
        agreement=round(1 - changed / len(seen), 6) if seen else None, enough=found.size >= SHADOW_OUTCOMES,
    )  # fmt: skip


def fresh_sample(session: Session, row: LessonRow, *where: Any) -> Sample:
    """Summarise settled outcomes of a lesson's scope; one scope is looked at, so nothing is corrected."""
    scope = Scope.parse(row.scope)
    if scope is None:
        return sample([])
    mine = (OutcomeRow.run_id == row.run_id, OutcomeRow.strategy == scope.strategy)
    return sample([view for view in settled_views(session, *mine, *where) if scope.holds(view)])


def newer_of(store: Store, session: Session, row: LessonRow) -> LessonRow | None:
    """The newest lesson of the same scope that was written after this one and has enough data; a row that is not what
    was written contradicts nothing."""
    rows: Iterable[LessonRow] = session.exec(
        select(LessonRow)
        .where(LessonRow.run_id == row.run_id, LessonRow.scope == row.scope, LessonRow.as_of > row.as_of)
        .order_by(col(LessonRow.as_of).desc(), col(LessonRow.id))
    ).all()
    return next(
        (item for item in rows if item.body.enough_data and standing_of(store, session, item).trouble is None), None
    )


def _period(row: LessonRow) -> int:
    """Revision of the time in shadow that counts: the present one, or the one before the present state."""
    return row.revision if row.state == "shadow" else row.revision - 1


def _entered(session: Session, row: LessonRow) -> int | None:
    step = f"lesson:{row.id}:{_period(row)}"
    found = session.exec(
        select(LedgerRow.kind, LedgerRow.content).where(LedgerRow.run_id == row.run_id, LedgerRow.step == step)
    ).first()
    if found is None or MOVES.get(found[0]) != "shadow":
        return None
    return int(json.loads(found[1])["body"]["index"])


def _body(record: LedgerRow) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(record.content)["body"]
    return body
