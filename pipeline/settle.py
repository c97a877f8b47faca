"""Outcomes: what became of every view after its horizon, traded or refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, OrderRow, OutcomeRow, RunRow
from pipeline.cases import advance
from pipeline.desk import Desk
from pipeline.findings import raise_finding
from pipeline.settled import describe
from pipeline.work import CycleWork, regime_at
from tools.canonical import round_float
from tools.data.types import Panel
from tools.strategy.views import last_close, view_returns
from tools.types import CaseState, Outcome

SETTLED = "outcomes.settled"
Disposition = Literal["filled", "refused", "not_selected", "blocked", "unfilled"]
_BY_STATE: dict[CaseState, Disposition] = {
    CaseState.NOT_SELECTED: "not_selected", CaseState.BLOCKED: "blocked", CaseState.REJECTED: "refused",
    CaseState.EXPIRED: "refused", CaseState.SUPERSEDED: "refused", CaseState.VOIDED: "unfilled",
    CaseState.CANCELLED: "unfilled", CaseState.DONE: "filled", CaseState.SETTLED: "filled",
    CaseState.SUBMITTED: "unfilled", CaseState.UNKNOWN: "unfilled", CaseState.APPROVED: "unfilled",
    CaseState.AWAITING: "refused", CaseState.DRAFTED: "not_selected",
}  # fmt: skip


def settling(day: date) -> str:
    """The step of the record of what settled at the close of a session."""
    return f"settle:{day}"


def settle_outcomes(desk: Desk, work: CycleWork) -> list[str]:
    """Settle what is due at this close; returns the outcome ids. A repeat finds nothing due.

    A name without a bar today is settled at its last known close, and the record and a finding say so; one that has
    had none since its view was opened waits.
    """
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
    ends = {row.id: end for row in due if (end := last_close(row.body, panel)) is not None}
    if not ends:
        return []
    regimes = {at: regime_at(desk.market, at) for at in {row.opened_index for row in due}}
    lines: list[dict[str, object]] = []
    with desk.db.write() as session:
        for row in (row for row in due if row.id in ends):
            settled = _settled(session, row, panel, index_now, ends[row.id])
            row.body, row.settled, row.disposition = settled, True, settled.disposition
            case = session.get_one(CaseRow, row.case_id)
            describe(session, row, case, settled, regimes[row.opened_index])
            session.add(row)
            line: dict[str, object] = {
                "case": row.case_id,
                "disposition": row.disposition,
                "excess": settled.excess_return,
            }
            if (day := panel.sessions[ends[row.id]]) != panel.sessions[-1]:
                line["exit_session"] = day
                _tell_old(session, desk, work, row, f"{day}")
            lines.append(line)
            if case.state == CaseState.DONE.value:
                advance(
                    session, case, CaseState.SETTLED, content={"outcome": settled}, desk_time=work.tick.as_of,
                    stage=Stage.SETTLE,
                )  # fmt: skip
        append(
            session,
            Entry(
                kind=SETTLED, step=settling(work.tick.session), run_id=desk.run_id,
                desk_time=work.tick.as_of, stage=Stage.SETTLE, content={"outcomes": lines},
            ),
        )  # fmt: skip
    return list(ends)


def _tell_old(session: Session, desk: Desk, work: CycleWork, row: OutcomeRow, day: str) -> None:
    raise_finding(
        session, session.get_one(RunRow, desk.run_id), code="settled_on_old_close", severity="warning",
        component="market", symbol=row.symbol, as_of=work.tick.as_of,
        message=f"{row.symbol} has no bar in {work.tick.session}: its view was settled at the close of {day}",
        recommendation="See whether it still trades; close the position by a ticket if it does not.",
    )  # fmt: skip


def _settled(session: Session, row: OutcomeRow, panel: Panel, index_now: float, end: int) -> Outcome:
    """Returns over the horizon from adjusted closes, so that a split is no return."""
    case = session.get_one(CaseRow, row.case_id)
    orders = session.exec(select(OrderRow).where(OrderRow.case_id == case.id)).all()
    disposition = _BY_STATE[CaseState(case.state)]
    if any(order.filled_quantity for order in orders if order.leg in ("entry", "exit")):
        disposition = "filled"
    view_return, index_return = view_returns(row.body, row.index_entry, panel, index_now, end)
    return row.body.model_copy(
        update={
            "disposition": disposition, "settled": True,
            "exit_price": Decimal(str(round(float(panel.close[end, panel.column(row.symbol)]), 4))),
            "view_return": round_float(view_return), "index_return": round_float(index_return),
            "excess_return": round_float(view_return - index_return),
        }
    )  # fmt: skip
