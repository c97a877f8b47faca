"""Passive breaches over time: noticed at once, given some sessions to cure, and loud when they are not cured."""

from __future__ import annotations

from sqlmodel import Session, col, select

from memory.tables import BreachRow, RunRow
from pipeline.findings import raise_finding
from tools.risk.breaches import Breach
from tools.types import Tick


def track(session: Session, run: RunRow, found: tuple[Breach, ...], cure_sessions: int, tick: Tick) -> None:
    """Keep since when each breach stands; a finding when it begins and, critical, when its cure time is over.

    A breach that is not found any more has ended. Repeating a session changes nothing.
    """
    standing = {
        (row.control, row.subject): row
        for row in session.exec(
            select(BreachRow).where(BreachRow.run_id == run.id, col(BreachRow.ended_index).is_(None))
        ).all()
    }
    now = {(item.control, item.subject): item for item in found}
    for key, gone in standing.items():
        if key not in now:
            gone.ended_index = run.session_index
            session.add(gone)
    for key, item in now.items():
        row = standing.get(key)
        if row is None:
            session.add(
                BreachRow(
                    run_id=run.id, control=item.control, subject=item.subject, since_index=run.session_index,
                    value=item.value, limit=item.limit,
                )
            )  # fmt: skip
            _tell(session, run, item, tick, f"{item.text}; {cure_sessions} sessions are given to cure it")
            continue
        row.value, row.limit = item.value, item.limit
        if run.session_index - row.since_index > cure_sessions and not row.overdue:
            row.overdue = True
            _tell(session, run, item, tick, f"{item.text}; its {cure_sessions} sessions to cure it are over", late=True)
        session.add(row)


def _tell(session: Session, run: RunRow, item: Breach, tick: Tick, message: str, *, late: bool = False) -> None:
    raise_finding(
        session, run, code="passive_breach", severity="critical" if late else "warning", component=item.control,
        message=message, as_of=tick.as_of,
        recommendation="Reduce now." if late else "Reduce, or wait for the time given; nothing is sold by itself.",
    )  # fmt: skip
