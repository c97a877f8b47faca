"""What the desk puts into long-term memory at a close: cases, explanations, lessons.

Each is written once, under an id that follows from what it is about. What the inspection refuses is a finding of the
run: the text is in the record of its case or lesson, and nothing of it is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from memory.remembered import Item, Written
from memory.tables import CaseRow, ExplanationRow, LedgerRow, LessonRow, MemoryRow, OutcomeRow, RunRow
from pipeline.briefs import situation
from pipeline.desk import Desk
from pipeline.findings import raise_finding
from pipeline.settle import SETTLED, settling
from pipeline.work import CycleWork, regime_at
from tools.canonical import stable_id
from tools.types import CaseState

SUMMARY_CHARACTERS = 1500
LEADING = ("thesis", "constraint", "review", "dissent", "control", "finding")
"""Kinds of claims that say why, before those that say what surrounded it."""


class Remembered(NamedTuple):
    """How many of each kind are new."""

    cases: int = 0
    explanations: int = 0
    lessons: int = 0
    refused: int = 0


def remember_close(desk: Desk, work: CycleWork) -> Remembered:
    """Remember what this close settled, explained and learnt; a repeat changes nothing."""
    if desk.recall is None:
        return Remembered()
    with desk.db.read() as session:
        cases = _cases(session, desk, work)
        explanations = _explanations(session, desk, work)
        lessons, replaced = _lessons(session, desk, work)
    written = desk.recall.remember(*cases, *explanations, *lessons)
    desk.recall.supersede(replaced, work.index)
    refused = [item for item in written if item.refusal is not None]
    if refused:
        with desk.db.write() as session:
            _tell(session, desk, refused, work.tick.as_of)
    new = {item.id for item in written if item.status in ("new", "duplicate")}
    counted = [sum(item.id in new for item in part) for part in (cases, explanations, lessons)]
    return Remembered(counted[0], counted[1], counted[2], len(refused))


def _cases(session: Session, desk: Desk, work: CycleWork) -> list[Item]:
    """Asked entries that settled at this close, however long they were due, with what became of them."""
    rows = session.exec(
        select(CaseRow, OutcomeRow)
        .join(OutcomeRow, col(OutcomeRow.case_id) == col(CaseRow.id))
        .where(
            OutcomeRow.run_id == desk.run_id, OutcomeRow.settled,
            col(OutcomeRow.case_id).in_(_settled_now(session, desk.run_id, work)),
            CaseRow.kind == "order.entry", CaseRow.state != CaseState.NOT_SELECTED.value,
        )
        .order_by(col(CaseRow.id))
    ).all()  # fmt: skip
    regimes = cache(lambda index: regime_at(desk.market, index))
    return [
        Item(
            id=case.id, run_id=desk.run_id, kind="case", subject=case.id, symbol=case.symbol, strategy=case.strategy,
            text=situation(case.order, desk.market.instrument(case.symbol)), known_index=work.index,
            outcome=outcome.disposition, regime=regimes(case.opened_index), taint=case.order.taint,
        )
        for case, outcome in rows
    ]  # fmt: skip


def _settled_now(session: Session, run_id: str, work: CycleWork) -> list[str]:
    """Cases that the ledger says were settled at this close: a name without a bar settles later than it is due."""
    records = session.exec(
        select(LedgerRow.content).where(
            LedgerRow.run_id == run_id, LedgerRow.kind == SETTLED, LedgerRow.step == settling(work.tick.session)
        )
    ).all()
    return [str(line["case"]) for content in records for line in json.loads(content)["body"]["outcomes"]]


def _explanations(session: Session, desk: Desk, work: CycleWork) -> list[Item]:
    """Why the cases of the session before were what they were, in the words of their untainted claims."""
    rows = session.exec(
        select(CaseRow, ExplanationRow)
        .join(ExplanationRow, col(ExplanationRow.case_id) == col(CaseRow.id))
        .where(
            CaseRow.run_id == desk.run_id, CaseRow.opened_index == work.index - 1,
            col(CaseRow.kind).in_(("order.entry", "order.exit")),
        )
        .order_by(col(CaseRow.id))
    ).all()  # fmt: skip
    before = regime_at(desk.market, work.index - 1)
    return [
        Item(
            id=stable_id("mem", "explanation", case.id), run_id=desk.run_id, kind="explanation", subject=case.id,
            symbol=case.symbol, strategy=case.strategy, known_index=work.index, regime=before,
            text=summary(f"{case.strategy} {case.side} {case.symbol}: {case.state}.", explained.body),
        )
        for case, explained in rows
    ]  # fmt: skip


def summary(head: str, explanation: dict[str, Any]) -> str:
    """The claims that say why, then the others, as far as whole ones fit; none that quotes a stranger."""
    claims = [claim for claim in explanation.get("claims", ()) if not claim.get("taint")]
    claims.sort(key=lambda claim: LEADING.index(claim["kind"]) if claim["kind"] in LEADING else len(LEADING))
    text = head
    for claim in claims:
        if len(text) + 1 + len(claim["text"]) > SUMMARY_CHARACTERS:
            break
        text = f"{text} {claim['text']}"
    return text


def _lessons(session: Session, desk: Desk, work: CycleWork) -> tuple[list[Item], list[str]]:
    """Lessons that are not remembered yet, and those that a newer one of their scope stands for."""
    rows = session.exec(
        select(LessonRow).where(LessonRow.run_id == desk.run_id).order_by(col(LessonRow.as_of), col(LessonRow.id))
    ).all()
    known = {
        row.id: row.superseded_index
        for row in session.exec(
            select(MemoryRow).where(MemoryRow.run_id == desk.run_id, MemoryRow.kind == "lesson")
        ).all()
    }  # fmt: skip
    newest = {row.scope: row.id for row in rows}
    items = [
        Item(
            id=row.id, run_id=desk.run_id, kind="lesson", subject=row.id, strategy=_strategy(row.scope),
            text=f"{row.scope}: {row.body.claim}", known_index=work.index,
        )
        for row in rows
        if row.id not in known and newest[row.scope] == row.id
    ]  # fmt: skip
    over = [row.id for row in rows if row.id in known and known[row.id] is None and newest[row.scope] != row.id]
    return items, over


def _strategy(scope: str) -> str:
    """The strategy that a lesson's scope names, e.g. of `strategy:trend/disposition:filled`; "" for none."""
    parts = (part.partition(":") for part in scope.split("/"))
    return next((value for name, _, value in parts if name == "strategy"), "")


def _tell(session: Session, desk: Desk, refused: Sequence[Written], as_of: datetime) -> None:
    run = session.get_one(RunRow, desk.run_id)
    for item in refused:
        if item.refusal is not None:
            raise_finding(
                session, run, code="memory_refused", severity="warning", component="recall",
                message=f"{item.id} was not remembered: {item.refusal.message}.",
                recommendation="Read it where it came from; nothing of it is given to an agent later.", as_of=as_of,
            )  # fmt: skip
