"""The halt program: its own small path over the SQL store and the broker.

It needs no model, no graph, no vector store and no engine. `python -m pipeline.halt_program --home DIR` carries
out every halt that is in force and not yet carried out; the engine calls the same function when it lives.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sqlmodel import Session, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, HaltRow, OrderRow, RunRow
from pipeline import grants
from pipeline.book import live_orders, open_positions
from pipeline.execution import apply_report
from pipeline.halt import in_force
from pipeline.settings import load_settings
from pipeline.store import Store, active_run, now, open_store
from pipeline.submission import add_order, order_id
from pipeline.venue import open_broker
from tools.errors import QuarterdeckError
from tools.execution.types import Broker, OrderRequest
from tools.types import Tick


def carry_out_all(store: Store, broker: Broker | None = None) -> int:
    """Cancel what adds risk, and for `flatten` sell what is held at the next open. Returns halts carried out."""
    with store.db.read() as session:
        run = active_run(session)
        todo = [row for row in in_force(session) if not row.carried_out]
    if run is None or not todo:
        return 0
    venue = broker or open_broker(store, run)
    for row in todo:
        _cancel(store, venue, run, row)
        if row.action == "flatten":
            _flatten(store, run, row)
        with store.db.write() as session:
            stored = session.get_one(HaltRow, row.id)
            stored.carried_out = True
            session.add(stored)
    return len(todo)


def _concerns(session: Session, row: HaltRow, order: OrderRow) -> bool:
    if row.scope == "firm":
        return True
    case = session.get(CaseRow, order.case_id)
    return row.target == (order.symbol if row.scope == "symbol" else case.strategy if case else None)


def _tick(session: Session, run: RunRow) -> Tick:
    newest = session.exec(select(CaseRow).where(CaseRow.run_id == run.id).order_by(CaseRow.opened_index.desc())).first()  # type: ignore[attr-defined]
    as_of = newest.as_of if newest else now()
    return Tick(session=as_of.date(), phase="close", as_of=as_of)


def _cancel(store: Store, broker: Broker, run: RunRow, halt: HaltRow) -> None:
    """Cancel live orders that add risk; protective stops stay, they only reduce."""
    with store.db.read() as session:
        targets = [o for o in live_orders(session, run.id) if o.leg == "entry" and _concerns(session, halt, o)]
        tick = _tick(session, run)
    for order in targets:
        if broker.find(order.client_order_id) is None:
            continue
        reported = broker.cancel(order.client_order_id)
        with store.db.write() as session:
            apply_report(session, reported, tick)


def _flatten(store: Store, run: RunRow, halt: HaltRow) -> None:
    """Write one reduce-only order per position under the halt's own grant; the next open sends them."""
    with store.db.write() as session:
        tick = _tick(session, run)
        for position in open_positions(session, run.id):
            wanted = halt.scope == "firm" or halt.target == (
                position.symbol if halt.scope == "symbol" else position.strategy
            )
            name = order_id(run.id, halt.id, "flatten", 1)[:24] + f"-{position.symbol}"
            if not wanted or position.quantity <= 0 or session.get(OrderRow, name) is not None:
                continue
            grant = grants.mint_halt_mandate(
                store, session, halt_id=halt.id, run_id=run.id, symbol=position.symbol,
                quantity=position.quantity, principal=halt.principal,
            )  # fmt: skip
            grants.consume(session, grant, position.quantity)
            request = OrderRequest(
                client_order_id=name, symbol=position.symbol, side="sell", quantity=position.quantity,
                order_type="market", time_in_force="opg", reduce_only=True,
            )  # fmt: skip
            add_order(
                session, run, request, case_id=f"{halt.id}:{position.symbol}", grant_id=grant.id, leg="flatten",
                attempt=1, at=tick,
            )  # fmt: skip
            append(
                session,
                Entry(
                    kind="order.flatten", step=f"flatten:{halt.id}:{position.symbol}", run_id=run.id,
                    desk_time=tick.as_of, stage=Stage.HALT,
                    content={"symbol": position.symbol, "quantity": position.quantity, "reason": halt.reason},
                ),
            )  # fmt: skip


def main() -> int:
    """Carry out the halts of one home; exit status 0 when nothing is left to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--mode", default="replay")
    given = parser.parse_args()
    try:
        carry_out_all(open_store(load_settings(home=given.home, mode=given.mode), create=False))
    except QuarterdeckError as error:
        print(f"quarterdeck: {error.message} [{error.code}]")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
