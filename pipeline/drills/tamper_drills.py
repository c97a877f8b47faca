"""What was approved is changed behind the desk's back, unsigned, or said twice: it is never sent, or only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlmodel import Session, col, select

from memory.tables import ApprovalRow, DecisionRow, FindingRow, GrantRow, OutboxRow
from pipeline import signer
from pipeline.drills.stage import Scene
from pipeline.drills.stop_drills import Drill, wrong
from tools.errors import ApprovalError
from tools.types import CaseState


def _tampered(change: Callable[[Session, str], None]) -> Drill:
    """What was approved is changed behind the desk's back: the open sends the rest and this never."""

    async def drill(scene: Scene) -> list[str]:
        case, *others = scene.cases("approved")
        with scene.store.db.write() as session:
            change(session, case)
        await scene.trade_open()
        bought, states = scene.filled(), scene.states()
        with scene.store.db.read() as session:
            found = session.exec(select(FindingRow).where(FindingRow.code == "tampered")).all()
        return wrong(
            (bought.get(case) is not None, "an order was written"),
            (states[case] != CaseState.VOIDED.value, f"its case is {states[case]}"),
            (not any(case in row.body.message for row in found), "no finding tells of it"),
            (not all(bought.get(other) for other in others), "an order that nobody touched was not sent either"),
        )

    return drill


def _approval(session: Session, case: str) -> ApprovalRow:
    return session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case)).one()


def _widen_band(session: Session, case: str) -> None:
    row = _approval(session, case)
    row.band_high = row.band_high * 2
    session.add(row)


def _enlarge(session: Session, case: str) -> None:
    grant = session.exec(select(GrantRow).where(GrantRow.case_id == case)).one()
    grant.quantity_budget += 1
    grant.body = {**grant.body, "quantity_budget": grant.quantity_budget}
    session.add(grant)


def _forget_signature(session: Session, case: str) -> None:
    for row in session.exec(select(DecisionRow).where(DecisionRow.case_id == case)).all():
        session.delete(row)


async def _unsigned(scene: Scene) -> list[str]:
    """The signer reads the table itself: it signs what people approved and nothing that the table does not bear out."""
    case = scene.cases("approved")[0]
    with scene.store.db.read() as session:
        approval = _approval(session, case).id
    signs = _signs(scene, approval)
    with scene.store.db.write() as session:
        _forget_signature(session, case)
    return wrong(
        (not signs, "it does not sign what was approved"), (_signs(scene, approval), "it signs without a signature")
    )


def _signs(scene: Scene, approval: str) -> bool:
    try:
        with scene.store.db.read() as session:
            signer.approval_body(session, approval)
    except ApprovalError:
        return False
    return True


async def _twice(scene: Scene) -> list[str]:
    """A crash before the answer: the same words are said to the venue again, and it has each order once."""
    names = scene.entries("working")
    with scene.store.db.write() as session:
        for row in session.exec(select(OutboxRow).where(col(OutboxRow.client_order_id).in_(names))).all():
            row.status = "sent"
            session.add(row)
    before = scene.resting()
    scene.send(names)
    await scene.trade_open()
    bought = {row.symbol: row.filled_quantity for row in scene.orders("entry").values() if row.client_order_id in names}
    held = scene.broker.positions()
    return wrong(
        (not names <= set(before), "the orders did not rest at the venue"),
        ({symbol: held.get(symbol) for symbol in bought} != bought, "the venue holds more than was ordered"),
    )


TAMPERINGS: Mapping[str, tuple[Drill, str]] = {
    "tamper:price_band": (_tampered(_widen_band), "an approval with a wider band was voided, with a finding"),
    "tamper:quantity": (_tampered(_enlarge), "a grant for more shares was voided, with a finding"),
    "tamper:signature": (_tampered(_forget_signature), "an approval without its person was voided, with a finding"),
    "tamper:unsigned_grant": (_unsigned, "the signer signed what was approved and refused what nobody signed"),
    "outbox:said_twice": (_twice, "orders said to the venue again after a crash were placed once"),
}  # fmt: skip
"""Name, drill, and what is said of it when it fired."""
