"""Passive breaches over the sessions: noticed once, given time, loud when it is over, and ended."""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import col, select

from memory.tables import BreachRow, FindingRow, LedgerRow, RunRow
from pipeline import breaches
from pipeline.store import Store
from tests.pipeline import life
from tools.risk.breaches import Breach
from tools.types import Tick

OVER = Breach(control="position_share", subject="IBM", value=Decimal("0.05"), limit=Decimal("0.04"))


def close(store: Store, index: int, *found: Breach) -> list[tuple[str, str]]:
    """The close of a session; findings so far as (worst severity, component)."""
    life.move_clock(store, index)
    as_of = life.AS_OF.replace(day=1).replace(month=12, day=index - 59)
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        breaches.track(session, run, found, 2, Tick(session=as_of.date(), phase="close", as_of=as_of))
    with store.db.read() as session:
        rows = session.exec(select(FindingRow).order_by(col(FindingRow.as_of))).all()
    return [(row.worst or "", row.component) for row in rows]


def test_it_warns_once_and_is_critical_once_its_time_is_over(store: Store) -> None:
    warned = [("warning", "position_share")]
    assert [close(store, index, OVER) for index in (60, 61, 62)] == [warned] * 3
    late = [("critical", "position_share")]
    assert [close(store, index, OVER) for index in (63, 64)] == [late] * 2
    with store.db.read() as session:
        kinds = session.exec(select(LedgerRow.kind).order_by(col(LedgerRow.seq))).all()
        (row,) = session.exec(select(FindingRow)).all()
    assert [kind for kind in kinds if kind.startswith("finding.")] == ["finding.raised", "finding.worsened"]
    assert row.times_seen == 5


def test_a_session_that_is_played_again_changes_nothing(store: Store) -> None:
    assert close(store, 60, OVER) == close(store, 60, OVER)


def test_one_that_is_cured_ends_and_begins_anew_when_it_comes_back(store: Store) -> None:
    close(store, 60, OVER)
    close(store, 61)
    assert close(store, 70, OVER) == [("warning", "position_share")] * 2
    with store.db.read() as session:
        rows = session.exec(select(BreachRow).order_by(col(BreachRow.id))).all()
        findings = session.exec(select(FindingRow).order_by(col(FindingRow.as_of))).all()
    assert [row.cleared_as_of is None for row in findings] == [False, True]
    assert [(row.since_index, row.ended_index, row.overdue) for row in rows] == [(60, 61, False), (70, None, False)]
