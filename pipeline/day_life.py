"""The life of a day: its checks, and who signed them. A signature binds the checks by their hash and stays for ever."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, get_args

from sqlmodel import Session

from memory.ledger import Entry, Stage, append
from memory.tables import RunRow, SignOffRow, VenueFactsRow
from pipeline.activation import in_force
from pipeline.approvals import clean_reason
from pipeline.day_checks import DayCheck, end_checks, start_checks
from pipeline.permissions import effective_role, rank_of
from pipeline.roles import Role
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now, require_run
from tools.canonical import content_sha256, instant_text
from tools.errors import ApprovalError, ConfigError
from tools.types import Frozen, Instant, Tick

Moment = Literal["start", "end"]
DayReasonCode = Literal["known_break", "data_late", "waiting_for_broker", "accepted_risk", "other"]
DAY_REASON_CODES: tuple[str, ...] = get_args(DayReasonCode)
NEEDED: dict[Moment, Role] = {"start": "operator", "end": "approver"}
NEEDED_OVER_FAILURE: Role = "risk_officer"


class SignOff(Frozen):
    """A signature under a start or an end of day."""

    principal: str
    role: str
    checks_sha256: str
    failed: tuple[str, ...]
    reason_code: str | None
    note: str
    signed: Instant


class MomentView(Frozen):
    """The checks of one moment now, and the signature if there is one. `session` is None when none is coming."""

    moment: Moment
    session: date | None
    checks: tuple[DayCheck, ...]
    checks_sha256: str
    failed: tuple[str, ...]
    signed: SignOff | None


class DayView(Frozen):
    """The coming session's start and the last session's end."""

    run: str
    stage: str
    require_sign_off: bool
    start: MomentView
    end: MomentView


class SignResult(Frozen):
    """What signing led to; `repeated` when the same person had signed before."""

    moment: Moment
    session: date
    repeated: bool
    sign_off: SignOff


def signed(session: Session, run: RunRow, tick: Tick) -> bool:
    """True when somebody signed the start of the tick's session."""
    return session.get(SignOffRow, (run.id, tick.session, "start")) is not None


def day_view(store: Store) -> DayView:
    """Both lists of checks as they stand now; HomeError(no_run) without a run."""
    with store.db.read() as session:
        run = require_run(session)
        return DayView(
            run=run.id, stage=run.stage, require_sign_off=_required(store),
            start=_moment(store, session, run, "start"), end=_moment(store, session, run, "end"),
        )  # fmt: skip


def _required(store: Store) -> bool:
    """Whether the policy in force wants a signed start; a policy that cannot be told does."""
    try:
        return in_force(store).policy.require_sign_off
    except ConfigError:
        return True


def _moment(store: Store, session: Session, run: RunRow, moment: Moment) -> MomentView:
    row = session.get(VenueFactsRow, run.id)
    facts = None if row is None else row.body
    checks = (start_checks if moment == "start" else end_checks)(store, session, run, facts)
    day = None if facts is None else facts.next_session if moment == "start" else facts.session
    known = None if day is None else session.get(SignOffRow, (run.id, day, moment))
    return MomentView(
        moment=moment, session=day, checks=checks, checks_sha256=content_sha256(checks),
        failed=tuple(check.id for check in checks if check.state == "fail"),
        signed=None if known is None else _sign_off(known),
    )  # fmt: skip


def _sign_off(row: SignOffRow) -> SignOff:
    return SignOff(
        principal=row.principal, role=row.role, checks_sha256=row.checks_sha256, failed=tuple(row.failed),
        reason_code=row.reason_code, note=row.note, signed=row.signed_wall,
    )  # fmt: skip


def sign(
    store: Store,
    *,
    moment: Moment,
    session: date | None,
    note: str,
    principal: Principal,
    reason_code: DayReasonCode | None = None,
    checks_sha256: str | None = None,
) -> SignResult:
    """Sign the checks of a moment as they stand now; `session` None takes the one that is due.

    `checks_sha256` is the hash of the checks that the person saw, if it is known. The same person again gets the same
    result. ApprovalError codes: decided (somebody else signed), stale_digest (the checks changed), role (operator for
    a start, approver for an end, risk_officer over a failed check), invalid (another session than the one that is due,
    no note, or a failed check without a reason code). AccessError when the login has ended.
    """
    text = clean_reason(note)
    with store.db.read() as reading:
        run = require_run(reading)
        view = _moment(store, reading, run, moment)
    day = session or view.session
    if day is None:
        raise ApprovalError(f"there is no session whose {moment} could be signed", code="invalid")
    with store.db.write() as writing:
        confirm(writing, principal, needed="viewer")
        known = writing.get(SignOffRow, (run.id, day, moment))
        if known is not None:
            return _signed_before(known, moment, principal)
        if day != view.session:
            raise ApprovalError(f"the {moment} of {day} is not due: that of {view.session} is", code="invalid")
        if checks_sha256 not in (None, view.checks_sha256):
            raise ApprovalError("the checks changed since they were shown: look at them again", code="stale_digest")
        role = _may(writing, view, principal, reason_code)
        row = SignOffRow(
            run_id=run.id, session=day, moment=moment, principal=principal.name, role=role,
            checks_sha256=view.checks_sha256, failed=list(view.failed), reason_code=reason_code, note=text,
            ledger_seq=0, session_id=principal.session_id, address=principal.address, signed_wall=now(),
        )  # fmt: skip
        row.ledger_seq = _remember(writing, row, view, principal)
        writing.add(row)
        result = SignResult(moment=moment, session=day, repeated=False, sign_off=_sign_off(row))
    store.publish_head()
    return result


def _signed_before(known: SignOffRow, moment: Moment, principal: Principal) -> SignResult:
    if known.principal != principal.name:
        raise ApprovalError(
            f"the {moment} of {known.session} was signed before: {known.principal}, "
            f"{known.signed_wall:%Y-%m-%d %H:%M:%SZ}",
            code="decided",
            detail={
                "decided_by": known.principal, "decided_at": instant_text(known.signed_wall),
                "checks_sha256": known.checks_sha256,
            },
        )  # fmt: skip
    return SignResult(moment=moment, session=known.session, repeated=True, sign_off=_sign_off(known))


def _may(session: Session, view: MomentView, principal: Principal, reason_code: DayReasonCode | None) -> str:
    """The role by which this person signs; ApprovalError(role or invalid) when they may not."""
    role = effective_role(session, principal, now())
    needed = NEEDED_OVER_FAILURE if view.failed else NEEDED[view.moment]
    if principal.kind != "person" or rank_of(role) < rank_of(needed):
        over = f" over {', '.join(view.failed)}" if view.failed else ""
        raise ApprovalError(f"signing the {view.moment} of day{over} needs the role {needed}", code="role")
    if view.failed and reason_code is None:
        raise ApprovalError(
            f"{', '.join(view.failed)} failed: signing needs a reason code, one of {', '.join(DAY_REASON_CODES)}",
            code="invalid",
        )
    return role


def _remember(session: Session, row: SignOffRow, view: MomentView, principal: Principal) -> int:
    content: dict[str, Any] = {
        "moment": row.moment, "session": row.session, "run": row.run_id, "checks_sha256": row.checks_sha256,
        "checks": {check.id: check.state for check in view.checks}, "principal": row.principal, "role": row.role,
        "reason_code": row.reason_code, "note": row.note,
    }  # fmt: skip
    return append(
        session,
        Entry(
            kind="day.signed", step=f"day:{row.run_id}:{row.session}:{row.moment}", desk_time=now(),
            stage=Stage.SYSTEM, content=content,
            envelope={"address": principal.address, "session": principal.session_id},
        ),
    ).seq  # fmt: skip
