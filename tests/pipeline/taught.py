"""A run with settled outcomes and lessons, built from rows: what the life of a lesson needs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from agents.learning.rules import lesson as lesson_of
from agents.learning.scopes import Scope
from agents.opinion import LearningBrief, SettledView
from memory.tables import ApprovalRow, CaseRow, LessonRow, LessonShadowRow, OutcomeRow, RunRow
from pipeline import attention
from pipeline.learning import keep_lesson
from pipeline.lesson_state import standing_of
from pipeline.lessons import propose
from pipeline.store import Principal, Store
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, RUN, Question
from tools.types import Lesson, LessonState, Outcome

SCOPE = "strategy:trend"


def settle(store: Store, *, first: int, count: int, excess: float, **changes: Any) -> list[str]:
    """Settled entries of trend, one opened a session from index `first` on, with a horizon of two; their case ids."""
    strategy, cases = "trend", []
    with store.db.write() as session:
        for number in range(first, first + count):
            name = f"{strategy}_{number:04}"
            moved = excess + (0.004 if number % 2 else -0.004)
            session.merge(_outcome(name, number, moved, strategy, changes))
            cases.append(f"case_{name}")
    return cases


def _outcome(name: str, index: int, excess: float, strategy: str, changes: dict[str, Any]) -> OutcomeRow:
    body = Outcome(
        id=f"out_{name}", proposal_id=f"prop_{name}", case_id=f"case_{name}", strategy=strategy, symbol="IBM",
        side="buy", disposition="filled", opened=date(2009, 8, 1) + timedelta(index), horizon_sessions=2,
        due=date(2009, 8, 3) + timedelta(index), entry_price=Decimal(100), excess_return=excess, settled=True,
    )  # fmt: skip
    row: dict[str, Any] = {
        "id": body.id, "run_id": RUN, "case_id": body.case_id, "strategy": strategy, "symbol": "IBM",
        "disposition": "filled", "settled": True, "opened_index": index, "due_index": index + 2, "index_entry": 1000.0,
        "body": body, "kind": "order.entry", "horizon_sessions": 2, "excess_return": excess, "confidence": 0.52,
        "regime": "rising",
    }  # fmt: skip
    return OutcomeRow(**{**row, **changes})


def write(store: Store, excess: float = -0.03, scope: str = SCOPE, as_of: datetime = life.AS_OF, **changes: Any) -> str:
    """Write one lesson as the agent does, from forty views; its id."""
    found = Scope.parse(scope)
    assert found is not None
    views = [
        SettledView(
            id=f"out_{scope}_{n}_{excess}", strategy=found.strategy, kind="order.entry", disposition="filled",
            opened_index=n, horizon_sessions=2, excess_return=excess + (0.004 if n % 2 else -0.004), confidence=0.52,
        )
        for n in range(40)
    ]  # fmt: skip
    brief = LearningBrief(run_id=RUN, cycle_id="cyc_1", as_of=as_of, views=tuple(views))
    made = lesson_of(found, views, brief, 3).model_copy(update=changes)
    keep(store, made)
    return made.id


def keep(store: Store, made: Lesson) -> None:
    with store.db.write() as session:
        assert keep_lesson(session, RUN, made)


def ask(store: Store, lesson_id: str, to: LessonState, who: Principal = ANN) -> Question:
    made = propose(store, lesson_id, to, principal=who, reason="it keeps failing")
    with store.db.read() as session:
        return Question(made.case_id, made.approval_id, session.get_one(ApprovalRow, made.approval_id).digest)


def agree(store: Store, asked: Question, who: Principal = BOB) -> str:
    """Open the evidence and approve; what the approval then is."""
    attention.record_view(store, asked.approval_id, principal=who, seconds=1, evidence_opened=True)
    return life.say(store, asked, who).status


def move(store: Store, lesson_id: str, *states: LessonState) -> None:
    """Take a lesson through states, each by a case that another person approves."""
    for to in states:
        asked = ask(store, lesson_id, to)
        agree(store, asked)
        assert row_of(store, lesson_id).state == to


def try_out(store: Store, lesson_id: str, *, excess: float = -0.02, count: int = 20, first: int = 61) -> None:
    """Let a lesson in shadow see candidates whose outcomes then settle."""
    cases = settle(store, first=first, count=count, excess=excess)
    with store.db.write() as session:
        row = session.get_one(LessonRow, lesson_id)
        for number, case_id in enumerate(cases):
            session.add(
                LessonShadowRow(
                    lesson_id=lesson_id, case_id=case_id, revision=row.revision, run_id=RUN,
                    session_index=first + number, verdict="keep", factor=Decimal(1),
                    would_factor=Decimal("0.5") if number % 4 else Decimal(1),
                )
            )  # fmt: skip


def promoted(store: Store, **changes: Any) -> str:
    """A lesson that went the whole way."""
    lesson_id = write(store, **changes)
    move(store, lesson_id, "shadow")
    try_out(store, lesson_id)
    move(store, lesson_id, "promoted")
    return lesson_id


def row_of(store: Store, lesson_id: str) -> LessonRow:
    with store.db.read() as session:
        return session.get_one(LessonRow, lesson_id)


def trouble_of(store: Store, lesson_id: str) -> str | None:
    with store.db.read() as session:
        return standing_of(store, session, session.get_one(LessonRow, lesson_id)).trouble


def case_of(store: Store, asked: Question) -> CaseRow:
    with store.db.read() as session:
        return session.get_one(CaseRow, asked.case_id)


def run_of(session: Session) -> RunRow:
    return session.get_one(RunRow, RUN)


def kinds(store: Store) -> list[str]:
    """Kinds of records about lessons, in order."""
    from memory.tables import LedgerRow

    with store.db.read() as session:
        found = select(LedgerRow.kind).where(col(LedgerRow.kind).startswith("lesson.")).order_by(col(LedgerRow.seq))
        return list(session.exec(found).all())
