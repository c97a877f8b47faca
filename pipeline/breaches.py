"""Passive breaches over time: noticed at once, given some sessions to cure, and loud when they are not cured."""

from __future__ import annotations

from sqlmodel import Session, col, select

from memory.tables import BreachRow, RunRow
from pipeline.findings import watch
from tools.canonical import stable_id
from tools.risk.breaches import Breach
from tools.types import Finding, Tick

CODE = "passive_breach"


def track(session: Session, run: RunRow, found: tuple[Breach, ...], cure_sessions: int, tick: Tick) -> None:
    """Keep since when each breach stands; one finding each, critical once its cure time is over.

    A breach that is not found any more has ended, and its finding is cleared. Repeating a session changes nothing.
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
    late: dict[tuple[str, str], bool] = {}
    for key, item in now.items():
        row = standing.get(key)
        if row is None:
            row = BreachRow(
                run_id=run.id, control=item.control, subject=item.subject, since_index=run.session_index,
                value=item.value, limit=item.limit,
            )  # fmt: skip
        row.value, row.limit = item.value, item.limit
        row.overdue = row.overdue or run.session_index - row.since_index > cure_sessions
        late[key] = row.overdue
        session.add(row)
    said = [_finding(run, item, tick, cure_sessions, late=late[key]) for key, item in now.items()]
    watch(session, run, (CODE,), said, tick.as_of, [item.subject for item in now.values()])


def _finding(run: RunRow, item: Breach, tick: Tick, cure_sessions: int, *, late: bool) -> Finding:
    given = (
        f"its {cure_sessions} sessions to cure it are over"
        if late
        else f"{cure_sessions} sessions are given to cure it"
    )
    return Finding(
        id=stable_id("find", run.id, CODE, item.control, item.subject, tick.as_of), code=CODE,
        severity="critical" if late else "warning", component=item.control, as_of=tick.as_of, rule="threshold",
        message=f"{item.text}; {given}", figures={"value": float(item.value), "limit": float(item.limit)},
        recommendation="Reduce now." if late else "Reduce, or wait for the time given; nothing is sold by itself.",
    )  # fmt: skip
