"""What people did in a run, by the session after which they did it, and the same again in a home that replays it.

Answers were judged when they were given: who may, which role, which session. A replay takes them from the tables as
they were taken then and judges only what they answer: the same digest of the same question.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel import Session, col, func, select

from memory.ledger import Stage
from memory.tables import (
    ActivationRow,
    ApprovalRow,
    CaseRow,
    DecisionRow,
    EditRow,
    HaltRow,
    LedgerRow,
    OverrideRow,
    RunRow,
    StrategyRow,
)
from pipeline import approvals
from pipeline.activation import Kind, put_in_force
from pipeline.manual import STRATEGY as MANUAL
from pipeline.signer import BY_POLICY
from pipeline.store import Principal, Store
from tools.errors import LedgerError
from tools.types import ORDER_KINDS

NEVER = timedelta(days=3650)
_LAW: Mapping[str, Kind] = {"limits.activated": "limits", "policy.activated": "policy"}


class Deeds(NamedTuple):
    """Answers and new laws of a run by session index, and the law that it began with."""

    law: Mapping[Kind, ActivationRow]
    answers: Mapping[int, Sequence[DecisionRow]]
    laws: Mapping[int, Sequence[ActivationRow]]
    sent: Mapping[str, int]
    """By case: the session at whose open its order was sent."""


def require_repeatable(session: Session, run: RunRow) -> None:
    """LedgerError(not_replayable) names what people did in a run that a replay cannot repeat."""
    edited = select(func.count()).select_from(EditRow).join(
        ApprovalRow, col(ApprovalRow.id) == col(EditRow.approval_id)
    )  # fmt: skip
    by_hand = select(func.count()).select_from(CaseRow).where(CaseRow.run_id == run.id)
    found = {
        "edited proposals": session.exec(edited.where(ApprovalRow.run_id == run.id)).one(),
        "overrides": _count(session, OverrideRow, run),
        "tickets by hand": session.exec(by_hand.where(col(CaseRow.strategy).startswith(MANUAL))).one(),
        "changes by a case": session.exec(by_hand.where(~col(CaseRow.kind).in_(ORDER_KINDS))).one(),
        "halts by people": len(
            session.exec(select(HaltRow.id).where(HaltRow.run_id == run.id, col(HaltRow.cause).is_(None))).all()
        ),
        "strategies enabled again": _count(session, StrategyRow, run),
    }
    named = ", ".join(f"{count} {what}" for what, count in found.items() if count)
    if named:
        raise LedgerError(
            f"run {run.id} holds {named}: a replay repeats approvals, rejections and activated files only; replay its "
            "cases and cycles one by one",
            code="not_replayable",
        )


def _count(session: Session, table: type[OverrideRow] | type[StrategyRow], run: RunRow) -> int:
    return session.exec(select(func.count()).select_from(table).where(table.run_id == run.id)).one()


def deeds_of(session: Session, run: RunRow, closes: Sequence[datetime]) -> Deeds:
    """Read what people did; `closes` are the times of the closes by session index.

    The ledger's order says when: whatever stands behind a record of a session was done after it.
    LedgerError(recording_missing) for an answer that no record tells of.
    """
    waiting = {
        (row.approval_id, row.principal, row.decision): row
        for row in session.exec(
            select(DecisionRow)
            .join(CaseRow, col(CaseRow.id) == col(DecisionRow.case_id))
            .where(CaseRow.run_id == run.id, ~col(DecisionRow.principal).startswith(BY_POLICY))
            .order_by(col(DecisionRow.id))
        )
    }
    activations = {row.sha256: row for row in session.exec(select(ActivationRow).order_by(col(ActivationRow.id)))}
    answers: dict[int, list[DecisionRow]] = defaultdict(list)
    laws: dict[int, list[ActivationRow]] = defaultdict(list)
    law: dict[Kind, ActivationRow] = {}
    sent: dict[str, int] = {}
    reached: datetime | None = None
    index = -1
    for row in session.exec(select(LedgerRow).order_by(col(LedgerRow.seq))):
        if row.run_id == run.id and row.stage <= Stage.REQUEST and (reached is None or row.desk_time > reached):
            reached = row.desk_time
            index = next(i for i, close in enumerate(closes) if close >= row.desk_time)
        if row.kind in _LAW and row.run_id is None:
            active = activations[json.loads(row.content)["body"]["sha256"]]
            if reached is None:
                law[_LAW[row.kind]] = active
            else:
                laws[index].append(active)
        elif row.run_id == run.id:
            if row.kind == "case.submitted" and row.case_id:
                sent[row.case_id] = index
            body = json.loads(row.content)["body"]
            given = waiting.pop((body.get("approval"), body.get("principal"), body.get("decision")), None)
            if given is not None:
                answers[index].append(given)
    if waiting:
        lost = next(iter(waiting.values()))
        raise LedgerError(
            f"the ledger does not tell when {lost.principal} said {lost.decision} to {lost.approval_id}",
            code="recording_missing",
        )
    return Deeds(law, answers, laws, sent)


def repeat(store: Store, deeds: Deeds, index: int) -> None:
    """Do again what people did after session `index`. LedgerError(recording_missing): nobody asks that any more."""
    for row in deeds.laws.get(index, ()):
        kind: Kind = "limits" if row.kind == "limits" else "policy"
        (store.home.config / f"{kind}.yaml").write_text(row.body, encoding="utf-8")
        with store.db.write() as session:
            put_in_force(session, kind, row.body, principal=Principal(row.principal, "person"), content={})
    for given in deeds.answers.get(index, ()):
        with store.db.write() as session:
            _answer(store, session, given, deeds.sent.get(given.case_id), index)


def _answer(store: Store, session: Session, given: DecisionRow, sent: int | None, index: int) -> None:
    row = session.get(ApprovalRow, given.approval_id)
    if row is None or row.digest != given.digest:
        return  # another question or none: the ledgers differ before this, and that is what is named
    asked = approvals.find_question(session, given.approval_id)
    if row.cooling_off_seconds:
        row.cooling_off_seconds = 0 if sent == index + 1 else int(NEVER.total_seconds())
        session.add(row)
    said = DecisionRow(**given.model_dump(exclude={"id", "session_id"}))
    session.add(said)
    session.flush()
    by = Principal(given.principal, "person")
    asked = asked._replace(said=(*asked.said, said))
    if given.decision == "reject":
        approvals.refuse(session, asked, said, by)
    elif not approvals.spring(session, asked, said, by):
        approvals.sign(store, session, asked, said, by)
