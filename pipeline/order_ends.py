"""How an order ends in our books: one record, and its case with it. Unsent orders end here without a broker."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, HaltRow, LedgerRow, OrderRow, OutboxRow, RunRow
from pipeline import parents
from pipeline.cases import advance
from pipeline.halt_scope import concerns_order
from pipeline.store import now
from tools.execution.types import OrderState
from tools.types import CaseState, Tick


def desk_tick(session: Session, run: RunRow) -> Tick:
    """Where the desk clock stands for who has no market: the close of the newest case, else the wall clock."""
    newest = session.exec(
        select(CaseRow).where(CaseRow.run_id == run.id).order_by(col(CaseRow.opened_index).desc()).limit(1)
    ).first()
    as_of = newest.as_of if newest else now()
    return Tick(session=as_of.date(), phase="close", as_of=as_of)


def end_order(session: Session, order: OrderRow, state: OrderState, reason: str | None, tick: Tick) -> None:
    """Give an order its last state in the caller's transaction; its case is done or cancelled with it.

    An order may end twice alike, when a late execution or an adoption made it live in between.
    """
    step = f"order:{order.leg}:{order.attempt}:{state.value}"
    same = (LedgerRow.case_id == order.case_id, LedgerRow.step == step)
    earlier = session.exec(select(func.count()).select_from(LedgerRow).where(*same)).one()
    order.state, order.reason, order.updated_wall = state.value, reason, now()
    session.add(order)
    append(
        session,
        Entry(
            kind=f"order.{state.value}", step=step, revision=earlier, case_id=order.case_id,
            run_id=order.run_id, desk_time=tick.as_of, stage=Stage.ORDER,
            content={"client_order_id": order.client_order_id, "filled": order.filled_quantity, "reason": reason},
        ),
    )  # fmt: skip
    parents.give_back(session, order)
    case = session.get(CaseRow, order.case_id)
    if case is None or order.leg not in ("entry", "exit") or case.state not in ("submitted", "unknown"):
        return
    if not parents.has_more(session, order):
        filled = parents.filled(session, order).quantity
        advance(
            session, case, CaseState.DONE if filled else CaseState.CANCELLED, content={"filled": filled},
            desk_time=tick.as_of, stage=Stage.ORDER, reason=None if filled else (reason or state.value),
        )  # fmt: skip
        parents.close(session, order)


def deny_unsent(
    session: Session,
    run_id: str,
    halts: Sequence[HaltRow],
    why: str,
    tick: Tick,
    unheard_of: frozenset[str] = frozenset(),
) -> list[str]:
    """End every order that adds risk, that a halt names and that nobody began to send; returns their ids.

    An order in doubt is left alone unless the broker said that it is `unheard_of`. Whoever sends an order claims its
    outbox row first (`sent`) and looks at the halts in the same transaction, so a row that is still `pending` here
    can never be sent afterwards.
    """
    rows = session.exec(
        select(OutboxRow, OrderRow)
        .join(OrderRow, col(OrderRow.client_order_id) == col(OutboxRow.client_order_id))
        .where(
            OutboxRow.run_id == run_id, OutboxRow.action == "submit", OutboxRow.status == "pending",
            col(OrderRow.state).in_([OrderState.PENDING_NEW.value, OrderState.UNKNOWN.value]),
        )
        .order_by(col(OutboxRow.id))
    ).all()  # fmt: skip
    denied = []
    for row, order in rows:
        in_doubt = order.state == OrderState.UNKNOWN.value and order.client_order_id not in unheard_of
        if in_doubt or order.body.reduce_only or not any(concerns_order(session, halt, order) for halt in halts):
            continue
        row.status, row.last_error = "done", why
        session.add(row)
        end_order(session, order, OrderState.DENIED, why, tick)
        denied.append(order.client_order_id)
    return denied
