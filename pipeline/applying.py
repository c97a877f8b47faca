"""Applying: an approved change of the desk is put in force, once, in the transaction that consumes its grant.

Called right after a decision and by the watch loop, which also takes up what a crash or a cooling-off left behind.
"""

from __future__ import annotations

from typing import cast

from sqlmodel import Session, col, or_, select

from memory.ledger import Stage
from memory.tables import ApprovalRow, CaseRow, GrantRow, RunRow
from pipeline import activation, grants, halt, lesson_rules
from pipeline.activation import Kind
from pipeline.binding import asks_more, people_of, tampered
from pipeline.cases import advance
from pipeline.faults import reach
from pipeline.findings import raise_finding
from pipeline.store import Principal, Store, now
from pipeline.voiding import void_case
from tools.canonical import sha256_hex
from tools.errors import ConfigError
from tools.types import LESSON_KINDS, ORDER_KINDS, CaseState, Change


def apply_due(store: Store) -> tuple[str, ...]:
    """Put every approved change in force whose cooling-off is over; ids of the cases that moved."""
    with store.db.read() as session:
        due = session.exec(
            select(CaseRow.id)
            .join(ApprovalRow, col(ApprovalRow.case_id) == col(CaseRow.id), isouter=True)
            .where(
                CaseRow.state == CaseState.APPROVED.value, ~col(CaseRow.kind).in_(ORDER_KINDS),
                or_(col(ApprovalRow.not_before_wall).is_(None), col(ApprovalRow.not_before_wall) <= now()),
            )
            .order_by(col(CaseRow.id))
        ).all()  # fmt: skip
    moved = tuple(case_id for case_id in due if _apply(store, case_id))
    if moved:
        store.publish_head()
    return moved


def _apply(store: Store, case_id: str) -> bool:
    """Apply or void one change; False when somebody else did."""
    with store.db.write() as session:
        case = session.get_one(CaseRow, case_id)
        if case.state != CaseState.APPROVED.value:
            return False
        run = session.get_one(RunRow, case.run_id)
        approval = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).first()
        grant = session.exec(select(GrantRow).where(GrantRow.case_id == case_id)).first()
        wrong: str | None = "its approval or its grant is gone"
        why: str | None = None
        if approval is not None and grant is not None:
            wrong = tampered(store, session, case, approval, grant)
            why = None if wrong else _no_longer_good(store, session, run, case, approval)
        if wrong:
            raise_finding(
                session, run, code="tampered", severity="critical", component="approvals", symbol=case.symbol,
                message=f"case {case.id}: {wrong}; nothing was put in force",
                recommendation="Halt, verify the ledger and compare the database with a backup.", as_of=case.as_of,
            )  # fmt: skip
        if wrong or why or grant is None or approval is None:
            void_case(session, case, why=wrong or why or "", desk_time=case.as_of, stage=Stage.SUBMIT, detail={})
        else:
            _put_in_force(session, case, approval, grant)
        reach("before_submit_commit")
    reach("after_submit_commit")
    return True


def _no_longer_good(store: Store, session: Session, run: RunRow, case: CaseRow, approval: ApprovalRow) -> str | None:
    """The reason why an approved change may not be put in force any more; None when it may."""
    change = case.change
    if not run.active:
        return f"its run {run.id} was closed"
    if case.risk_effect != "reduces" and halt.blocks_increase(store, session, case):
        return "a halt is in force"
    if change.kind in LESSON_KINDS:
        return lesson_rules.no_longer_good(store, session, run, change) or _asks_more(session, approval)
    stands = activation.latest(session, kind_of(change))
    if (stands.sha256 if stands else None) != change.before_sha256:
        return f"the {change.subject} in force changed since it was asked"
    if sha256_hex(change.text.encode()) != change.after_sha256:
        return "its text does not have the hash that was approved"
    try:
        activation.parse(kind_of(change), change.text)
    except ConfigError as error:
        return error.message
    return _asks_more(session, approval)


def _asks_more(session: Session, approval: ApprovalRow) -> str | None:
    return asks_more(activation.read_law(session), approval, people_of(session, approval))


def _put_in_force(session: Session, case: CaseRow, approval: ApprovalRow, grant: GrantRow) -> None:
    change = case.change
    people = sorted(people_of(session, approval))
    grants.consume(session, grant, 1)
    said = {"reason": change.reason, "case": case.id, "proposer": change.proposer, "principals": people}
    if change.kind in LESSON_KINDS:
        content = lesson_rules.put_in_force(session, change, said)
    else:
        row = activation.put_in_force(
            session, kind_of(change), change.text, principal=Principal(", ".join(people), "person"), content=said
        )
        content = {"sha256": row.sha256, "version": row.version}
    advance(
        session, case, CaseState.SUBMITTED, content=content, desk_time=case.as_of, stage=Stage.SUBMIT,
        envelope={"grant": grant.id},
    )  # fmt: skip
    advance(session, case, CaseState.DONE, content=content, desk_time=case.as_of, stage=Stage.SUBMIT)


def kind_of(change: Change) -> Kind:
    """Which file a change of the law replaces."""
    return cast(Kind, change.subject)
