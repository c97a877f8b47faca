"""Outcomes and lessons: what became of every view after its horizon, traded or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from sqlmodel import Session, col, select

from agents.learning.node import learn
from agents.opinion import LearningBrief
from memory.database import insert_if_absent
from memory.ledger import Entry, Stage, append
from memory.recordings import record
from memory.tables import CaseRow, DecisionRow, LessonRow, OrderRow, OutcomeRow
from pipeline.cases import advance
from pipeline.desk import Desk
from pipeline.work import CycleWork
from tools.canonical import round_float
from tools.data.types import Panel
from tools.strategy.views import view_returns
from tools.types import CaseState, Outcome

Disposition = Literal["filled", "refused", "not_selected", "blocked", "unfilled"]
_BY_STATE: dict[CaseState, Disposition] = {
    CaseState.NOT_SELECTED: "not_selected", CaseState.BLOCKED: "blocked", CaseState.REJECTED: "refused",
    CaseState.EXPIRED: "refused", CaseState.SUPERSEDED: "refused", CaseState.VOIDED: "unfilled",
    CaseState.CANCELLED: "unfilled", CaseState.DONE: "filled", CaseState.SETTLED: "filled",
    CaseState.SUBMITTED: "unfilled", CaseState.UNKNOWN: "unfilled", CaseState.APPROVED: "unfilled",
    CaseState.AWAITING: "refused", CaseState.DRAFTED: "not_selected",
}  # fmt: skip
LESSON_STEPS = frozenset({1, 20, 50, 100, 200, 400, 800, 1600})


def settle_outcomes(desk: Desk, work: CycleWork) -> list[str]:
    """Settle what is due at this close; returns the outcome ids. A repeat finds nothing due."""
    with desk.db.read() as session:
        due = session.exec(
            select(OutcomeRow)
            .where(OutcomeRow.run_id == desk.run_id, ~col(OutcomeRow.settled), OutcomeRow.due_index <= work.index)
            .order_by(OutcomeRow.id)
        ).all()
    if not due:
        return []
    longest = work.index - min(row.opened_index for row in due) + 1
    panel = desk.market.panel(work.tick.as_of, longest)
    index_now = desk.market.index_close(work.tick.session, work.tick.as_of)
    lines: list[dict[str, object]] = []
    with desk.db.write() as session:
        for row in due:
            settled = _settled(session, row, panel, index_now)
            row.body, row.settled, row.disposition = settled, True, settled.disposition
            session.add(row)
            lines.append({"case": row.case_id, "disposition": row.disposition, "excess": settled.excess_return})
            case = session.get_one(CaseRow, row.case_id)
            if case.state == CaseState.DONE.value:
                advance(
                    session, case, CaseState.SETTLED, content={"outcome": settled}, desk_time=work.tick.as_of,
                    stage=Stage.SETTLE,
                )  # fmt: skip
        append(
            session,
            Entry(
                kind="outcomes.settled", step=f"settle:{work.tick.session}", run_id=desk.run_id,
                desk_time=work.tick.as_of, stage=Stage.SETTLE, content={"outcomes": lines},
            ),
        )  # fmt: skip
    return [row.id for row in due]


def _settled(session: Session, row: OutcomeRow, panel: Panel, index_now: float) -> Outcome:
    """Returns over the horizon from adjusted closes, so that a split is no return."""
    case = session.get_one(CaseRow, row.case_id)
    orders = session.exec(select(OrderRow).where(OrderRow.case_id == case.id)).all()
    disposition = _BY_STATE[CaseState(case.state)]
    if any(order.filled_quantity for order in orders if order.leg in ("entry", "exit")):
        disposition = "filled"
    view_return, index_return = view_returns(row.body, row.index_entry, panel, index_now)
    return row.body.model_copy(
        update={
            "disposition": disposition, "settled": True,
            "exit_price": Decimal(str(round(float(panel.close[-1, panel.column(row.symbol)]), 4))),
            "view_return": round_float(view_return), "index_return": round_float(index_return),
            "excess_return": round_float(view_return - index_return),
        }
    )  # fmt: skip


async def learn_from(desk: Desk, work: CycleWork) -> int:
    """Let the learning agent write quarantined lessons when a sample reaches a step; returns how many are new."""
    with desk.db.read() as session:
        rows = session.exec(
            select(OutcomeRow).where(OutcomeRow.run_id == desk.run_id, OutcomeRow.settled).order_by(OutcomeRow.id)
        ).all()
        said = session.exec(select(DecisionRow).order_by(col(DecisionRow.id))).all()
    known = {row.case_id for row in rows}
    brief = LearningBrief(
        run_id=desk.run_id, cycle_id=work.cycle_id, as_of=work.tick.as_of, outcomes=tuple(row.body for row in rows),
        reasons={row.case_id: row.reason for row in said if row.case_id in known},
    )  # fmt: skip
    lessons = await learn(brief, desk.agent_context(work.cycle_id))
    kept = 0
    with desk.db.write() as session:
        earlier = select(LessonRow).where(LessonRow.run_id == desk.run_id).order_by(col(LessonRow.as_of))
        scopes = {row.scope: row.body.sample_size for row in session.exec(earlier)}
        for lesson in lessons:
            before = scopes.get(lesson.scope, 0)
            if not any(before < step <= lesson.sample_size for step in LESSON_STEPS):
                continue
            values = {
                "id": lesson.id, "run_id": desk.run_id, "state": lesson.state, "scope": lesson.scope,
                "as_of": lesson.as_of, "body": lesson,
            }  # fmt: skip
            if insert_if_absent(session, LessonRow, values):
                kept += 1
                append(
                    session,
                    Entry(
                        kind="lesson.quarantined", step=f"lesson:{lesson.id}", run_id=desk.run_id,
                        desk_time=work.tick.as_of, stage=Stage.LEARN, content=lesson.model_dump(mode="json"),
                    ),
                )  # fmt: skip
        if kept:
            record(
                session, run_id=desk.run_id, cycle_id=work.cycle_id, kind="agent", call="learning.learn",
                request={"outcomes": [row.id for row in rows]}, response=list(lessons),
            )  # fmt: skip
    return kept
