"""A session that the venue played while the engine was down: it is booked when found, and nothing is sent late."""

from __future__ import annotations

from sqlmodel import col, select

from memory.ledger import Stage
from memory.tables import CaseRow, RunRow
from pipeline.findings import raise_finding
from pipeline.occasions import SESSION_MISSED
from pipeline.store import Store
from pipeline.voiding import void_case
from tools.types import CaseState, Tick


def miss_session(store: Store, run_id: str, index: int, tick: Tick) -> int:
    """Void what was approved for an open that is over and say so in a finding; returns how many cases that were."""
    with store.db.write() as session:
        run = session.get_one(RunRow, run_id)
        approved = session.exec(
            select(CaseRow)
            .where(CaseRow.run_id == run_id, CaseRow.state == CaseState.APPROVED.value)
            .order_by(col(CaseRow.id))
        ).all()
        for case in approved:
            void_case(
                session, case, why="the desk was down at the open it was approved for", desk_time=tick.as_of,
                stage=Stage.SUBMIT, detail={"session": tick.session},
            )  # fmt: skip
        raise_finding(
            session, run, code=SESSION_MISSED, severity="critical", component=f"engine:{index}",
            message=f"the open of {tick.session} passed without the engine: {len(approved)} approved cases voided",
            recommendation="Compare the book with the broker's; stops at the broker stood all the time.",
            as_of=tick.as_of,
        )  # fmt: skip
    return len(approved)
