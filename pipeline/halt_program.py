"""The halt program: its own small path over the SQL store and the broker.

It needs no model, no graph, no vector store and no engine. `python -m pipeline.halt_program --home DIR` carries
out every halt that is in force; the watchdog and the engine call the same function. A cancel that the broker does
not confirm is tried again, and until then the halt is not carried out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, HaltRow, OrderRow, OutboxRow, RunRow
from pipeline import flatten
from pipeline.book import live_orders
from pipeline.booking import apply_report
from pipeline.findings import raise_finding
from pipeline.halt_release import adopt_file
from pipeline.halt_scope import concerns_order, in_force
from pipeline.order_ends import deny_unsent, desk_tick
from pipeline.settings import load_settings
from pipeline.store import Store, active_run, now, open_store
from pipeline.venue import open_broker
from tools.errors import ExecutionError, QuarterdeckError, RetryableToolError
from tools.execution.types import TERMINAL, Broker, BrokerOrder
from tools.types import Tick

BATCH = 100
"""Broker answers that are booked in one transaction. Asking again after a crash gives the same answers."""
MAX_DETAIL = 500
RETRY_S = 1.0
PATIENCE_S = 20.0
UNSENT = "a halt came before it was sent"


class Round(NamedTuple):
    """Halts that were finished, and answers of the broker that are still missing."""

    finished: int
    troubled: int


def carry_out_all(store: Store, broker: Broker | None = None) -> Round:
    """Carry out what is in force: cancel what adds risk, and for `flatten` close positions."""
    _adopt(store)
    with store.db.read() as session:
        run = active_run(session)
        rows = in_force(session)
        if run is None:
            return Round(0, 0)
        todo = [row for row in rows if not row.carried_out or _open_again(session, run, row)]
    if not todo:
        return Round(0, 0)
    venue = broker or open_broker(store, run)
    done = [_carry_out(store, venue, run, row) for row in todo]
    return Round(sum(item.finished for item in done), sum(item.troubled for item in done))


def _open_again(session: Session, run: RunRow, row: HaltRow) -> bool:
    """True when there is something to close after all, such as a late fill."""
    return row.action == "flatten" and bool(flatten.remaining(session, run.id, row))


def _adopt(store: Store) -> None:
    """Write the HALT file in as the halt that it is, once."""
    if not store.home.halt_file.exists():
        return
    with store.db.read() as session:
        if any(row.source == "file" for row in in_force(session)):
            return
    with store.db.write() as session:
        if store.home.halt_file.exists() and not any(row.source == "file" for row in in_force(session)):
            adopt_file(store, session)


def _carry_out(store: Store, broker: Broker, run: RunRow, row: HaltRow) -> Round:
    problems = () if row.carried_out else cancel_increases(store, broker, run, row)
    left = flatten.go_on(store, broker, run, row) if row.action == "flatten" else flatten.Progress(0, ())
    problems += left.problems
    finished = not problems and not left.open
    notes = [*problems, *([f"{left.open} positions still open"] if left.open else [])]
    detail = "; ".join(notes)[:MAX_DETAIL] or None
    news = finished and not row.carried_out
    if not news and detail == row.detail:
        return Round(0, len(problems))
    with store.db.write() as session:
        stored = session.get_one(HaltRow, row.id)
        news = finished and not stored.carried_out
        stored.detail, stored.carried_out = detail, stored.carried_out or finished
        session.add(stored)
        if news:
            append(
                session,
                Entry(
                    kind="halt.carried_out", step=f"carried_out:{row.id}", desk_time=now(), stage=Stage.HALT,
                    content={"halt": row.id, "action": row.action, "scope": row.scope, "target": row.target},
                    envelope={"halt": row.id},
                ),
            )  # fmt: skip
    return Round(int(news), len(problems))


def cancel_increases(store: Store, broker: Broker, run: RunRow, halt: HaltRow) -> tuple[str, ...]:
    """Take back the orders that add risk and that the halt names; protective stops and exits stay.

    Returns a sentence for each that is not known to have ended: the broker timed out, refused, has not confirmed
    it, or is being sent it at this moment.
    """
    with store.db.write() as session:
        tick = desk_tick(session, run)
        deny_unsent(session, run.id, (halt,), UNSENT, tick)
        live = live_orders(session, run.id)
        targets = [o for o in live if not o.body.reduce_only and concerns_order(session, halt, o)]
        sent = {row.client_order_id for row in session.exec(select(OutboxRow).where(OutboxRow.status == "sent"))}
    problems: list[str] = []
    unheard_of: set[str] = set()
    reports: list[BrokerOrder] = []
    refused: list[tuple[OrderRow, str]] = []
    for order in targets:
        name = order.client_order_id
        try:
            reports.append(broker.cancel(name))
        except RetryableToolError as error:
            problems.append(f"{name} could not be cancelled yet: {error}")
        except ExecutionError as error:
            if error.code != "unknown_order":
                refused.append((order, f"the broker refused to cancel {name}: {error}"))
            elif name in sent:
                problems.append(f"{name} is being sent and not at the broker yet")
            else:
                unheard_of.add(name)
    _book(store, reports, tick)
    for order, message in refused:
        problems.append(message)
        _tell(store, run, order, message, tick)
    waiting = [reported.client_order_id for reported in reports if reported.state not in TERMINAL]
    problems += [f"the broker has not confirmed the cancel of {name}" for name in waiting]
    if unheard_of:
        with store.db.write() as session:
            denied = deny_unsent(session, run.id, (halt,), UNSENT, tick, frozenset(unheard_of))
        problems += [f"nobody knows {name}" for name in sorted(unheard_of - set(denied))]
    return tuple(problems)


def _book(store: Store, reports: Sequence[BrokerOrder], tick: Tick) -> None:
    """Take the broker's word, once it has been asked for every order: risk goes first, the books follow."""
    for start in range(0, len(reports), BATCH):
        part = reports[start : start + BATCH]
        with store.db.write() as session:
            names = [reported.client_order_id for reported in part]
            orders = session.exec(select(OrderRow).where(col(OrderRow.client_order_id).in_(names))).all()
            wanted = col(CaseRow.id).in_([order.case_id for order in orders])
            cases = session.exec(select(CaseRow).where(wanted)).all()  # noqa: F841  (the identity map is weak)
            for reported in part:
                apply_report(session, reported, tick)


def _tell(store: Store, run: RunRow, order: OrderRow, message: str, tick: Tick) -> None:
    with store.db.write() as session:
        raise_finding(
            session, session.get_one(RunRow, run.id), code="cancel_refused", severity="critical",
            component="execution", symbol=order.symbol, message=message, as_of=tick.as_of,
            recommendation="Cancel it at the broker by hand; the halt goes on trying.",
        )  # fmt: skip


def main() -> int:
    """Carry out the halts of one home; exit status 0 when nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--mode", default="replay")
    given = parser.parse_args()
    try:
        store = open_store(load_settings(home=given.home, mode=given.mode), create=False)
        deadline = time.monotonic() + PATIENCE_S
        while carry_out_all(store).troubled and time.monotonic() < deadline:
            time.sleep(RETRY_S)
    except QuarterdeckError as error:
        print(f"quarterdeck: {error.message} [{error.code}]")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
