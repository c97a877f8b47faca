"""Findings that stand: what is found again is the same finding, seen once more.

A finding is one row per run, code, component, symbol and subject. It begins, may worsen, and ends; only those three are
records of the ledger, and only a beginning or a worsening that is critical is a notification. `watch` is for whoever
looks at everything of a code at once: what it no longer finds is cleared. `raise_finding` is for what happened: it
stands until a person acknowledges it, and the same again after that begins anew. Nothing that people did to a finding
enters a run's records, so that a replay says the same in every home.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, or_, select

from memory.ledger import Entry, Stage, append
from memory.tables import FindingRow, RunRow
from pipeline.notify.outbox import enqueue
from pipeline.store import now
from tools.canonical import stable_id
from tools.types import SEVERITY_RANK, Finding, Severity


class Standing(NamedTuple):
    """A finding as it stands, under the id it began with. `told` is True when it began or worsened just now."""

    finding: Finding
    told: bool


def watch(
    session: Session,
    run: RunRow | None,
    codes: Collection[str],
    seen: Sequence[Finding],
    as_of: datetime,
    subjects: Sequence[str] = (),
) -> tuple[Standing, ...]:
    """Keep all that is found of `codes` now, and clear what stood and is found no longer.

    `subjects` tells findings of one component and symbol apart, in the order of `seen`. The same look again
    changes nothing.
    """
    about = subjects or [""] * len(seen)
    kept = tuple(_keep(session, run, f, key_of(run, f, s), again=False) for f, s in zip(seen, about, strict=True))
    still = {item.finding.id for item in kept}
    scope = run.id if run else None
    query = select(FindingRow).where(col(FindingRow.code).in_(codes), col(FindingRow.cleared_as_of).is_(None))
    for row in session.exec(query.where(col(FindingRow.run_id).is_not_distinct_from(scope)).order_by(FindingRow.id)):
        if row.id not in still:
            _clear(session, row, as_of)
    return kept


def keep_finding(session: Session, run: RunRow | None, finding: Finding, subject: str | None = None) -> bool:
    """Store and record what happened; True when it is new or worse. Told apart by `subject`, else by its message."""
    key = key_of(run, finding, finding.message if subject is None else subject)
    return _keep(session, run, finding, key, again=True).told


def raise_finding(
    session: Session,
    run: RunRow | None,
    *,
    code: str,
    severity: Severity,
    component: str,
    message: str,
    recommendation: str,
    as_of: datetime,
    symbol: str | None = None,
) -> None:
    """Raise a finding that a control or a reconciliation noticed."""
    scope = run.id if run else None
    keep_finding(
        session,
        run,
        Finding(
            id=stable_id("find", scope, code, component, symbol, as_of, message), code=code, severity=severity,
            component=component, symbol=symbol, message=message, recommendation=recommendation, as_of=as_of,
        ),
    )  # fmt: skip


def stands(session: Session, run_id: str, code: str) -> bool:
    """True while a finding of that code is not cleared."""
    query = select(FindingRow.id).where(FindingRow.run_id == run_id, FindingRow.code == code)
    return session.exec(query.where(col(FindingRow.cleared_as_of).is_(None)).limit(1)).first() is not None


def key_of(run: RunRow | None, finding: Finding, subject: str) -> str:
    """What a finding is about."""
    return stable_id("about", run.id if run else None, finding.code, finding.component, finding.symbol, subject)


def silenced(at: datetime) -> ColumnElement[bool]:
    """Rows that a person silenced until later than `at`, or until a later session of their run."""
    index = select(RunRow.session_index).where(col(RunRow.id) == col(FindingRow.run_id)).scalar_subquery()
    return or_(
        col(FindingRow.silenced_until_wall).is_not(None) & (col(FindingRow.silenced_until_wall) > at),
        col(FindingRow.silenced_until_index).is_not(None) & (col(FindingRow.silenced_until_index) > index),
    )


def still_open(at: datetime) -> ColumnElement[bool]:
    """Rows that wait for somebody: neither cleared nor acknowledged nor silenced."""
    return and_(
        col(FindingRow.cleared_as_of).is_(None), col(FindingRow.acknowledged_by).is_(None), ~silenced(at)
    )  # fmt: skip


def is_silent(row: FindingRow, run: RunRow | None, at: datetime) -> bool:
    """The same as `silenced`, of a row at hand."""
    by_clock = row.silenced_until_wall is not None and row.silenced_until_wall > at
    return by_clock or (run is not None and (row.silenced_until_index or 0) > run.session_index)


def worst_of(row: FindingRow) -> Severity:
    """The worst that a finding was since it began."""
    return cast(Severity, row.worst or row.severity)


def _worse(finding: Finding, row: FindingRow) -> bool:
    return SEVERITY_RANK[finding.severity] > SEVERITY_RANK[worst_of(row)]


def _keep(session: Session, run: RunRow | None, finding: Finding, key: str, *, again: bool) -> Standing:
    """`again`: what was acknowledged begins anew."""
    known = session.get(FindingRow, finding.id)
    if known is not None and known.as_of >= finding.as_of:
        return Standing(known.body, told=False)
    last = session.exec(
        select(FindingRow).where(FindingRow.key == key).order_by(col(FindingRow.as_of).desc(), FindingRow.id).limit(1)
    ).first()
    if last is None or last.cleared_as_of is not None or (again and last.acknowledged_by is not None):
        return _begin(session, run, finding, key, last)
    if finding.as_of <= last.as_of and not _worse(finding, last):
        return Standing(last.body, told=False)
    return _see_again(session, last, finding.model_copy(update={"id": last.id}))


def _begin(session: Session, run: RunRow | None, finding: Finding, key: str, last: FindingRow | None) -> Standing:
    """A silence of the one before it goes on, unless this is worse: what comes and goes is not told each time."""
    row = FindingRow(
        id=finding.id, run_id=run.id if run else None, key=key, code=finding.code, severity=finding.severity,
        worst=finding.severity, component=finding.component, symbol=finding.symbol, as_of=finding.as_of,
        first_as_of=finding.as_of, body=finding,
    )  # fmt: skip
    quiet = (
        last is not None
        and is_silent(last, run, now())
        and SEVERITY_RANK[finding.severity] <= SEVERITY_RANK[worst_of(last)]
    )
    if quiet and last is not None:
        row.silenced_by, row.silenced_reason = last.silenced_by, last.silenced_reason
        row.silenced_until_wall, row.silenced_until_index = last.silenced_until_wall, last.silenced_until_index
    session.add(row)
    _record(session, row, "finding.raised", f"finding:{row.id}", finding.as_of, finding.model_dump(mode="json"))
    if not quiet:
        _tell(session, finding)
    return Standing(finding, told=True)


def _see_again(session: Session, row: FindingRow, finding: Finding) -> Standing:
    before = worst_of(row)
    worse = _worse(finding, row)
    row.times_seen += finding.as_of > row.as_of
    row.as_of, row.severity, row.body = max(row.as_of, finding.as_of), finding.severity, finding
    session.add(row)
    if worse:
        row.worst = finding.severity
        content = {"was": before, **finding.model_dump(mode="json")}
        _record(session, row, "finding.worsened", f"finding:{row.id}:{row.worst}", finding.as_of, content)
        _open_again(session, row)
        _tell(session, finding)
    return Standing(finding, told=worse)


def _open_again(session: Session, row: FindingRow) -> None:
    """What people had put aside is before them again; a record of its own, for no run."""
    if row.acknowledged_by is None and row.silenced_by is None:
        return
    content = {"finding": row.id, "run": row.run_id, "acknowledged": row.acknowledged_by, "silenced": row.silenced_by}
    row.acknowledged_by = row.acknowledged_reason = row.acknowledged_wall = None
    row.silenced_by = row.silenced_reason = row.silenced_until_wall = row.silenced_until_index = None
    append(
        session,
        Entry(
            kind="finding.reopened", step=f"finding:{row.id}:reopened:{row.worst}", desk_time=now(),
            stage=Stage.SYSTEM, content=content,
        ),
    )  # fmt: skip


def _clear(session: Session, row: FindingRow, as_of: datetime) -> None:
    row.cleared_as_of = as_of
    session.add(row)
    content = {
        "finding": row.id, "code": row.code, "component": row.component, "symbol": row.symbol,
        "worst": worst_of(row), "first_as_of": row.first_as_of, "times_seen": row.times_seen,
    }  # fmt: skip
    _record(session, row, "finding.cleared", f"finding:{row.id}:cleared", as_of, content)


def _record(
    session: Session, row: FindingRow, kind: str, step: str, as_of: datetime, content: Mapping[str, Any]
) -> None:
    append(
        session,
        Entry(kind=kind, step=step, run_id=row.run_id, desk_time=as_of, stage=Stage.FINDING, content=content),
    )  # fmt: skip


def _tell(session: Session, finding: Finding) -> None:
    if finding.severity != "critical":
        return
    told = {"finding": finding.id, "code": finding.code, "component": finding.component, "symbol": finding.symbol}
    enqueue(session, event="finding.critical", subject_id=finding.id, content={**told, "severity": "critical"})
