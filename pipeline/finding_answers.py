"""What people do with a finding: acknowledge it, or silence it until an end. Neither changes what controls do.

Acknowledged, it waits for nobody any more; silenced, it waits until the end of the silence. Either is undone when
the finding gets worse. A silence is never longer than SILENCE allows for the worst that the finding was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlmodel import Session

from memory.ledger import Entry, Stage, append
from memory.tables import FindingRow, RunRow
from pipeline.approvals import clean_reason
from pipeline.findings import is_silent, worst_of
from pipeline.permissions import effective_role, rank_of
from pipeline.roles import Role
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now
from tools.canonical import instant_text
from tools.errors import ApprovalError
from tools.types import Severity

FindingState = Literal["open", "acknowledged", "silenced", "cleared"]


class LongestSilence(NamedTuple):
    """How long a finding may be silenced, by the wall clock or by the sessions of its run."""

    hours: int
    sessions: int


SILENCE: Mapping[Severity, LongestSilence] = {
    "info": LongestSilence(24 * 30, 20), "warning": LongestSilence(24 * 7, 10), "critical": LongestSilence(4, 1),
}  # fmt: skip
NEEDED: Mapping[Severity, Role] = {"info": "operator", "warning": "operator", "critical": "approver"}


def state_of(row: FindingRow, run: RunRow | None, at: datetime) -> FindingState:
    """Where a finding stands; what is over is cleared, whatever was done to it before."""
    if row.cleared_as_of is not None:
        return "cleared"
    if is_silent(row, run, at):
        return "silenced"
    return "open" if row.acknowledged_by is None else "acknowledged"


def acknowledge(store: Store, finding_id: str, *, principal: Principal, reason: str) -> FindingRow:
    """Say that somebody has seen to it. The same person again is the same result.

    ApprovalError: unknown, role (operator; approver once it was critical), invalid (no reason, or it is cleared),
    decided (somebody else was first).
    """
    text = clean_reason(reason)
    with store.db.write() as session:
        row = _for(session, finding_id, principal)
        if row.acknowledged_by is not None:
            if row.acknowledged_by != principal.name:
                raise _taken(row)
            return row
        row.acknowledged_by, row.acknowledged_reason, row.acknowledged_wall = principal.name, text, now()
        _remember(session, row, "acknowledged", principal, {"reason": text})
    store.publish_head()
    return row


def silence(
    store: Store,
    finding_id: str,
    *,
    principal: Principal,
    reason: str,
    until: datetime | None = None,
    sessions: int | None = None,
) -> FindingRow:
    """Keep it from asking for anybody until an instant of the wall clock, or for a number of sessions of its run.

    A later silence takes the place of the one before. ApprovalError: unknown, role, invalid (no reason, not exactly
    one end, an end that is past or further off than SILENCE allows, sessions for a finding of no run, or cleared).
    """
    text = clean_reason(reason)
    if (until is None) == (sessions is None):
        raise ApprovalError("a silence needs one end: an instant or a number of sessions", code="invalid")
    with store.db.write() as session:
        row = _for(session, finding_id, principal)
        longest = SILENCE[worst_of(row)]
        run = session.get(RunRow, row.run_id) if row.run_id else None
        last_index = None if sessions is None else _last_session(run, sessions, longest)
        if until is not None:
            _require_within(until, longest)
        row.silenced_by, row.silenced_reason = principal.name, text
        row.silenced_until_wall, row.silenced_until_index = until, last_index
        end = {"until": until, "until_index": last_index}
        _remember(session, row, "silenced", principal, {"reason": text, **end})
    store.publish_head()
    return row


def _for(session: Session, finding_id: str, principal: Principal) -> FindingRow:
    """The row this person may answer for, inside the transaction of the answer."""
    row = session.get(FindingRow, finding_id)
    if row is None:
        raise ApprovalError(f"there is no finding {finding_id!r}: list them to see the ids", code="unknown")
    confirm(session, principal, needed="viewer")
    needed = NEEDED[worst_of(row)]
    if principal.kind != "person" or rank_of(effective_role(session, principal, now())) < rank_of(needed):
        raise ApprovalError(f"a finding that was {worst_of(row)} needs the role {needed}", code="role")
    if row.cleared_as_of is not None:
        raise ApprovalError(f"{finding_id} was cleared {row.cleared_as_of:%Y-%m-%d}: nothing is left", code="invalid")
    return row


def _last_session(run: RunRow | None, sessions: int, longest: LongestSilence) -> int:
    if run is None:
        raise ApprovalError("this finding belongs to no run and knows no sessions: give an instant", code="invalid")
    if not 1 <= sessions <= longest.sessions:
        raise ApprovalError(f"it may be silenced for 1 to {longest.sessions} sessions, not {sessions}", code="invalid")
    return run.session_index + sessions


def _require_within(until: datetime, longest: LongestSilence) -> None:
    left = until - now()
    if not timedelta(0) < left <= timedelta(hours=longest.hours):
        raise ApprovalError(
            f"it may be silenced for up to {longest.hours} hours from now, not until {until:%Y-%m-%d %H:%M:%SZ}",
            code="invalid",
        )


def _taken(row: FindingRow) -> ApprovalError:
    at = instant_text(row.acknowledged_wall) if row.acknowledged_wall else ""
    by = row.acknowledged_by or ""
    return ApprovalError(
        f"{by} acknowledged it before: {at}", code="decided", detail={"decided_by": by, "decided_at": at}
    )  # fmt: skip


def _remember(session: Session, row: FindingRow, what: str, principal: Principal, said: Mapping[str, Any]) -> None:
    """A record of no run: what people do with findings leaves a run's own record as it is."""
    session.add(row)
    append(
        session,
        Entry(
            kind=f"finding.{what}", step=f"finding:{row.id}:{what}", desk_time=now(), stage=Stage.SYSTEM,
            content={
                "finding": row.id, "run": row.run_id, "code": row.code, "severity": row.severity,
                "principal": principal.name, **said,
            },
            envelope={"address": principal.address, "session": principal.session_id},
        ),
    )  # fmt: skip
