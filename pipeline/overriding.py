"""Overrides: letting one order past soft controls that blocked it. Hard limits have none.

A risk officer asks with a reason while the session of the case lasts. The case is then drafted again and goes the
whole way: every control runs, the explanation says what is overridden, and another person must agree. The permission
is bound with the question's facts, holds for this order only and ends with the question.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from memory.columns import Damaged
from memory.ledger import Entry, Stage, append
from memory.tables import OPEN_CASE_STATES, CaseRow, OverrideRow, RunRow
from pipeline import halt
from pipeline.approvals import clean_reason
from pipeline.cases import advance
from pipeline.overrides import Override, override_of
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now, require_run
from tools.errors import ApprovalError, ToolRejected
from tools.risk.control import label
from tools.risk.controls import require_soft
from tools.risk.types import Check
from tools.types import CaseState


def ask(store: Store, case_id: str, controls: Iterable[str] | None, *, principal: Principal, reason: str) -> Override:
    """Ask to let a blocked order past soft controls; all that blocked it when `controls` is None.

    ApprovalError: unknown, role (not a risk officer), invalid (it is not blocked, its session is over, a hard
    control blocks it, other controls block it than those named, no reason), forbidden (a halt, safe mode), exists.
    """
    text = clean_reason(reason)
    if principal.kind != "person":
        raise ApprovalError("only a person asks for an override", code="role")
    with store.db.write() as session:
        confirm(session, principal, needed="risk_officer")
        case = session.get(CaseRow, case_id)
        if case is None:
            raise ApprovalError(f"there is no case {case_id}", code="unknown")
        run = require_run(session)
        blocking = _blocking(run, case)
        named = blocking if controls is None else frozenset(controls)
        _require_softness(named, blocking)
        _require_room(store, session, case)
        row = OverrideRow(
            case_id=case_id, run_id=run.id, controls=sorted(named), principal=principal.name, reason=text,
            asked_wall=now(),
        )  # fmt: skip
        session.add(row)
        session.flush()
        append(
            session,
            Entry(
                kind="override.asked", step="override", case_id=case_id, run_id=run.id, desk_time=case.as_of,
                stage=Stage.REQUEST, rank=case.rank, content={
                    "controls": row.controls, "principal": principal.name, "reason": text, "digest": case.digest,
                },
                envelope={"address": principal.address, "session": principal.session_id},
            ),
        )  # fmt: skip
        case.checks = None
        session.add(case)
        session.flush()
        advance(
            session, case, CaseState.DRAFTED, content={"overrides": row.controls}, desk_time=case.as_of,
            stage=Stage.REQUEST,
        )  # fmt: skip
        asked = override_of(session, case_id)
        assert asked is not None
    store.publish_head()
    return asked


def waiting(session: Session, run: RunRow) -> list[str]:
    """Cases of this session that were drafted again and are not asked yet, in order of rank."""
    query = (
        select(CaseRow.id)
        .join(OverrideRow, col(OverrideRow.case_id) == col(CaseRow.id))
        .where(
            CaseRow.run_id == run.id, CaseRow.state == CaseState.DRAFTED.value,
            CaseRow.opened_index == run.session_index,
        )
    )  # fmt: skip
    return list(session.exec(query.order_by(col(CaseRow.rank))).all())


def _blocking(run: RunRow, case: CaseRow) -> frozenset[str]:
    """The controls that block a case; ApprovalError(invalid) unless it is blocked by controls, now."""
    checks = [Check.model_validate(item) for item in case.checks or ()]
    found = frozenset(item.control for item in checks if item.verdict == "block")
    if case.state != CaseState.BLOCKED.value or isinstance(case.body, Damaged) or not found:
        raise ApprovalError(f"case {case.id} is {case.state}, not blocked by a control", code="invalid")
    if case.run_id != run.id or case.opened_index != run.session_index or run.stage != "closed":
        raise ApprovalError("the session of this case is over: its prices and checks are old", code="invalid")
    return found


def _require_softness(named: frozenset[str], blocking: frozenset[str]) -> None:
    for control in sorted(named | blocking):
        try:
            require_soft(control)
        except ToolRejected as error:
            raise ApprovalError(error.message, code="invalid") from None
    if named != blocking:
        text = ", ".join(label(item) for item in sorted(blocking))
        raise ApprovalError(f"what blocks it is {text}: name exactly that", code="invalid")


def _require_room(store: Store, session: Session, case: CaseRow) -> None:
    if store.reduce_only or halt.blocks_increase(store, session, case):
        raise ApprovalError("a halt or safe mode is in force: nothing that adds risk is asked", code="forbidden")
    rival = session.exec(
        select(CaseRow).where(
            CaseRow.run_id == case.run_id, CaseRow.strategy == case.strategy, CaseRow.symbol == case.symbol,
            CaseRow.side == case.side, col(CaseRow.state).in_([state.value for state in OPEN_CASE_STATES]),
        )
    ).first()  # fmt: skip
    if rival is not None:
        raise ApprovalError(f"case {rival.id} about {case.symbol} is open", code="exists", detail={"case_id": rival.id})
    if session.get(OverrideRow, case.id) is not None:
        raise ApprovalError("an override was asked for this case already", code="exists")
